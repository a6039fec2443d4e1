"""A model's AP, or PCKh, on a data set, with all that the number depends on and weights do not tell."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from poseur_lib.config import ExperimentConfig, OwnKeypoints, PoseurConfig
from poseur_lib.config.heads.mask_rcnn import MaskRCNNConfig
from poseur_lib.data.coco import CocoPeople, Person
from poseur_lib.errors import UserError
from poseur_lib.evaluation.ap import rank_people
from poseur_lib.evaluation.calibration import label_offsets
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.evaluation.metrics import PoseMetrics, evaluate_coco
from poseur_lib.evaluation.own_metrics import PCK, TORSO, own_metrics
from poseur_lib.evaluation.pckh import PckhMetrics, hits_of_people
from poseur_lib.evaluation.whole_images import find_people, predictions_in_boxes
from poseur_lib.files import write_atomically
from poseur_lib.keypoints import keypoint_set
from poseur_lib.models.build import Network
from poseur_lib.models.end_to_end.model import EndToEndModel
from poseur_lib.runtime import Runtime
from poseur_lib.scoring.instance import require_factors
from poseur_lib.scoring.uncertainty import laplace_factor


def assumptions(config: ExperimentConfig, *, ranked: bool = True) -> str:
    """Input size, keypoints of one's own, normalisation, scores and the fusion of the flip test, in words.

    Args:
        ranked: False leaves out the instance score, as nobody is ranked by it.
    """
    (height, width), keypoints = config.data.input_size, config.data.keypoint_set
    whole = config.data.whole_image
    shown = f"input {height}x{width}"
    if whole is not None:
        shown = f"whole images, short side {' and '.join(map(str, whole.test_sides))}"
    said = [shown, "RGB by ImageNet's mean and deviation"]
    said += [keypoints.text] if isinstance(keypoints, OwnKeypoints) else []
    head = config.model.head
    said.append(f"flip fusion {head.flip_fusion}" if isinstance(head, PoseurConfig) else f"head {head.kind}")
    scored = head.keypoints if isinstance(head, MaskRCNNConfig) else head
    if isinstance(scored, PoseurConfig):
        said.append(f"keypoint score {_score_words(scored, scored is head and config.evaluation.flip_test)}")
    said += [f"instance score {config.evaluation.instance_score}"] if ranked else []
    return ", ".join(said)


def _score_words(head: PoseurConfig, fused: bool) -> str:
    """Poseur's keypoint score with the numbers that it uses; `fused` by the head's own flip fusion."""
    score = head.keypoint_score
    if fused and head.flip_fusion != "mean":  # these make the score themselves, type2 by Eq. 8
        return f"of flip fusion {head.flip_fusion}" + f" (a = {head.score_radius:g})" * (head.flip_fusion == "type2")
    numbers = [] if score == "rle" else [f"a = {head.score_radius:g}"]
    numbers += [f"sigma x {head.sigma_factor:g}"] if head.sigma_factor else []
    return f"{score} ({', '.join(numbers)})" if numbers else score


@dataclass(frozen=True)
class ModelEvaluation:
    """AP and AR, or PCKh of people with head boxes, with what they depend on.

    Attributes:
        boxes: as they were asked for, see `evaluate_model`.
        results: what the numbers were computed from, in COCO's results format; of PCKh everybody, without OKS-NMS.
        more: what the data set's own evaluation has beside COCO's numbers, by name, see `own_metrics`.
        sigma_factor: of Poseur at ground-truth boxes, what a calibrated keypoint score of these people needs.
    """

    metrics: PoseMetrics | PckhMetrics
    config: ExperimentConfig
    boxes: str
    num_boxes: int
    num_images: int
    results: list[dict[str, Any]]
    sigma_factor: float | None = None
    more: Mapping[str, float] = field(default_factory=dict)

    def text(self) -> str:
        """A few lines for a person."""
        evaluation, fitted, ranked = self.config.evaluation, "", not isinstance(self.metrics, PckhMetrics)
        if self.sigma_factor is not None:
            fitted = (
                f"sigma x {self.sigma_factor:.4f} is the Laplace scale of these people's errors: for probabilities on"
                f" others, keypoint score calibrated with sigma factor {self.sigma_factor:.4f}\n"
            )
        if isinstance(self.metrics, PckhMetrics):
            numbers = self.metrics.text()
        else:
            values = {**asdict(self.metrics), **self.more}
            numbers = "  ".join(f"{name} {value:.1f}" for name, value in values.items())
            if math.isnan(self.more.get(PCK, 0)):
                numbers += f"\n{PCK}: nobody has a torso, {TORSO[0]} and {TORSO[1]} labelled at two places"
            if nobody := [name for name, value in values.items() if math.isnan(value) and name != PCK]:
                numbers += f"\nnan: nobody is labelled who counts for {', '.join(nobody)}"
        return (
            (
                f"{self.num_boxes} boxes ({self.boxes}) on {self.num_images} images of the {evaluation.split} split; "
                f"{assumptions(self.config, ranked=ranked)}, flip test {'on' if evaluation.flip_test else 'off'}"
                f"{f', OKS-NMS {evaluation.oks_nms_threshold}' if ranked else ''}\n"
            )
            + fitted
            + numbers
        )

    def write_results(self, path: Path) -> None:
        """COCO's results format, there whole or not at all."""
        write_atomically(path, json.dumps(self.results).encode())


def evaluate_model(model: Network, config: ExperimentConfig, runtime: Runtime, boxes: str) -> ModelEvaluation:
    """AP and AR on the split that the configuration names; PCKh where its people have head boxes, as MPII's do.

    Args:
        boxes: "ground_truth", "detector" (the data set's own file; of an end-to-end model its own boxes), or
            a file in COCO's results format.

    Raises:
        UserError: the data set or the boxes cannot be used, also for their scores, or the keypoint set has no OKS.
    """
    keypoints = keypoint_set(config.data.keypoint_set)
    if not keypoints.oks_sigmas:
        raise UserError(f"keypoint set {keypoints.name!r} defines no OKS, so there is no AP")
    people = CocoPeople(runtime.data, config.evaluation.split, keypoints)
    people.require_people()
    if people.has_heads and boxes != BoxSource.GROUND_TRUTH:
        raise UserError(f"boxes {boxes!r}: people with head boxes are judged by PCKh, at their own boxes: ground_truth")
    own = isinstance(model, EndToEndModel) and boxes == BoxSource.DETECTOR
    in_boxes = [] if own else _people_in(boxes, people)
    require_factors(np.array([one.bbox_score for one in in_boxes]), config.evaluation.instance_score, boxes)
    if isinstance(model, EndToEndModel) and own:
        predictions = find_people(model, people, config, runtime)
    else:
        predictions = predictions_in_boxes(model, in_boxes, config, runtime)
    results = rank_people(predictions, config, keypoints, nms=not people.has_heads).to_coco(people.category_id)
    images = people.image_ids
    metrics: PoseMetrics | PckhMetrics
    if people.has_heads:
        metrics = hits_of_people(predictions, in_boxes, keypoints, images).metrics(keypoints.names)
    else:
        metrics = evaluate_coco(people.coco, results, keypoints)
    factor = _sigma_factor(predictions, in_boxes, config) if boxes == BoxSource.GROUND_TRUTH else None
    more = own_metrics(people, results, in_boxes, predictions)
    return ModelEvaluation(metrics, config, boxes, len(predictions), len(images), results, factor, more)


def _sigma_factor(predictions: PredictedPeople, people: Sequence[Person], config: ExperimentConfig) -> float | None:
    """Fitted on the keypoints inside their crops; None of another head, and where there is none."""
    offset, inside = label_offsets(predictions, people)
    if not isinstance(config.model.head, PoseurConfig) or predictions.sigma is None or not inside.any():
        return None
    return laplace_factor(np.abs(offset)[inside], predictions.sigma[inside])


def _people_in(boxes: str, people: CocoPeople) -> list[Person]:
    if boxes == BoxSource.GROUND_TRUTH:
        return people.people()
    if boxes == BoxSource.DETECTOR:
        return people.detections()
    if not Path(boxes).is_file():
        raise UserError(f"boxes {boxes!r}: give {', '.join(BoxSource)}, or a file in COCO's results format")
    return people.detections(Path(boxes))
