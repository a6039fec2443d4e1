"""End-to-end models that run in milliseconds, images for them, and data sets in COCO's layout."""

import json
from pathlib import Path

import cv2
import numpy as np
import torch

from poseur_lib.config import ExperimentConfig
from poseur_lib.data.whole_images import ImageSample
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.end_to_end.model import EndToEndModel, build_end_to_end

KEYPOINT_HEADS = {
    "heatmap": {"kind": "region_heatmap"},
    "rle": {"kind": "regression", "flip_shift": False, "flow_hidden": 8},
    "poseur": {"kind": "poseur", "embed_dims": 32, "num_heads": 4, "num_points": 2, "decoder_layers": 2, "ffn_dims": 24,
               "norm_groups": 8, "dropout": 0.0, "loss": {"flow_hidden": 8}},
}  # fmt: skip
SMALL = {
    "kind": "mask_rcnn", "pyramid_channels": 16, "anchor_sizes": [16, 32, 64, 128, 256], "canonical_side": 56,
    "tower": [16, 16], "box_channels": 16, "kept_train": 40, "kept_test": 20, "region_batch": 16,
    "frozen_batch_norm": False, "frozen_stages": 0, "boxes_per_image": 5,
}  # fmt: skip


def small_config(keypoints: str = "poseur", **changes) -> ExperimentConfig:
    """An experiment of seconds."""
    return ExperimentConfig().with_changes(
        **{
            "data.whole_image": {"test_sides": [64], "train_sides": [64], "longest_side": 128},
            "data.input_size": [64, 64],
            "model.backbone": {"kind": "narrow_resnet", "widths": [8, 8, 16, 16], "weights": "none"},
            "model.head": {**SMALL, "keypoints": KEYPOINT_HEADS[keypoints]},
            "train.augment": None, "train.global_batch": 2, "train.epochs": 1, "train.warmup_steps": 0,
            "train.supervise_outside_crop": keypoints != "heatmap",
            "evaluation.flip_test": False, "evaluation.instance_score": "paper", **changes,
        }
    )  # fmt: skip


def small_model(keypoints: str = "poseur", seed: int = 0, **changes) -> EndToEndModel:
    """A model in evaluation mode."""
    torch.manual_seed(seed)
    return build_end_to_end(small_config(keypoints, **changes)).eval()


def sample(people: int, size: tuple[int, int] = (64, 48), seed: int = 0) -> ImageSample:
    """An image of noise with people anywhere in it."""
    generator = torch.Generator().manual_seed(seed)
    height, width = size
    corner = torch.rand(people, 2, generator=generator) * torch.tensor([width / 2, height / 2])
    boxes = torch.cat([corner, corner + torch.tensor([width / 2, height / 2])], dim=1)
    points = corner[:, None] + torch.rand(people, 17, 2, generator=generator) * torch.tensor([width / 2, height / 2])
    image = torch.randn(3, *size, generator=generator)
    return ImageSample(image, boxes, points, torch.ones(people, 17, dtype=torch.bool), torch.zeros(0, 4))


def write_images(root: Path, people: list[list[dict]], size: tuple[int, int] = (64, 48)) -> Path:
    """The same images of noise as both splits; `people` are the annotations of each image, completed here."""
    height, width = size
    number, images, entries = 0, [], []
    for split in ("train", "val"):
        (root / f"{split}2017").mkdir(parents=True)
    for image_id, of_image in enumerate(people, 1):
        pixels = np.random.default_rng(image_id).integers(0, 255, (height, width, 3), np.uint8)
        for split in ("train", "val"):
            cv2.imwrite(str(root / f"{split}2017" / f"{image_id}.png"), pixels)
        images.append({"id": image_id, "file_name": f"{image_id}.png", "height": height, "width": width})
        for one in of_image:
            number += 1
            x, y, w, h = one["bbox"]
            points = one.get("keypoints", [value for k in range(17) for value in (x + w * k / 17, y + h * k / 17, 2)])
            counted = sum(value > 0 for value in points[2::3])
            labels = {"keypoints": points, "num_keypoints": counted}
            of = {"id": number, "image_id": image_id, "category_id": 1, "iscrowd": one.get("iscrowd", 0)}
            entries.append({**of, **labels, "bbox": [x, y, w, h], "area": w * h})
    (root / "annotations").mkdir()
    person = {"id": 1, "name": "person", "keypoints": list(COCO_17.names), "skeleton": []}
    content = json.dumps({"images": images, "annotations": entries, "categories": [person]})
    for split in ("train", "val"):
        (root / "annotations" / f"person_keypoints_{split}2017.json").write_text(content)
    return root
