"""Object keypoint similarity: COCO's measure of how near a pose is to another, 0 to 1."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from poseur_lib.data.coco import Person
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.keypoints import KeypointSet

EPSILON = np.spacing(1.0)


def oks(
    keypoints_image: Float[np.ndarray, "*batch K 2"],
    reference_image: Float[np.ndarray, "*batch K 2"],
    labelled: Bool[np.ndarray, "*batch K"],
    area: Float[np.ndarray, "*batch"],
    oks_sigmas: Sequence[float],
) -> Float[np.ndarray, "*batch"]:
    """OKS = mean over the labelled keypoints of exp(-d_i^2 / (2 area k_i^2)), k_i = 2 oks_sigmas_i.

    Args:
        keypoints_image, reference_image: (x, y) in one frame of pixels.
        labelled: which keypoints count; 0 is returned where none does.
        area: of the reference person, in square pixels.
    """
    variances = (2 * np.array(oks_sigmas, np.float64)) ** 2
    squared = ((keypoints_image.astype(np.float64) - reference_image) ** 2).sum(-1)
    similarity = np.exp(-squared / variances / (np.asarray(area, np.float64)[..., None] + EPSILON) / 2)
    return np.asarray((similarity * labelled).sum(-1) / np.maximum(labelled.sum(-1), 1))


def oks_of_people(
    predictions: PredictedPeople, people: Sequence[Person], keypoints: KeypointSet
) -> Float[np.ndarray, "N"]:
    """OKS of each labelled person and the prediction that was made from that person's own ground-truth box.

    Unlike AP it moves from the first step of training on; its mean is the "mean OKS" of the learning curves.

    Args:
        predictions: in the order of `people`.

    Raises:
        ValueError: their numbers or images differ, or a person is not labelled.
    """
    if [int(image_id) for image_id in predictions.image_id] != [person.image_id for person in people]:
        raise ValueError(f"{len(predictions)} predictions are not those of the {len(people)} people, one for one")
    if any(person.keypoints_image is None for person in people):
        raise ValueError("people must be labelled, but some are detections")
    if not people:
        return np.zeros(0)
    return oks(
        predictions.keypoints_image(),
        np.stack([person.keypoints_image for person in people]),
        np.stack([person.visibility for person in people]) > 0,
        np.array([person.area for person in people], np.float64),
        keypoints.oks_sigmas,
    )


def mean_oks(predictions: PredictedPeople, people: Sequence[Person], keypoints: KeypointSet) -> float:
    """Mean of `oks_of_people`, 0 to 1; NaN without people."""
    return float(oks_of_people(predictions, people, keypoints).mean()) if people else float("nan")
