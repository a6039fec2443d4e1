"""Boxes in a JSON file. Three forms are read; every box is [x, y, width, height] in pixels of the upright image.

1. COCO results, as detectors write them: [{"image_id": 785, "category_id": 1, "bbox": [...], "score": 0.9}, ...].
   `image_id` is the number in the image's file name (000000000785.jpg). Category 1 is the person, as in COCO; entries
   without a category are people, other ones are left out.
2. COCO annotations: {"images": [{"id", "file_name", "width", "height"}], "annotations": [{"image_id", "bbox"}], ...}.
   Images are found by `file_name`. The people are those that `poseur evaluate` takes: no crowds, nobody who has no
   labelled keypoint, boxes cut to the image. Where the file has categories, the one with keypoints counts, else the one
   named "person". Scores are 1, if an annotation has no "score".
3. By name: {"photo.jpg": [[x, y, width, height], ...], ...}; a fifth number is the score. The name may be as much of
   the end of the path as tells two images apart ("holiday/photo.jpg"), or the number in the file name.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import UInt8

from poseur_lib.data.annotations import box_problem, detection_problems, is_finite_number, load_json
from poseur_lib.data.coco import box_of_labelled, to_box
from poseur_lib.errors import UserError, listed
from poseur_lib.predict.files import image_number
from poseur_lib.predict.people import PersonBox

PERSON = 1
Key = str | int
LISTED = 3


@dataclass
class BoxesFile:
    """The content of a file, before it is known which images are meant.

    Attributes:
        boxes: by image name or number.
        ids: of images that the file knows by a name of theirs.
    """

    path: Path
    boxes: dict[Key, list[PersonBox]] = field(default_factory=lambda: defaultdict(list))
    ids: dict[Key, int] = field(default_factory=dict)


@dataclass(frozen=True)
class BoxesOfFile:
    """A `BoxFinder`: the boxes of a file for certain images.

    Attributes:
        ids: the images' ids, where the file tells them.
    """

    of_image: dict[Path, list[PersonBox]]
    ids: dict[Path, int]

    def boxes(self, path: Path, image: UInt8[np.ndarray, "height width 3"]) -> list[PersonBox]:
        """The boxes that the file has for an image."""
        return self.of_image.get(path, [])


def read_boxes(path: Path, images: Sequence[Path], min_score: float = 0.0) -> BoxesOfFile:
    """The boxes of `images` in a file of one of the forms above; what it has on other images is left out.

    Args:
        min_score: boxes with a lower score are left out.

    Raises:
        UserError: the file cannot be read, an entry is bad (it is named), a name fits several images, or no image of
            the file is among `images`.
    """
    content = load_json(path)
    if isinstance(content, list):
        file = _of_results(path, content)
    elif isinstance(content, dict) and "images" in content and "annotations" in content:
        file = _of_annotations(path, content)
    elif isinstance(content, dict):
        file = _by_name(path, content)
    else:
        raise UserError(f"{path}: expected COCO results, COCO annotations, or boxes by file name")
    places = _Places(path, images)
    keys = dict.fromkeys((*file.ids, *file.boxes))
    found = {image: key for key in keys if (image := places.find(key)) is not None}
    if not found:
        names = listed(keys, LISTED) or "none"
        raise UserError(f"{path}: none of the {len(images)} images is in it (it has: {names})")
    chosen = {image: [box for box in file.boxes.get(key, []) if box.score >= min_score] for image, key in found.items()}
    return BoxesOfFile(chosen, {image: file.ids[key] for image, key in found.items() if key in file.ids})


class _Places:
    """Images by the end of their path, or by the number in their name."""

    def __init__(self, path: Path, images: Sequence[Path]) -> None:
        self.path = path
        self.by_key: dict[Key, list[Path]] = defaultdict(list)
        for image in images:
            parts = image.absolute().parts[1:]
            for start in range(len(parts)):
                self.by_key["/".join(parts[start:])].append(image)
            if (number := image_number(image)) is not None:
                self.by_key[number].append(image)

    def find(self, key: Key) -> Path | None:
        """The image of a key of the file; None if it is another's.

        Raises:
            UserError: it fits several.
        """
        found = self.by_key.get(str(PurePosixPath(key)) if isinstance(key, str) else key, [])
        if not found and isinstance(key, str) and key.isdecimal():
            found = self.by_key.get(int(key), [])
        if len(found) > 1:
            raise UserError(f"{self.path}: {key!r} fits {len(found)} of the images: {', '.join(map(str, found))}")
        return found[0] if found else None


def _of_results(path: Path, content: list[Any]) -> BoxesFile:
    for problem in detection_problems(content):
        raise UserError(f"{path}: {problem}")
    file = BoxesFile(path)
    for position, entry in enumerate(content):
        if entry.get("category_id", PERSON) == PERSON:
            where = f"{path}: detection {position} (image {entry['image_id']})"
            file.boxes[entry["image_id"]].append(_box(where, entry["bbox"], entry["score"]))
    return file


def _of_annotations(path: Path, content: dict[str, Any]) -> BoxesFile:
    images = {}
    for position, image in enumerate(_objects(path, content, "images")):
        if not isinstance(image.get("id"), int) or not isinstance(image.get("file_name"), str):
            raise UserError(f"{path}: image {position}: needs an integer id and a file_name, got {image!r}")
        if not all(is_finite_number(image.get(side)) for side in ("width", "height")):
            raise UserError(f"{path}: image {image['id']}: needs width and height")
        images[image["id"]] = image
    file = BoxesFile(path, ids={image["file_name"]: number for number, image in images.items()})
    category = _person_category(content)
    for position, entry in enumerate(_objects(path, content, "annotations")):
        if entry.get("iscrowd") or category not in (None, entry.get("category_id")):
            continue
        where = f"{path}: annotation {entry.get('id', f'at position {position}')}"
        if entry.get("image_id") not in images:
            raise UserError(f"{where}: image_id {entry.get('image_id')!r} is not among the images")
        if (problem := box_problem(entry.get("bbox"))) is not None:
            raise UserError(f"{where}: {problem}")
        image = images[entry["image_id"]]
        if (box := box_of_labelled(entry, image)) is not None:
            file.boxes[image["file_name"]].append(_box(where, list(box), entry.get("score", 1.0)))
    return file


def _by_name(path: Path, content: dict[str, Any]) -> BoxesFile:
    file = BoxesFile(path)
    for name, rows in content.items():
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise UserError(f"{path}: {name!r}: expected a list of boxes [x, y, width, height], got {rows!r}")
        file.boxes[name] = []
        for position, row in enumerate(rows):
            where = f"{path}: {name!r}, box {position}"
            file.boxes[name].append(_box(where, row[:4], row[4] if len(row) == 5 else 1.0))
            if len(row) > 5:
                raise UserError(f"{where}: bbox must be 4 numbers, or 5 with the score, got {row!r}")
    return file


def _box(where: str, box: list[Any], score: Any) -> PersonBox:
    if (problem := box_problem(box)) is not None:
        raise UserError(f"{where}: {problem}")
    if not is_finite_number(score):
        raise UserError(f"{where}: score must be finite, got {score!r}")
    try:
        return PersonBox(to_box(box), float(score))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _objects(path: Path, content: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    if not isinstance(content[key], list) or not all(isinstance(entry, dict) for entry in content[key]):
        raise UserError(f"{path}: {key!r} must be a list of objects")
    yield from content[key]


def _person_category(content: dict[str, Any]) -> int | None:
    """The id of the people's category; None where every annotation is one."""
    categories = [entry for entry in content.get("categories") or [] if isinstance(entry, dict) and "id" in entry]
    categories.sort(key=lambda entry: (not entry.get("keypoints"), entry.get("name") != "person"))
    return categories[0]["id"] if categories else None
