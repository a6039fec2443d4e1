"""AP and AR by pycocotools, on results in COCO's format."""

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.keypoints import KeypointSet


@dataclass(frozen=True)
class PoseMetrics:
    """COCO's ten numbers, times 100; NaN where there is nobody to find (medium: 32^2 to 96^2 pixels, large: more)."""

    AP: float
    AP50: float
    AP75: float
    AP_M: float
    AP_L: float
    AR: float
    AR50: float
    AR75: float
    AR_M: float
    AR_L: float


def to_coco_results(
    predictions: PredictedPeople,
    instance_scores: Float[np.ndarray, "N"],
    kept: Int[np.ndarray, "M"] | None = None,
    category_id: int = 1,
) -> list[dict[str, Any]]:
    """Results in COCO's format, as the evaluation server takes them: keypoints are (x, y, score) in image pixels.

    Args:
        kept: what OKS-NMS left over, in the order of the results; everything if None.
    """
    kept = np.arange(len(predictions)) if kept is None else kept
    points = np.concatenate([predictions.keypoints_image(), predictions.keypoint_scores[..., None]], axis=-1)
    return [
        coco_result(int(predictions.image_id[index]), points[index], float(instance_scores[index]), category_id)
        for index in kept
    ]


def coco_result(image_id: int, points: Float[np.ndarray, "K 3"], score: float, category_id: int = 1) -> dict[str, Any]:
    """One person in COCO's results format; `points` are (x, y, score) in image pixels."""
    return {
        "image_id": image_id,
        "category_id": category_id,
        "keypoints": points.astype(np.float64).reshape(-1).tolist(),
        "score": score,
    }


def coco_evaluation(coco: COCO, results: list[dict[str, Any]], keypoints: KeypointSet) -> COCOeval:
    """pycocotools' matching of results with ground truth, on all images of `coco`; not yet accumulated.

    Ground truth of one keypoint category is expected (`CocoPeople.coco` is that).
    """
    copies = [{key: one[key] for key in ("image_id", "category_id", "keypoints", "score")} for one in results]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, loaded(coco, copies), "keypoints")  # it writes into what it is given
        evaluation.params.kpt_oks_sigmas = np.array(keypoints.oks_sigmas)
        evaluation.evaluate()
    return evaluation


def loaded(coco: COCO, results: list[dict[str, Any]]) -> COCO:
    """Results as pycocotools has them; without a person, it cannot load them."""
    if results:
        return coco.loadRes(results)
    empty = COCO()
    empty.dataset = {**coco.dataset, "annotations": []}
    empty.createIndex()
    return empty


def summarise(evaluation: COCOeval) -> PoseMetrics:
    """COCO's numbers of a matching."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
        evaluation.summarize()
    return PoseMetrics(*(100 * float(value) if value >= 0 else float("nan") for value in evaluation.stats))


def evaluate_coco(coco: COCO, results: list[dict[str, Any]], keypoints: KeypointSet) -> PoseMetrics:
    """AP and AR of results on all images of `coco`.

    Args:
        coco: ground truth (`CocoPeople.coco`).
        results: see `to_coco_results`.
        keypoints: whose `oks_sigmas` are used.
    """
    return summarise(coco_evaluation(coco, results, keypoints))
