"""From predictions and the labels of their split to what is kept of a run."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Integer
from pycocotools.cocoeval import COCOeval

from poseur_lib.config import ExperimentConfig
from poseur_lib.data.coco import CocoPeople, Person, labels_of
from poseur_lib.evaluation.ap import rank_people
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.evaluation.errors import ErrorType, error_types
from poseur_lib.evaluation.metrics import loaded, to_coco_results
from poseur_lib.evaluation.nms import pair_oks
from poseur_lib.evaluation.oks import keypoint_similarity
from poseur_lib.evaluation.pckh import JointHits, hits_of_people
from poseur_lib.evaluation.strata import FITS, GENERATED, LARGE, MEDIUM
from poseur_lib.keypoints import KeypointSet
from poseur_study.runs.evaluation_file import (
    DRAW_STEP,
    OKS_STEPS,
    TRUNCATED,
    UNDEFINED,
    VIEWS,
    Detections,
    People,
    PoseErrors,
    RunEvaluation,
    image_weights,
    in_order_of_images,
)
from poseur_study.runs.predictions import Predictions


def run_evaluation(people: CocoPeople, predictions: Predictions, config: ExperimentConfig) -> RunEvaluation:
    """What is kept of predictions, ground-truth boxes among them, for people of the split they were made for."""
    images = people.image_ids
    of_images = [people.coco.loadAnns(people.coco.getAnnIds(imgIds=image)) for image in images]
    return RunEvaluation(
        people=_people(images, of_images),
        boxes={boxes: _detections(people, of_boxes, config) for boxes, of_boxes in predictions.items()},
        errors=pose_errors(predictions[BoxSource.GROUND_TRUTH], people.people(), people.keypoints, images),
        pckh=_pckh(people, predictions[BoxSource.GROUND_TRUTH], images) if people.has_heads else None,
    )


def _pckh(people: CocoPeople, predictions: PredictedPeople, images: list[int]) -> JointHits:
    hits = hits_of_people(predictions, people.people(), people.keypoints, images)
    return JointHits(_small(hits.hits), _small(hits.labelled))


def _people(images: list[int], of_images: list[list[dict[str, Any]]]) -> People:
    people = [one for of_image in of_images for one in of_image]
    visibility = [np.array(one["keypoints"][2::3]) for one in people]
    drawn = [one.get(GENERATED, {}) for one in people]
    return People(
        image_id=np.diff(images, prepend=0),
        id=np.diff([one["id"] for one in people], prepend=0),
        per_image=_small([len(of_image) for of_image in of_images]),
        crowd=_small([one["iscrowd"] for one in people]),
        counted=_small([one["num_keypoints"] > 0 for one in people]),
        size=_size_class([one["area"] for one in people]),
        hidden=_small([(values == 1).sum() for values in visibility]),
        labelled=_small([(values > 0).sum() for values in visibility]),
        truncated=_small([TRUNCATED.index(one.get("truncated")) for one in drawn]),
        view=_small([VIEWS.index(one.get("view")) for one in drawn]),
    )


def _detections(people: CocoPeople, predictions: PredictedPeople, config: ExperimentConfig) -> Detections:
    predictions = predictions.select(in_order_of_images(predictions))
    evaluation = _unmatched(people, predictions)
    place = np.searchsorted(evaluation.params.imgIds, predictions.image_id)
    number = np.bincount(place, minlength=len(evaluation.params.imgIds))
    fit, oks = [], []
    for image_id, first in zip(evaluation.params.imgIds, np.cumsum(number) - number, strict=True):
        for row, values in enumerate(np.asarray(evaluation.computeOks(image_id, people.category_id)), first):
            order = np.lexsort((-np.arange(len(values)), -values))  # of equal ones, pycocotools takes the last
            fit += [(row, person) for person in order if values[person] >= FITS]
            oks += [min(int(values[person] * OKS_STEPS), OKS_STEPS - 1) for person in order if values[person] >= FITS]
    rows, persons = np.array(fit, np.int64).reshape(-1, 2).T
    ranked = rank_people(predictions, config, people.keypoints, nms=False)
    _, rank = np.unique(ranked.instance_scores, return_inverse=True)
    return Detections(
        per_image=_small(number),
        rank=_small(rank),
        size=_size_class([evaluation.cocoDt.anns[row + 1]["area"] for row in range(len(predictions))]),
        fit=_small([np.diff(rows, prepend=0), persons]),
        oks=_small(oks),
        copies=_small(_copies(predictions, place, people.keypoints, config.evaluation.oks_nms_threshold)),
    )


def _unmatched(people: CocoPeople, predictions: PredictedPeople) -> COCOeval:
    """pycocotools with all predictions, in their order, ready to compute OKS."""
    results = to_coco_results(predictions, np.zeros(len(predictions)), category_id=people.category_id)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(people.coco, loaded(people.coco, results), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.array(people.keypoints.oks_sigmas)
    evaluation.params.maxDets = [len(predictions)]
    evaluation._prepare()
    return evaluation


def _copies(
    predictions: PredictedPeople, image: Integer[np.ndarray, " N"], keypoints: KeypointSet, threshold: float | None
) -> Integer[np.ndarray, "2 C"]:
    """Pairs of one image whose OKS is above the threshold of OKS-NMS; none where that is None."""
    poses, areas = predictions.keypoints_image(), predictions.box_areas()
    last = np.searchsorted(image, image, side="right")
    found = [np.empty((2, 0), np.int64)]
    for row in range(len(predictions)) if threshold is not None else ():
        others = np.arange(row + 1, last[row])
        alike = pair_oks(poses[row], float(areas[row]), poses[others], areas[others], keypoints.oks_sigmas)
        copies = others[alike > threshold]
        found.append(np.stack([np.full(len(copies), row), copies]))
    return np.concatenate(found, axis=1)


def pose_errors(
    predictions: PredictedPeople, people: Sequence[Person], keypoints: KeypointSet, images: Sequence[int]
) -> PoseErrors:
    """Error types of all keypoints; mean similarity by keypoint (left and right together), and of seen and hidden ones.

    Args:
        predictions: for the people's own boxes, in their order.
        images: ids of all images, those without people included.
    """
    truth, visibility, area = labels_of(people)
    poses = predictions.keypoints_image()
    of_image = np.searchsorted(np.asarray(images), predictions.image_id)
    types = np.empty(visibility.shape, int)
    for image in np.unique(of_image):
        at = np.flatnonzero(of_image == image)
        types[at] = error_types(poses[at], truth[at], visibility[at] > 0, area[at], keypoints)
    subsets = _subsets(visibility, keypoints)
    similarity = keypoint_similarity(poses, truth, area, keypoints.oks_sigmas)
    sums = _by_image([(similarity * chosen).sum(1) for chosen in subsets.values()], of_image, len(images))
    counts = _by_image([chosen.sum(1) for chosen in subsets.values()], of_image, len(images))
    weights = image_weights(len(images))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = 100 * sums.sum(0) / counts.sum(0)
        steps = (100 * (weights @ sums) / (weights @ counts) - mean).T / DRAW_STEP
    return PoseErrors(
        types=_small(_by_image([(types == kind).sum(1) for kind in ErrorType], of_image, len(images)).T),
        parts=np.array([name.encode() for name in subsets]),
        number=_small(counts.sum(0)),
        mean=mean,
        draws=np.where(np.isfinite(steps), np.rint(steps), UNDEFINED).astype(np.int32),
    )


def _subsets(visibility: Int[np.ndarray, "N K"], keypoints: KeypointSet) -> dict[str, np.ndarray]:
    """Which keypoints belong to each part of the body, and which are seen or hidden."""
    names = [name.removeprefix("left_").removeprefix("right_").replace("_", " ") for name in keypoints.names]
    found = {f"keypoint/{part}": (visibility > 0) & (np.array(names) == part) for part in dict.fromkeys(names)}
    return found | {"visibility/seen": visibility == 2, "visibility/hidden": visibility == 1}


def _by_image(values: list[np.ndarray], of_image: Int[np.ndarray, "N"], images: int) -> Float[np.ndarray, "I C"]:
    total = np.zeros((images, len(values)))
    np.add.at(total, of_image, np.stack(values, axis=1))
    return total


def _size_class(areas: Sequence[float]) -> Integer[np.ndarray, " N"]:
    areas = np.asarray(areas, np.float64)
    return _small((areas >= MEDIUM).astype(int) + (areas >= LARGE) + (areas > LARGE))


def _small(values: Any) -> np.ndarray:
    """As the smallest unsigned integers that hold them."""
    values = np.asarray(values)
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
