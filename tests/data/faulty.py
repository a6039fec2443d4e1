"""A val split of two images with four people, in which the tests of faults change something."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from poseur_lib.data.check import check_dataset
from poseur_lib.data.coco import CocoPeople, annotation_path
from poseur_lib.keypoints import COCO_17

HEIGHT, WIDTH = 240, 320
NAMES = list(COCO_17.names)


def stick_person(annotation_id, image_id, box, **other):
    x, y, width, height = box
    rng = np.random.default_rng(annotation_id)
    points = rng.uniform((x + 2, y + 2), (x + width - 2, y + height - 2), (17, 2)).round(1)
    keypoints = np.column_stack([points, np.full(17, 2)]).reshape(-1).tolist()
    return {"id": annotation_id, "image_id": image_id, "category_id": 1, "iscrowd": 0, "bbox": list(box),
            "area": width * height / 2, "num_keypoints": 17, "keypoints": keypoints} | other  # fmt: skip


BOXES = ((150, 60, 90, 160), (20, 30, 80, 200), (200, 100, 110, 130), (60, 20, 120, 90))


def write_faulty(root: Path, change: Callable | None = None, **category) -> Path:
    """The split, and the same for training; `change` is done to every annotation."""
    (root / "annotations").mkdir(exist_ok=True)
    people = [stick_person(index + 1, index // 2, box) for index, box in enumerate(BOXES)]
    for person in people if change else ():
        change(person)
    images = [{"id": one, "file_name": f"{one}.jpg", "height": HEIGHT, "width": WIDTH} for one in range(2)]
    person = {"id": 1, "name": "person", "keypoints": NAMES} | category
    body = {"images": images, "annotations": people, "categories": [person]}
    for split in ("train", "val"):
        annotation_path(root, split).write_text(json.dumps(body))
    return root


def read(root):
    return CocoPeople(root, "val", COCO_17)


def notes(root):
    return "\n".join(check_dataset(root).notes)


def set_to(**values):
    return lambda person: person.update(values)
