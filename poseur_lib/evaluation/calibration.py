"""Is a predicted scale the size of the error, and a score the share of keypoints that it promises?

All keypoints of an image are drawn together in a resample, so that this is kept as sums an image and bin. Whether a
score orders keypoints as their errors do (`auroc`, `spearman`) is asked of their ranks, whatever the score's own scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from poseur_lib.data.coco import Person, labels_of
from poseur_lib.data.crop import PIXELS_PER_SCALE, PLAIN, CropRule, inside_crop
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.oks import keypoint_similarity
from poseur_lib.keypoints import KeypointSet


@dataclass(frozen=True, eq=False)
class KeypointErrors:
    """How far E keypoints are from where they are labelled: those inside the crop, which training supervises.

    Attributes:
        chosen: which keypoints of the N predictions they are, in order.
        image: position of each one's image among all images.
        error: |prediction - label| on each axis, a fraction of the crop side.
        similarity: the keypoint's summand of OKS, 0 to 1; None where the keypoint set defines no OKS.
    """

    chosen: Bool[np.ndarray, "N K"]
    image: Int[np.ndarray, "E"]
    error: Float[np.ndarray, "E 2"]
    similarity: Float[np.ndarray, "E"] | None

    @property
    def larger(self) -> Float[np.ndarray, "E"]:
        """The larger of both axes' errors: within a radius on both axes (Eq. 8) is this one within it."""
        return self.error.max(axis=1)


@dataclass(frozen=True, eq=False)
class Bins:
    """Sums of predicted and observed values, and their number, in C bins of I images."""

    predicted: Float[np.ndarray, "I C"]
    observed: Float[np.ndarray, "I C"]
    number: Float[np.ndarray, "I C"]


def label_offsets(
    predictions: PredictedPeople, people: Sequence[Person], rule: CropRule = PLAIN
) -> tuple[Float[np.ndarray, "N K 2"], Bool[np.ndarray, "N K"]]:
    """Prediction minus label, as a fraction of the crop side, and which labelled keypoints lie inside the crop.

    Args:
        predictions: of labelled people's own boxes, in the order of `people`.
        rule: the head's, by which their crops were cut out.
    """
    truth, visibility, _ = labels_of(people)
    side = (predictions.box_scale * PIXELS_PER_SCALE)[:, None]
    in_crop = (truth - predictions.center[:, None]) / side + 0.5
    input_size = predictions.input_size
    inside = (visibility > 0) & inside_crop(in_crop * rule.extent_px(input_size), input_size)
    return predictions.keypoints - in_crop, inside


def keypoint_errors(
    predictions: PredictedPeople, people: Sequence[Person], keypoints: KeypointSet, images: Sequence[int]
) -> KeypointErrors:
    """The errors of poses predicted for labelled people's own boxes.

    Args:
        predictions: in the order of `people`.
        images: ids of all images, in ascending order.
    """
    offset, chosen = label_offsets(predictions, people)
    similarity = None
    if keypoints.oks_sigmas:
        truth, _, area = labels_of(people)
        similarity = keypoint_similarity(predictions.keypoints_image(), truth, area, keypoints.oks_sigmas)[chosen]
    of_image = np.searchsorted(np.asarray(images), predictions.image_id)
    return KeypointErrors(
        chosen=chosen,
        image=np.broadcast_to(of_image[:, None], chosen.shape)[chosen],
        error=np.abs(offset)[chosen].astype(np.float64),
        similarity=similarity,
    )


def equal_mass_edges(values: Sequence[Float[np.ndarray, "_E"]], bins: int) -> Float[np.ndarray, "_inner"]:
    """Inner edges of bins that hold equally many of all values together."""
    return np.unique(np.quantile(np.concatenate(values), np.arange(1, bins) / bins))


def binned(
    predicted: Float[np.ndarray, "E"],
    observed: Float[np.ndarray, "E"],
    image: Int[np.ndarray, "E"],
    images: int,
    edges: Float[np.ndarray, "_inner"],
) -> Bins:
    """Values by the bin of what was predicted; a value on an edge belongs to the bin above it."""
    columns = len(edges) + 1
    place = image * columns + np.searchsorted(edges, predicted, side="right")
    sums = [
        np.bincount(place, weights=values, minlength=images * columns).reshape(images, columns)
        for values in (predicted, observed, np.ones(len(predicted)))
    ]
    return Bins(*sums)


def means(of: Bins, weights: Float[np.ndarray, "n I"]) -> tuple[Float[np.ndarray, "n C"], Float[np.ndarray, "n C"]]:
    """Mean predicted and observed values of each bin on n resamples; NaN where a bin is empty.

    Args:
        weights: how often each image is in each resample; a row of ones is the images as they are.
    """
    number = weights @ of.number
    with np.errstate(invalid="ignore", divide="ignore"):
        return weights @ of.predicted / number, weights @ of.observed / number


def error_factor(of: Bins, weights: Float[np.ndarray, "n I"]) -> Float[np.ndarray, "n"]:
    """Mean error over mean predicted scale: 1 for a Laplace scale that is right on average, as E|d| = b."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ of.observed.sum(axis=1)) / (weights @ of.predicted.sum(axis=1))


def calibration_error(of: Bins, weights: Float[np.ndarray, "n I"]) -> Float[np.ndarray, "n"]:
    """Expected calibration error: |mean score - share| of each bin, weighted by its part of all keypoints."""
    gaps = np.abs(weights @ (of.predicted - of.observed)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return gaps / (weights @ of.number).sum(axis=1)


def skill(of: Bins, weights: Float[np.ndarray, "n I"]) -> Float[np.ndarray, "n"]:
    """1 - predicted / observed over all bins: 1 at best, 0 for what is no better.

    Brier's skill score where `predicted` holds squared errors of a score and `observed` those of what it is held
    against. NaN where the latter are all 0.
    """
    own, other = (weights @ one.sum(axis=1) for one in (of.predicted, of.observed))
    return np.where(other > 0, 1 - own / np.where(other > 0, other, 1), np.nan)


class Ranks:
    """Values that are ranked again for any weights; ties share their mean rank. Sorted once."""

    def __init__(self, values: Float[np.ndarray, "E"]) -> None:
        distinct, self.group = np.unique(values, return_inverse=True)
        self.groups = len(distinct)

    def __call__(self, weights: Float[np.ndarray, "E"]) -> Float[np.ndarray, "E"]:
        """Mean rank of each value where value e is there `weights[e]` times: what lies below it, and half its own."""
        mass = np.bincount(self.group, weights=weights, minlength=self.groups)
        return (np.cumsum(mass) - mass / 2)[self.group]


def auroc(ranks: Ranks, hit: Bool[np.ndarray, "E"], weights: Float[np.ndarray, "E"]) -> float:
    """Probability that a hit has a higher score than a miss, ties counting half; NaN without either.

    Args:
        ranks: of the scores.
    """
    hits, misses = _dot(weights, hit), _dot(weights, ~hit)
    if hits == 0 or misses == 0:
        return float("nan")
    return _dot(weights * hit, ranks(weights * ~hit)) / (hits * misses)


def spearman(a: Ranks, b: Ranks, weights: Float[np.ndarray, "E"]) -> float:
    """Correlation of the ranks of two values; NaN where one of them is constant."""
    total = weights.sum()
    x, y = (ranks - _dot(weights, ranks) / total for ranks in (a(weights), b(weights)))
    spread = np.sqrt(_dot(weights, x**2) * _dot(weights, y**2))
    return _dot(weights, x * y) / float(spread) if spread > 0 else float("nan")


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    """a · b without BLAS, whose threads wait for each other longer than this takes."""
    return float(np.multiply(a, b).sum())
