"""What a generated set is like, measured from its files: the figures its difficulty is judged by."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from poseur_lib.data.coco import index
from poseur_lib.evaluation.metrics import evaluate_coco
from poseur_lib.keypoints import COCO_17


class Floors(NamedTuple):
    """Shares are of the val split; people are the annotations with labelled keypoints."""

    people: int
    occluded: float  # of the labelled keypoints
    truncated: float  # of the people
    back_or_side: float  # of the people
    mask_of_box: float  # mean area of the mask by area of its box
    mean_pose_ap: float  # x 100, the mean training pose put in every ground-truth box


def _labelled(root: Path, split: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The annotation file, and its annotations that have keypoints."""
    content = json.loads((root / "annotations" / f"person_keypoints_{split}2017.json").read_text())
    return content, [row for row in content["annotations"] if row["num_keypoints"]]


def mean_pose(rows: list[dict[str, Any]]) -> Float[np.ndarray, "17 2"]:
    """Mean of the labelled keypoints as fractions of their boxes."""
    keypoints = np.array([row["keypoints"] for row in rows], float).reshape(-1, 17, 3)
    boxes = np.array([row["bbox"] for row in rows], float)
    inside = (keypoints[:, :, :2] - boxes[:, None, :2]) / boxes[:, None, 2:]
    weights = (keypoints[:, :, 2:] > 0).astype(float)
    return (inside * weights).sum(0) / weights.sum(0)


def mean_pose_results(pose: Float[np.ndarray, "17 2"], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pose placed in the box of every annotation, in COCO's results format."""
    results = []
    for row in rows:
        box = np.array(row["bbox"], float)
        keypoints = np.column_stack([box[:2] + pose * box[2:], np.ones(17)])
        entry = {"image_id": row["image_id"], "category_id": 1, "keypoints": keypoints.ravel().tolist(), "score": 1.0}
        results.append(entry)
    return results


def measure(root: Path) -> Floors:
    """Measure the val split of a generated set (the mean pose comes from its train split)."""
    content, rows = _labelled(root, "val")
    results = mean_pose_results(mean_pose(_labelled(root, "train")[1]), rows)
    visibility = np.array([row["keypoints"][2::3] for row in rows])
    tags = [row["poseur_people"] for row in rows]
    return Floors(
        people=len(rows),
        occluded=float((visibility == 1).sum() / (visibility > 0).sum()),
        truncated=float(np.mean([tag["truncated"] for tag in tags])),
        back_or_side=float(np.mean([tag["view"] != "front" for tag in tags])),
        mask_of_box=float(np.mean([row["area"] / (row["bbox"][2] * row["bbox"][3]) for row in rows])),
        mean_pose_ap=evaluate_coco(index(content, 1), results, COCO_17).AP,
    )
