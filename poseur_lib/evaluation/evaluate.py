"""A model judged on a data set: boxes, predictions, scores, OKS-NMS, AP.

What a number depends on and weights do not tell, in words: printed with every result.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from poseur_lib.checkpoints.released_load import load_with_changes
from poseur_lib.config import ExperimentConfig, PoseurConfig
from poseur_lib.data.coco import CocoPeople, Person
from poseur_lib.errors import UserError
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.metrics import PoseMetrics, evaluate_coco, to_coco_results
from poseur_lib.evaluation.nms import keep_people
from poseur_lib.keypoints import keypoint_set
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.runtime import Runtime
from poseur_lib.scoring.instance import instance_scores


def assumptions(config: ExperimentConfig) -> str:
    """Input size, normalisation, scores and, where the head has a choice, the fusion of the flip test."""
    height, width = config.data.input_size
    said = [f"input {height}x{width}", "RGB by ImageNet's mean and deviation"]
    if isinstance(config.model.head, PoseurConfig):
        said += [f"flip fusion {config.model.head.flip_fusion}", f"keypoint score {config.model.head.keypoint_score}"]
    else:
        said.append(f"head {config.model.head.kind}")
    return ", ".join([*said, f"instance score {config.evaluation.instance_score}"])


GROUND_TRUTH, DETECTOR = "ground_truth", "detector"


@dataclass(frozen=True)
class Judgement:
    """AP and AR with what they depend on, and the results they were computed from."""

    metrics: PoseMetrics
    config: ExperimentConfig
    boxes: str
    num_boxes: int
    num_images: int
    results: list[dict[str, Any]]

    def text(self) -> str:
        """A few lines for a person."""
        evaluation = self.config.evaluation
        lines = [
            f"{self.num_boxes} boxes ({self.boxes}) on {self.num_images} images of the {evaluation.split} split; "
            f"{assumptions(self.config)}, flip test {'on' if evaluation.flip_test else 'off'}, "
            f"OKS-NMS {evaluation.oks_nms_threshold}"
        ]
        return "\n".join([*lines, "  ".join(f"{name} {value:.1f}" for name, value in asdict(self.metrics).items())])

    def write_results(self, path: Path) -> None:
        """COCO's results format, there whole or not at all."""
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(json.dumps(self.results))
        os.replace(partial, path)


def load_for_judging(checkpoint: Path, changes: dict[str, Any]) -> tuple[PoseModel, ExperimentConfig]:
    """A model of this project or of the released code, with changes to how it scores and is evaluated.

    The changes go by dotted path: `evaluation.*`, `model.head.keypoint_score`, and `data.input_size` where a released
    checkpoint does not tell it.

    Raises:
        UserError: the checkpoint cannot be used.
        pydantic.ValidationError: a change names no knob, or has a wrong value.
    """
    return load_with_changes(checkpoint, changes)


def judge(model: PoseModel, config: ExperimentConfig, runtime: Runtime, boxes: str) -> Judgement:
    """AP and AR on the split that the configuration names.

    Args:
        boxes: "ground_truth", "detector" (the data set's own file), or a file in COCO's results format.

    Raises:
        UserError: the data set or the boxes cannot be used, or the keypoint set has no OKS.
    """
    keypoints = keypoint_set(config.data.keypoint_set)
    if not keypoints.oks_sigmas:
        raise UserError(f"keypoint set {keypoints.name!r} defines no OKS, so there is no AP")
    people = CocoPeople(runtime.data, config.evaluation.split, keypoints)
    judged = _boxes(people, boxes)
    predictions = predict_people(model, judged, config, runtime)
    scores = instance_scores(predictions.bbox_scores, predictions.keypoint_scores, config.evaluation.instance_score)
    kept = keep_people(predictions, scores, people.keypoints.oks_sigmas, config.evaluation.oks_nms_threshold)
    results = to_coco_results(predictions, scores, kept, people.category_id)
    metrics = evaluate_coco(people.coco, results, people.keypoints)
    return Judgement(metrics, config, boxes, len(judged), len(people.coco.getImgIds()), results)


def _boxes(people: CocoPeople, boxes: str) -> list[Person]:
    if boxes == GROUND_TRUTH:
        return people.people()
    if boxes == DETECTOR:
        return people.detections()
    if not Path(boxes).is_file():
        raise UserError(f"boxes {boxes!r}: give {GROUND_TRUTH}, {DETECTOR}, or a file in COCO's results format")
    return people.detections(Path(boxes))
