"""Our evaluation against the released one, on its stored predictions: AP, AR, what OKS-NMS keeps."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from poseur_lib.config.base import Frozen
from poseur_lib.data.coco import index
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.metrics import evaluate_coco, to_coco_results
from poseur_lib.evaluation.nms import keep_people, oks_nms, pair_oks
from poseur_lib.keypoints import COCO_17
from poseur_lib.scoring.instance import instance_scores

AP_TOLERANCE = 1e-2
"""Of AP and AR in points: 1e-4 of 1."""
STATISTICS = {"AP": "AP", "AP50": "AP .5", "AP75": "AP .75", "AP_M": "AP (M)", "AP_L": "AP (L)",
              "AR": "AR", "AR50": "AR .5", "AR75": "AR .75", "AR_M": "AR (M)", "AR_L": "AR (L)"}  # fmt: skip
"""The released code's names of our metrics."""
SOFT_LIMIT = 20  # people an image that soft OKS-NMS keeps, which is also as many as COCO evaluates


class EvaluationParity(Frozen):
    """One evaluation of the released code.

    Attributes:
        boxes, rescoring, suppression: what it is.
        kept: people after suppression, ours; `kept_released` the released code's.
        ap, ap_released: in points; `difference` is the largest over AP and AR in their ten kinds.
    """

    name: str
    boxes: str
    rescoring: str
    suppression: str
    kept: int
    kept_released: int
    ap: float
    ap_released: float
    difference: float

    @property
    def within(self) -> bool:
        """Whether the bound is kept."""
        return self.kept == self.kept_released and self.difference <= AP_TOLERANCE


def evaluation_parities(reference: Path, coco4: Path) -> tuple[EvaluationParity, ...]:
    """Every stored evaluation.

    Args:
        reference: folder of `eval_coco4.json`; `coco4` that of the four images' annotations.
    """
    stored = json.loads((reference / "eval_coco4.json").read_text(encoding="utf-8"))
    dataset = json.loads((coco4 / "test_coco.json").read_text(encoding="utf-8"))
    return tuple(_compare(name, theirs, stored, dataset) for name, theirs in stored["evaluations"].items())


def stored_predictions(stored: list[dict[str, Any]]) -> PredictedPeople:
    """The stored people, taken back to the frame of their crops."""
    box = np.array([one["box"] for one in stored])
    points = np.array([one["preds"] for one in stored])
    size = box[:, None, 2:4] * 200
    return PredictedPeople(
        image_id=np.array([int(one["image"].removesuffix(".jpg")) for one in stored]),
        bbox_scores=box[:, 5],
        center=box[:, :2].astype(np.float32),
        box_scale=box[:, 2:4].astype(np.float32),
        keypoints=((points[..., :2] - box[:, None, :2]) / size + 0.5).astype(np.float32),
        sigma=None,
        keypoint_scores=points[..., 2],
        input_size=(256, 192),
    )


def soft_oks_nms(
    keypoints_image: Float[np.ndarray, "N K 2"],
    scores: Float[np.ndarray, "N"],
    areas: Float[np.ndarray, "N"],
    oks_sigmas: Sequence[float],
    threshold: float = 0.9,
) -> Int[np.ndarray, "M"]:
    """As `oks_nms`, but instead of being dropped a person's score is multiplied by exp(-OKS^2 / threshold).

    The lowered scores decide the order and who is among the 20 that are kept; results carry the scores they had.
    """
    order = np.argsort(-scores, kind="stable")
    left = scores[order].astype(np.float64)
    keep: list[int] = []
    while len(order) and len(keep) < SOFT_LIMIT:
        best, order, left = order[0], order[1:], left[1:]
        keep.append(best)
        overlap = pair_oks(keypoints_image[best], float(areas[best]), keypoints_image[order], areas[order], oks_sigmas)
        left = left * np.exp(-(overlap**2) / threshold)
        again = np.argsort(-left, kind="stable")
        order, left = order[again], left[again]
    return np.array(keep, np.int64)


def _compare(name: str, theirs: dict[str, Any], stored: dict[str, Any], dataset: dict[str, Any]) -> EvaluationParity:
    boxes = "gt" if name.startswith("gt") else "det"
    predictions = stored_predictions(stored[f"{boxes}_predictions"])
    rule = "released" if "rle" in name else "classic"
    scores = instance_scores(predictions.bbox_scores, predictions.keypoint_scores, rule)
    threshold = None if name.endswith("nonms") else float(name.rsplit("_oks", 1)[1]) if "_oks" in name else 0.9
    soft = name.endswith("softnms")
    kept = keep_people(predictions, scores, COCO_17.oks_sigmas, threshold, soft_oks_nms if soft else oks_nms)
    metrics = asdict(evaluate_coco(index(dataset, 1), to_coco_results(predictions, scores, kept), COCO_17))
    return EvaluationParity(
        name=name,
        boxes="ground truth" if boxes == "gt" else "detector",
        rescoring="box + mean + max" if rule == "released" else "classic",
        suppression="none" if threshold is None else f"{'soft ' if soft else ''}OKS-NMS {threshold}",
        kept=len(kept),
        kept_released=theirs["kept"],
        ap=metrics["AP"],
        ap_released=100 * theirs["stats"]["AP"],
        difference=max(abs(metrics[ours] - 100 * theirs["stats"][key]) for ours, key in STATISTICS.items()),
    )
