"""What evaluation codes of other data sets have beside COCO's ten numbers.

- CrowdPose: AP on easy, medium and hard images, by their crowd index (`crowdIndex`): below 0.2, below 0.8, and the
  rest, as its code has it (the paper says 0.1 and 0.8).
- COCO-WholeBody: AP of body, feet, face and hands alone. People none of whose keypoints of a part are labelled do not
  count for it. Every part is ranked by the score of the whole person.
- Leeds Sports: PCK@0.2, the share of joints within 0.2 of the torso, which is the distance of left shoulder and right
  hip (Sapp and Taskar, CVPR 2013), in the boxes of the annotations, which know the labels (`poseur_lib.data.lspet`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from poseur_lib.data.coco import CocoPeople, Person, index, labels_of
from poseur_lib.errors import UserError, shown
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.metrics import evaluate_coco
from poseur_lib.keypoints import COCO_WHOLEBODY_133, LSP_14, WHOLEBODY_PARTS, KeypointSet

CROWD_INDEX, EASY, MEDIUM = "crowdIndex", 0.2, 0.8
PCK, PCK_SHARE, TORSO = "PCK@0.2", 0.2, ("left_shoulder", "right_hip")
Results = Sequence[dict[str, Any]]


def own_metrics(
    people: CocoPeople, results: Results, boxes: Sequence[Person], predictions: PredictedPeople
) -> Mapping[str, float]:
    """The numbers (x 100) of the data set that these people are of; none for COCO's keypoints.

    Args:
        results: in COCO's format.
        boxes, predictions: what the results were made of, one for one.
    """
    found = crowd_aps(people, results)
    if people.keypoints == COCO_WHOLEBODY_133:
        found |= part_aps(people, results)
    if people.keypoints == LSP_14 and boxes and all(one.keypoints_image is not None for one in boxes):
        truth, visibility, _ = labels_of(boxes)
        found[PCK] = pck(predictions.keypoints_image(), truth, visibility > 0, LSP_14)
    return found


def crowd_aps(people: CocoPeople, results: Results) -> dict[str, float]:
    """AP on easy, medium and hard images; nothing where images have no crowd index.

    Raises:
        UserError: some have one, and one has none or no number of 0 to 1.
    """
    images = people.coco.imgs
    if not any(CROWD_INDEX in image for image in images.values()):
        return {}
    kinds: dict[str, set[int]] = {"easy": set(), "medium": set(), "hard": set()}
    for image_id, image in images.items():
        crowd = image.get(CROWD_INDEX)
        if type(crowd) not in (int, float) or not 0 <= crowd <= 1:
            raise UserError(f"image {image_id}: {CROWD_INDEX} must be 0 to 1, got {shown(crowd)}")
        kinds["easy" if crowd < EASY else "medium" if crowd < MEDIUM else "hard"].add(image_id)
    return {
        f"AP {kind}": evaluate_coco(
            people.on_images(ids).coco, [one for one in results if one["image_id"] in ids], people.keypoints
        ).AP
        for kind, ids in kinds.items()
    }


def part_aps(people: CocoPeople, results: Results) -> dict[str, float]:
    """AP of each of COCO-WholeBody's parts."""
    return {f"AP {name}": _part_ap(people, results, part) for name, part in WHOLEBODY_PARTS.items()}


def _part_ap(people: CocoPeople, results: Results, part: range) -> float:
    cut = slice(3 * part.start, 3 * part.stop)
    dataset = people.coco.dataset
    annotations = [{**one, "keypoints": one["keypoints"][cut]} for one in dataset["annotations"]]
    for one in annotations:
        one["num_keypoints"] = sum(value > 0 for value in one["keypoints"][2::3])
    coco = index({**dataset, "annotations": annotations}, people.category_id)
    names, sigmas = people.keypoints.names[part.start : part.stop], people.keypoints.oks_sigmas[part.start : part.stop]
    alone = KeypointSet(f"{people.keypoints.name} part", names, (), sigmas, (), (), ())
    return evaluate_coco(coco, [{**one, "keypoints": one["keypoints"][cut]} for one in results], alone).AP


def pck(
    keypoints_image: Float[np.ndarray, "N K 2"],
    truth_image: Float[np.ndarray, "N K 2"],
    labelled: Bool[np.ndarray, "N K"],
    keypoints: KeypointSet,
) -> float:
    """Share (x 100) of the labelled joints within `PCK_SHARE` of the torso; NaN where no torso is labelled.

    People of whom an end of the torso is not labelled do not count.
    """
    shoulder, hip = (keypoints.names.index(name) for name in TORSO)
    torso = np.linalg.norm(truth_image[:, shoulder] - truth_image[:, hip], axis=-1)
    counted = labelled & (labelled[:, shoulder] & labelled[:, hip] & (torso > 0))[:, None]
    distance = np.linalg.norm(keypoints_image.astype(np.float64) - truth_image, axis=-1)
    near = distance <= PCK_SHARE * torso[:, None]
    return 100 * float(near[counted].mean()) if counted.any() else float("nan")
