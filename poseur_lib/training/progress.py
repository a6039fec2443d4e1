"""What the learning curve is measured on: the first people of the evaluated split, by ground-truth boxes."""

from collections.abc import Callable

from pycocotools.coco import COCO
from torch import nn

from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.data.coco import CocoPeople, index
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.metrics import evaluate_coco, to_coco_results
from poseur_lib.evaluation.oks import mean_oks
from poseur_lib.runtime import Runtime
from poseur_lib.scoring.instance import instance_scores


def pose_measure(config: ExperimentConfig, people: CocoPeople, runtime: Runtime) -> Callable[[nn.Module], dict]:
    """Mean OKS and AP of a model in training, without flip test."""
    plain = config.with_changes(**{"evaluation.flip_test": False})
    measured = people.people()[: config.evaluation.curve_people]
    images = {person.image_id for person in measured}
    measured = [person for person in people.people() if person.image_id in images]
    truth = _restricted(people, images)

    def measure(model: nn.Module) -> dict[str, float]:
        predictions = predict_people(model, measured, plain, runtime)
        scores = instance_scores(predictions.bbox_scores, predictions.keypoint_scores, config.evaluation.instance_score)
        results = to_coco_results(predictions, scores, category_id=people.category_id)
        return {
            "mean_oks": mean_oks(predictions, measured, people.keypoints),
            "ap": evaluate_coco(truth, results, people.keypoints).AP,
        }

    return measure


def _restricted(people: CocoPeople, images: set[int]) -> COCO:
    dataset = people.coco.dataset
    part = {
        **dataset,
        "images": [image for image in dataset["images"] if image["id"] in images],
        "annotations": [entry for entry in dataset["annotations"] if entry["image_id"] in images],
    }
    return index(part, people.category_id)
