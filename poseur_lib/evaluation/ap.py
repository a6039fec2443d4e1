"""The one way from predictions to AP: keypoint scores, instance scores, OKS-NMS, COCO's results, their matching.

Predictions that are stored can be scored anew under any scoring: no weights needed.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from pycocotools.cocoeval import COCOeval

from poseur_lib.config import ExperimentConfig, HeadConfig, PoseurConfig
from poseur_lib.config.evaluation import InstanceRule
from poseur_lib.data.coco import CocoPeople
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.metrics import coco_evaluation, to_coco_results
from poseur_lib.evaluation.nms import keep_people
from poseur_lib.keypoints import KeypointSet
from poseur_lib.scoring.instance import Scoring, instance_scores
from poseur_lib.scoring.uncertainty import density_scores, laplace_scores, rle_scores

TABLE_1C_RULE: InstanceRule = "paper"  # Eq. 5, Sec. 3.3


@dataclass(frozen=True, eq=False)
class RankedPeople:
    """Predictions with the scores that AP ranks them by.

    Attributes:
        predictions: all of them, with the keypoint scores that the instance scores are made of.
        kept: indices of those that OKS-NMS left, in its order (`keep_people`).
    """

    predictions: PredictedPeople
    instance_scores: Float[np.ndarray, " N"]
    kept: Int[np.ndarray, " M"]

    def to_coco(self, category_id: int) -> list[dict[str, Any]]:
        """Those that are kept, in COCO's results format."""
        return to_coco_results(self.predictions, self.instance_scores, self.kept, category_id)


def rank_people(
    predictions: PredictedPeople,
    config: ExperimentConfig,
    keypoints: KeypointSet,
    scoring: Scoring | None = None,
    rule: InstanceRule | None = None,
    *,
    nms: bool = True,
) -> RankedPeople:
    """Predictions scored as configured, or as a row of Table 1c asks, and what OKS-NMS leaves of them.

    Args:
        scoring: None keeps the keypoint scores that the head gave.
        rule: of the instance score; default: as configured, or Eq. 5 for a given `scoring`.
        nms: False keeps everybody, in the given order.

    Raises:
        ValueError: a scoring that needs sigma or the flow's density, of predictions that have none.
    """
    if scoring is None:
        rule = rule or config.evaluation.instance_score
    elif scoring == Scoring.BOX:
        rule = "box"
    else:
        rule = rule or TABLE_1C_RULE
        predictions = replace(predictions, keypoint_scores=_keypoint_scores(predictions, config.model.head, scoring))
    scores = instance_scores(predictions.bbox_scores, predictions.keypoint_scores, rule)
    threshold = config.evaluation.oks_nms_threshold if nms else None
    return RankedPeople(predictions, scores, keep_people(predictions, scores, keypoints.oks_sigmas, threshold))


def _keypoint_scores(predictions: PredictedPeople, head: HeadConfig, scoring: Scoring) -> Float[np.ndarray, "N K"]:
    if predictions.sigma is None:
        raise ValueError(f"scoring {scoring.value!r} needs sigma, and the predictions have none")
    if scoring == Scoring.RLE:
        return rle_scores(torch.from_numpy(predictions.sigma)).numpy()
    if not isinstance(head, PoseurConfig):
        raise ValueError(f"scoring {scoring.value!r} is Poseur's, and the head is {head.kind!r}")
    if scoring == Scoring.EQ8_SIGMA:
        return laplace_scores(torch.from_numpy(predictions.sigma), head.score_radius).numpy()
    if predictions.flow_masses is None:
        raise ValueError(f"scoring {scoring.value!r} needs the flow's density, and the predictions have none")
    count = head.loss.log_sigma_count
    return density_scores(predictions.sigma, predictions.flow_masses, head.score_radius, log_sigma_count=count)


def evaluate_predictions(
    people: CocoPeople,
    predictions: PredictedPeople,
    config: ExperimentConfig,
    scoring: Scoring | None = None,
    *,
    nms: bool = True,
) -> COCOeval:
    """pycocotools' matching of predictions with a split's people, not yet accumulated; arguments as `rank_people`.

    `summarise` makes COCO's ten numbers of it, `image_matches` what can be resampled, `evaluate_strata` AP by kind of
    person.
    """
    ranked = rank_people(predictions, config, people.keypoints, scoring, nms=nms)
    return coco_evaluation(people.coco, ranked.to_coco(people.category_id), people.keypoints)
