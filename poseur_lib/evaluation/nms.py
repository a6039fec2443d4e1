"""OKS-NMS: of several predictions of one person, keep the best-scored one. As the released code does it."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.oks import keypoint_similarity

Suppression = Callable[..., Int[np.ndarray, "M"]]
"""Which people of one image are kept; arguments and result as those of `oks_nms`."""


def pair_oks(
    pose: Float[np.ndarray, "K 2"],
    area: float,
    others: Float[np.ndarray, "N K 2"],
    other_areas: Float[np.ndarray, "N"],
    oks_sigmas: Sequence[float],
) -> Float[np.ndarray, "N"]:
    """OKS between predictions: all keypoints count, and the area is the mean of the two."""
    areas = (other_areas.astype(np.float64) + area) / 2
    return keypoint_similarity(others, np.broadcast_to(pose, others.shape), areas, oks_sigmas).mean(-1)


def oks_nms(
    keypoints_image: Float[np.ndarray, "N K 2"],
    scores: Float[np.ndarray, "N"],
    areas: Float[np.ndarray, "N"],
    oks_sigmas: Sequence[float],
    threshold: float = 0.9,
) -> Int[np.ndarray, "M"]:
    """Indices of the people of one image to keep, best score first.

    Going down the scores, a person is dropped whose OKS with one that was kept exceeds the threshold.

    Args:
        areas: of the cropped regions, in square image pixels.
    """
    order = np.argsort(-scores, kind="stable")
    keep: list[int] = []
    while len(order):
        best, order = order[0], order[1:]
        keep.append(best)
        overlap = pair_oks(keypoints_image[best], float(areas[best]), keypoints_image[order], areas[order], oks_sigmas)
        order = order[overlap <= threshold]
    return np.array(keep, np.int64)


def keep_people(
    predictions: PredictedPeople,
    instance_scores: Float[np.ndarray, "N"],
    oks_sigmas: Sequence[float],
    threshold: float | None = 0.9,
    suppression: Suppression = oks_nms,
) -> Int[np.ndarray, "M"]:
    """Indices of the predictions that survive OKS-NMS in their images.

    Order: images as they first appear, in each the best score first.

    Args:
        threshold: of OKS; None keeps everything, in the given order.
    """
    if threshold is None:
        return np.arange(len(predictions))
    poses, areas = predictions.keypoints_image(), predictions.box_areas()
    by_image = np.argsort(predictions.image_id, kind="stable")
    starts = np.flatnonzero(np.diff(predictions.image_id[by_image])) + 1
    images = sorted(np.split(by_image, starts), key=lambda of_image: of_image[0]) if len(by_image) else []
    kept = [
        of_image[suppression(poses[of_image], instance_scores[of_image], areas[of_image], oks_sigmas, threshold)]
        for of_image in images
    ]
    return np.concatenate([np.zeros(0, np.int64), *kept])
