"""A model and a data set that train in seconds."""

import json
from pathlib import Path

import cv2
import numpy as np

from poseur_lib.config import ExperimentConfig
from poseur_lib.keypoints import COCO_17, KeypointSet

TINY = {
    "data.input_size": [64, 48],
    "model.backbone": {"kind": "narrow_resnet", "widths": [8, 8, 16, 16], "weights": "none"},
    "model.head.embed_dims": 32,
    "model.head.num_heads": 4,
    "model.head.num_points": 2,
    "model.head.decoder_layers": 2,
    "model.head.ffn_dims": 32,
    "model.head.norm_groups": 8,
    "model.head.loss.flow_hidden": 8,
    "train.global_batch": 8,
    "train.epochs": 1,
    "train.warmup_steps": 2,
    "train.schedule": {"kind": "cosine"},
}


def tiny_config(**changes) -> ExperimentConfig:
    """An experiment of seconds."""
    return ExperimentConfig().with_changes(**{**TINY, **changes})


def write_people(root: Path, train: int, val: int, keypoints: KeypointSet = COCO_17) -> Path:
    """A data set in COCO's layout: noise with a dot at every keypoint of one stick figure an image."""
    for split, count in (("train", train), ("val", val)):
        (root / f"{split}2017").mkdir(parents=True)
        entries = [
            _write_image(root / f"{split}2017", split, number, keypoints.num_keypoints) for number in range(count)
        ]
        category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(keypoints.names),
                    "skeleton": [[a + 1, b + 1] for a, b in keypoints.skeleton]}  # fmt: skip
        body = {
            "images": [image for image, _ in entries],
            "annotations": [annotation for _, annotation in entries],
            "categories": [category],
        }
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"person_keypoints_{split}2017.json").write_text(json.dumps(body))
    return root


def _write_image(folder: Path, split: str, number: int, count: int) -> tuple[dict, dict]:
    rng = np.random.default_rng([number, split == "val"])
    image = rng.integers(0, 80, (96, 72, 3), np.uint8)
    points = rng.uniform((12, 12), (60, 84), (count, 2))
    for point in points:
        cv2.circle(image, tuple(int(v) for v in point), 2, (255, 255, 255), -1)
    name = f"{number:012d}.jpg"
    cv2.imwrite(str(folder / name), image)
    keypoints = np.column_stack([points.round(1), np.full(count, 2)]).reshape(-1).tolist()
    annotation = {"id": number + 1, "image_id": number, "category_id": 1, "iscrowd": 0, "num_keypoints": count,
                  "bbox": [10, 10, 52, 76], "area": 2000.0, "keypoints": keypoints, "segmentation": []}  # fmt: skip
    return {"id": number, "file_name": name, "height": 96, "width": 72}, annotation
