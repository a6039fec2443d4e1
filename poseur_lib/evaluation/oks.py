"""Object keypoint similarity: COCO's measure of how near a pose is to another, 0 to 1."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from poseur_lib.data.coco import Person, labels_of
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.keypoints import KeypointSet

EPSILON = np.spacing(1.0)


def keypoint_similarity(
    keypoints_image: Float[np.ndarray, "*batch K 2"],
    reference_image: Float[np.ndarray, "*batch K 2"],
    area: Float[np.ndarray, "*batch"],
    oks_sigmas: Sequence[float],
) -> Float[np.ndarray, "*batch K"]:
    """exp(-d^2 / (2 area k^2)) with k = 2 oks_sigma: the summand of OKS, 0 to 1.

    Args:
        keypoints_image, reference_image: (x, y) in one frame of pixels.
        area: of the reference person, in square pixels.
    """
    variances = (2 * np.array(oks_sigmas, np.float64)) ** 2
    squared = ((keypoints_image.astype(np.float64) - reference_image) ** 2).sum(-1)
    return np.exp(-squared / variances / (np.asarray(area, np.float64)[..., None] + EPSILON) / 2)


def oks(
    keypoints_image: Float[np.ndarray, "*batch K 2"],
    reference_image: Float[np.ndarray, "*batch K 2"],
    labelled: Bool[np.ndarray, "*batch K"],
    area: Float[np.ndarray, "*batch"],
    oks_sigmas: Sequence[float],
) -> Float[np.ndarray, "*batch"]:
    """Mean of `keypoint_similarity` over the labelled keypoints; 0 where none is."""
    similarity = keypoint_similarity(keypoints_image, reference_image, area, oks_sigmas)
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
    if not people:
        return np.zeros(0)
    truth = labels_of(people)
    poses = predictions.keypoints_image()
    return oks(poses, truth.keypoints_image, truth.visibility > 0, truth.area, keypoints.oks_sigmas)


def mean_oks(predictions: PredictedPeople, people: Sequence[Person], keypoints: KeypointSet) -> float:
    """Mean of `oks_of_people`, 0 to 1; NaN without people."""
    return float(oks_of_people(predictions, people, keypoints).mean()) if people else float("nan")
