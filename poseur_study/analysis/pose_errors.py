"""What a run's poses at ground-truth boxes get wrong, summed image by image, so that images can be resampled."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from poseur_lib.data.coco import Person
from poseur_lib.evaluation.bootstrap import resamples
from poseur_lib.evaluation.dataset_predictions import PosePredictions
from poseur_lib.evaluation.errors import ErrorType, error_types, keypoint_similarity
from poseur_lib.keypoints import KeypointSet
from poseur_study.analysis.bootstrap_samples import BOOTSTRAP_SEED, RESAMPLES, Source
from poseur_study.runs.predictions import BoxSource

SHARE, SIMILARITY = "% of keypoints", "similarity × 100"


@dataclass(frozen=True, eq=False)
class PoseErrors:
    """Sums of I images for C quantities: a quantity is 100 sums / counts.

    Attributes:
        names: (part, name, measure) of each quantity.
    """

    names: tuple[tuple[str, str, str], ...]
    sums: Float[np.ndarray, "I C"]
    counts: Float[np.ndarray, "I C"]


@lru_cache(maxsize=64)
def run_errors(source: Source, run_id: str) -> PoseErrors:
    """The errors of a finished run on the val split."""
    people = source.data.val.people()
    predictions = source.store.load(run_id).predictions[BoxSource.GROUND_TRUTH]
    images = sorted(int(image) for image in source.data.val.coco.getImgIds())
    return pose_errors(predictions, people, source.data.val.keypoints, images)


def pose_errors(
    predictions: PosePredictions, people: Sequence[Person], keypoints: KeypointSet, images: Sequence[int]
) -> PoseErrors:
    """Error types of all keypoints; mean similarity by keypoint (left and right together), and of seen and hidden ones.

    Args:
        predictions: for the people's own boxes, in their order.
        images: ids of all images, those without people included.
    """
    truth = np.stack([person.keypoints_image for person in people])
    visibility = np.stack([person.visibility for person in people])
    area = np.array([person.area for person in people], np.float64)
    poses = predictions.keypoints_image()
    similarity = keypoint_similarity(poses, truth, area, keypoints.oks_sigmas)
    of_image = np.searchsorted(np.asarray(images), predictions.image_id)
    types = np.empty(visibility.shape, int)
    for image in np.unique(of_image):
        at = np.flatnonzero(of_image == image)
        types[at] = error_types(poses[at], truth[at], visibility[at] > 0, area[at], keypoints)
    names, sums, counts = [], [], []
    labelled = visibility > 0
    for kind in ErrorType:
        names.append(("error type", kind.word, SHARE))
        sums.append((types == kind).sum(1))
        counts.append(labelled.sum(1))
    for (part, name), chosen in _subsets(visibility, keypoints).items():
        names.append((part, name, SIMILARITY))
        sums.append((similarity * chosen).sum(1))
        counts.append(chosen.sum(1))
    per_image = [_by_image(np.stack(values, axis=1), of_image, len(images)) for values in (sums, counts)]
    return PoseErrors(tuple(names), *per_image)


def ratio_draws(errors: PoseErrors, number: int) -> tuple[float, Float[np.ndarray, " n"]]:
    """A quantity on the images as they are, and on each resample; NaN where none of its keypoints is there."""
    weights = _weights(len(errors.sums))
    sums, counts = errors.sums[:, number], errors.counts[:, number]
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(100 * sums.sum() / counts.sum()), 100 * (weights @ sums) / (weights @ counts)


def _subsets(visibility: Int[np.ndarray, "N K"], keypoints: KeypointSet) -> dict[tuple[str, str], np.ndarray]:
    """Which keypoints belong to each part of the body, and which are seen or hidden."""
    found: dict[tuple[str, str], np.ndarray] = {}
    for name in dict.fromkeys(_without_side(name) for name in keypoints.names):
        of_part = np.array([_without_side(one) == name for one in keypoints.names])
        found["keypoint", name] = (visibility > 0) & of_part
    return found | {("visibility", "seen"): visibility == 2, ("visibility", "hidden"): visibility == 1}


def _without_side(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_").replace("_", " ")


def _by_image(values: np.ndarray, of_image: Int[np.ndarray, "N"], images: int) -> Float[np.ndarray, "I C"]:
    total = np.zeros((images, values.shape[1]))
    np.add.at(total, of_image, values)
    return total


@lru_cache(maxsize=2)
def _weights(images: int) -> Float[np.ndarray, "n I"]:
    return np.stack(list(resamples(images, RESAMPLES, BOOTSTRAP_SEED))).astype(np.float32)
