"""What the learning curve is measured on: the first people of the evaluated split, by ground-truth boxes."""

from collections.abc import Callable

from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.evaluation.ap import evaluate_predictions
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.metrics import summarise
from poseur_lib.evaluation.oks import mean_oks
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.runtime import Runtime


def pose_measure(
    config: ExperimentConfig, people: CocoPeople, runtime: Runtime
) -> Callable[[PoseModel], dict[str, float]]:
    """Mean OKS and AP of a model in training, without flip test and OKS-NMS."""
    plain = config.with_changes(**{"evaluation.flip_test": False})
    first = people.people()[: config.evaluation.curve_people]
    part = people.on_images({person.image_id for person in first})
    measured = part.people()

    def measure(model: PoseModel) -> dict[str, float]:
        predictions = predict_people(model, measured, plain, runtime)
        return {
            "mean_oks": mean_oks(predictions, measured, people.keypoints),
            "ap": summarise(evaluate_predictions(part, predictions, plain, nms=False)).AP,
        }

    return measure
