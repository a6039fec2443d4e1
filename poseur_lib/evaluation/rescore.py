"""From stored predictions to results in COCO's format, under any scoring: no weights needed."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from pycocotools.cocoeval import COCOeval

from poseur_lib.config import ExperimentConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.metrics import coco_evaluation, to_coco_results
from poseur_lib.evaluation.nms import keep_people
from poseur_lib.scoring.instance import InstanceRule, instance_scores
from poseur_lib.scoring.uncertainty import Scoring, density_scores, laplace_scores, rle_scores

TABLE_1C_RULE: InstanceRule = "paper"  # Eq. 5, Sec. 3.3


@dataclass(frozen=True, eq=False)
class Scored:
    """Predictions with keypoint and instance scores, ready for OKS-NMS."""

    predictions: PredictedPeople
    instance_scores: Float[np.ndarray, " N"]


def scored(
    predictions: PredictedPeople,
    config: ExperimentConfig,
    scoring: Scoring | None = None,
    rule: InstanceRule | None = None,
) -> Scored:
    """Predictions scored as configured, or as a row of Table 1c asks.

    Args:
        scoring: None keeps the keypoint scores that the head gave.
        rule: of the instance score; default: as configured, or Eq. 5 for a given `scoring`.

    Raises:
        ValueError: a scoring that needs sigma or the flow's density, of predictions that have none.
    """
    if scoring is None:
        rule = rule or config.evaluation.instance_score
        return Scored(predictions, instance_scores(predictions.bbox_scores, predictions.keypoint_scores, rule))
    if scoring == Scoring.BOX:
        return Scored(predictions, instance_scores(predictions.bbox_scores, predictions.keypoint_scores, "box"))
    if predictions.sigma is None:
        raise ValueError(f"scoring {scoring.value!r} needs sigma, and the predictions have none")
    rescored = replace(predictions, keypoint_scores=_keypoint_scores(predictions, config, scoring))
    rule = rule or TABLE_1C_RULE
    return Scored(rescored, instance_scores(rescored.bbox_scores, rescored.keypoint_scores, rule))


def _keypoint_scores(
    predictions: PredictedPeople, config: ExperimentConfig, scoring: Scoring
) -> Float[np.ndarray, "N K"]:
    sigma = torch.from_numpy(predictions.sigma)
    if scoring == Scoring.RLE:
        return rle_scores(sigma).numpy()
    radius = config.model.head.score_radius
    if scoring == Scoring.LAPLACE:
        return laplace_scores(sigma, radius).numpy()
    if predictions.flow_masses is None:
        raise ValueError(f"scoring {scoring.value!r} needs the flow's density, and the predictions have none")
    count = config.model.head.loss.log_sigma_count
    return density_scores(predictions.sigma, predictions.flow_masses, radius, log_sigma_count=count)


def match(people: CocoPeople, of: Scored, config: ExperimentConfig) -> COCOeval:
    """pycocotools' matching of scored predictions after OKS-NMS, not yet accumulated."""
    sigmas = people.keypoints.oks_sigmas
    kept = keep_people(of.predictions, of.instance_scores, sigmas, config.evaluation.oks_nms_threshold)
    results = to_coco_results(of.predictions, of.instance_scores, kept, people.category_id)
    return coco_evaluation(people.coco, results, people.keypoints)
