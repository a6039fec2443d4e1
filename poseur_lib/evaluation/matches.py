"""pycocotools' matching, kept in arrays, so that AP can be computed again on any resample of the images."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from pycocotools.cocoeval import COCOeval

Area = Literal["all", "medium", "large"]


@dataclass(frozen=True, eq=False)
class ImageMatches:
    """Which detections found a person, for T OKS thresholds; the detections of all images, best score first.

    Attributes:
        image_ids: all images, also those without a detection or person.
        image: position in `image_ids` of each detection.
        matched: the detection took a person.
        ignored: the detection counts neither for nor against (its person is not counted, or its area is out of range).
        people: how many people of each image are to be found.
        oks_thresholds: 0.50 to 0.95.
        recall_thresholds: 0 to 1 in steps of 0.01, where precision is read.
    """

    image_ids: Int[np.ndarray, "I"]
    image: Int[np.ndarray, "D"]
    matched: Bool[np.ndarray, "T D"]
    ignored: Bool[np.ndarray, "T D"]
    people: Int[np.ndarray, "I"]
    oks_thresholds: Float[np.ndarray, "T"]
    recall_thresholds: Float[np.ndarray, "R"]


def image_matches(evaluation: COCOeval, area: Area = "all") -> ImageMatches:
    """The matches of an evaluation (see `coco_evaluation`) in one of COCO's area ranges.

    Raises:
        ValueError: the evaluation has several categories.
    """
    parameters = evaluation.params
    if len(parameters.catIds) != 1:
        raise ValueError(f"one category expected, got {parameters.catIds}")
    images = len(parameters.imgIds)
    start = parameters.areaRngLbl.index(area) * images
    return collect(evaluation, evaluation.evalImgs[start : start + images])


def collect(evaluation: COCOeval, per_image: list[dict[str, Any] | None]) -> ImageMatches:
    """The matches of each image, as `COCOeval.evaluateImg` returns them, put into one order by score.

    Equal scores stay in the order of images and of results, as in pycocotools.
    """
    parameters = evaluation.params
    limit, thresholds = parameters.maxDets[-1], len(parameters.iouThrs)
    found = [(position, one) for position, one in enumerate(per_image) if one is not None]
    scores = [np.array(one["dtScores"][:limit], np.float64) for _, one in found]
    image = np.repeat([position for position, _ in found], [len(one) for one in scores]).astype(np.int64)
    order = np.argsort(-np.concatenate([np.zeros(0), *scores]), kind="mergesort")
    empty = np.zeros((thresholds, 0))
    matched = np.concatenate([empty, *(one["dtMatches"][:, :limit] for _, one in found)], axis=1)
    ignored = np.concatenate([empty, *(one["dtIgnore"][:, :limit] for _, one in found)], axis=1)
    people = np.zeros(len(parameters.imgIds), np.int64)
    for position, one in found:
        people[position] = np.count_nonzero(np.asarray(one["gtIgnore"]) == 0)
    return ImageMatches(
        image_ids=np.asarray(parameters.imgIds, np.int64),
        image=image[order],
        matched=matched[:, order] != 0,
        ignored=ignored[:, order] != 0,
        people=people,
        oks_thresholds=np.asarray(parameters.iouThrs, np.float64),
        recall_thresholds=np.asarray(parameters.recThrs, np.float64),
    )
