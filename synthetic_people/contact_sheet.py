"""A contact sheet: images of a data folder with boxes and keypoints drawn on them."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from poseur_lib.errors import UserError
from poseur_lib.keypoints import COCO_17, MPII_16

LEFT, RIGHT, MIDDLE, BOX = (40, 90, 255), (235, 40, 40), (255, 200, 0), (60, 220, 60)
"""RGB of the person's left keypoints, right ones, those of neither side and the head's box, and the box."""


def _side(name: str) -> tuple[int, int, int]:
    return LEFT if name.startswith("left") else RIGHT if name.startswith("right") else MIDDLE


def draw_person(image: UInt8[np.ndarray, "H W 3"], row: dict[str, Any]) -> None:
    """Draw a COCO annotation on the image, in place: dots are visible, rings are hidden keypoints."""
    size = max(2, round(min(image.shape[:2]) / 80))
    x, y, w, h = (round(v) for v in row["bbox"])
    cv2.rectangle(image, (x, y), (x + w - 1, y + h - 1), BOX, 1)
    keypoints = np.array(row["keypoints"]).reshape(-1, 3)
    labelled_with = MPII_16 if len(keypoints) == MPII_16.num_keypoints else COCO_17
    if "head_box" in row:
        left, top, right, bottom = (round(v) for v in row["head_box"])
        cv2.rectangle(image, (left, top), (right, bottom), MIDDLE, 1)
    for a, b in labelled_with.skeleton:
        if keypoints[a, 2] and keypoints[b, 2]:
            ends = [(int(keypoints[k, 0]), int(keypoints[k, 1])) for k in (a, b)]
            cv2.line(image, *ends, (230, 230, 230), 1, cv2.LINE_AA)
    for (px, py, visible), name in zip(keypoints, labelled_with.names, strict=True):
        if visible:
            cv2.circle(image, (int(px), int(py)), size, _side(name), -1 if visible == 2 else 1, cv2.LINE_AA)


def contact_sheet(
    root: Path, split: str = "val", rows: int = 3, columns: int = 8, labels: bool = True
) -> UInt8[np.ndarray, "H W 3"]:
    """The first rows x columns images of a split, RGB; every image is padded to the largest one's size.

    Args:
        root: a folder in COCO's layout.
        labels: draw boxes and keypoints.

    Raises:
        UserError: the annotation file or an image cannot be read.
    """
    path = Path(root) / "annotations" / f"person_keypoints_{split}2017.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    entries = content["images"][: rows * columns]
    height, width = max(e["height"] for e in entries) + 2, max(e["width"] for e in entries) + 2
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for place, entry in enumerate(entries):
        file = Path(root) / f"{split}2017" / entry["file_name"]
        image = cv2.imread(str(file))
        if image is None:
            raise UserError(f"{file}: cannot be read as an image")
        image = np.ascontiguousarray(image[:, :, ::-1])
        for row in content["annotations"] if labels else []:
            if row["image_id"] == entry["id"]:
                draw_person(image, row)
        top, left = place // columns * height, place % columns * width
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def save_contact_sheet(
    root: Path, target: Path, split: str = "val", rows: int = 3, columns: int = 8, labels: bool = True
) -> None:
    """Write `contact_sheet` as an image file."""
    sheet = contact_sheet(root, split, rows, columns, labels)
    if not cv2.imwrite(str(target), sheet[:, :, ::-1]):
        raise UserError(f"{target}: cannot be written")
