"""Boxes in a JSON file, of images that are known; `poseur_lib.predict.box_forms` says in which forms."""

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import UInt8

from poseur_lib.data.annotation_file import say_once
from poseur_lib.data.annotations import load_json
from poseur_lib.data.box_convention import box_list_problems, fraction_problems
from poseur_lib.data.image_format import ImageHead
from poseur_lib.data.images import head_of_file, is_ambiguous, orientation_message
from poseur_lib.errors import UserError, listed
from poseur_lib.predict.box_forms import (
    LISTED,
    PERSON,
    BoxesFile,
    Key,
    by_name,
    names_beside,
    of_annotations,
    of_results,
    read_names,
)
from poseur_lib.predict.files import image_number
from poseur_lib.predict.people import PersonBox


@dataclass(frozen=True)
class BoxesOfFile:
    """A `BoxFinder`: the boxes of a file for certain images.

    Attributes:
        ids: the images' ids, where the file tells them.
        category_id: of the people, which results carry on.
    """

    of_image: dict[Path, list[PersonBox]]
    ids: dict[Path, int]
    category_id: int = PERSON

    def boxes(self, path: Path, image: UInt8[np.ndarray, "height width 3"]) -> list[PersonBox]:
        """The boxes that the file has for an image."""
        return self.of_image.get(path, [])


def read_boxes(
    path: Path, images: Sequence[Path], min_score: float = 0.0, names: Path | None = None,
    video_size: tuple[int, int] | None = None,
) -> BoxesOfFile:  # fmt: skip
    """The boxes of `images` in a file of one of the forms of `box_forms`; what it has on other images is left out.

    Args:
        min_score: boxes with a lower score are left out; 0 leaves none out.
        names: a COCO file that says which image has which id, for boxes by image id.
        video_size: (height, width) of the images where they are a video's frames, which no files are.

    Raises:
        UserError: the file cannot be read, an entry is bad (it is named), a name fits several images, no image of the
            file is among `images`, ids cannot be told from the images' names, or the boxes are no [x, y, width, height]
            in pixels.
    """
    content = load_json(path)
    if isinstance(content, list):
        file = of_results(path, content, images, names or names_beside(images))
    elif isinstance(content, dict) and "images" in content and "annotations" in content:
        file = of_annotations(path, content)
        if names is not None:
            raise UserError(f"--names {names}: {path} says itself which image has which id")
    elif isinstance(content, dict):
        file = by_name(path, content, images, names)
    else:
        raise UserError(f"{path}: expected COCO results, COCO annotations, or boxes by file name")
    places = _Places(path, images)
    own: list[Key] = [*file.ids] if file.sizes else [*file.boxes]  # the ids of boxes by id may be a file of names'
    if file.empty:
        say_once(f"{path}: {len(file.empty)} without width or height are left out: {listed(file.empty, LISTED)}")
    found = places.find_all(dict.fromkeys((*file.ids, *file.boxes)))
    if not found:
        shown = listed(own, LISTED) or "none"
        raise UserError(f"{path}: none of the {len(images)} images is in it (it has: {shown})")
    if strangers := [key for key in own if key not in found.values()]:
        say_once(f"{path}: {len(strangers)} of its {len(own)} images are not among those given, as {strangers[0]!r}")
    _require_convention(file, found, video_size)
    least = min_score or -math.inf
    chosen = {image: [box for box in file.boxes.get(key, []) if box.score >= least] for image, key in found.items()}
    ids = {image: file.ids[key] for image, key in found.items() if key in file.ids}
    return BoxesOfFile(chosen, ids, file.category_id)


def known_ids(images: Sequence[Path], names: Path | None = None) -> BoxesOfFile:
    """The ids of images, without boxes, in a COCO file of names; none where there is no such file.

    Args:
        names: default: the annotation file of the data set that the images lie in.

    Raises:
        UserError: the file cannot be read or used, or names none of the images.
    """
    file = names or names_beside(images)
    if file is None:
        return BoxesOfFile({}, {})
    named, places = read_names(file), _Places(file, images)
    ids = {image: named.ids[name] for image, name in places.find_all(named.ids).items()}
    if names is not None and not ids:
        raise UserError(f"{names}: none of the {len(images)} images is in it")
    if ids:
        say_once(f"which image has which id is taken from {file}")
    return BoxesOfFile({}, ids, named.category_id)


def _require_convention(file: BoxesFile, found: dict[Path, Key], video_size: tuple[int, int] | None) -> None:
    """Check boxes against the sides and the orientation of their images, of those that can be read.

    Those of COCO annotations are cut to the image or leave it by design (`crop_box`), so that no convention shows.
    """
    frame = None if video_size is None else ImageHead(height=video_size[0], width=video_size[1])
    where, boxes, sizes = [], [], []
    for image, key in found.items():
        some = file.boxes.get(key, [])
        if some and (head := frame or head_of_file(image)) is not None:
            _require_frame(file, key, image, head)
            where += [f"box {position} of {image}" for position in range(len(some))]
            boxes += [box.box for box in some]
            sizes += [head.upright_size] * len(some)
    for problem in (fraction_problems if file.sizes else box_list_problems)(where, boxes, sizes):
        raise UserError(f"{file.path}: {problem}")


def _require_frame(file: BoxesFile, key: Key, image: Path, head: ImageHead) -> None:
    """Check that the boxes of a COCO file are of the image as it is, upright."""
    said = file.sizes.get(key)
    if said is None:
        return
    height, width = head.upright_size
    if said != (height, width):
        raise UserError(
            f"{image}: image is {width} x {height}, but {file.path} says {said[1]} x {said[0]}, so its boxes are of "
            "another one"
        )
    if file.label_frame == "ignored" and head.orientation != 1:
        raise UserError(f'{image}: image is turned as its EXIF orientation says, and {file.path} says "ignored"')
    if file.label_frame != "applied" and is_ambiguous(head):
        raise UserError(f"{image}: {orientation_message(head.orientation)} ({file.path})")


class _Places:
    """Images by their path, by the end of it, or by the number in their name."""

    def __init__(self, path: Path, images: Sequence[Path]) -> None:
        self.path = path
        self.by_key: dict[Key, list[Path]] = defaultdict(list)
        for image in images:
            parts = image.absolute().parts[1:]
            for start in range(len(parts)):
                self.by_key["/".join(parts[start:])].append(image)
            for whole in {str(image.absolute()), os.path.abspath(image)}:
                self.by_key[whole].append(image)
            if (number := image_number(image)) is not None:
                self.by_key[number].append(image)

    def find_all(self, keys: Iterable[Key]) -> dict[Path, Key]:
        """The keys of those images that have one.

        Raises:
            UserError: as `find`, or two keys are one image's.
        """
        found: dict[Path, Key] = {}
        for key in keys:
            if (image := self.find(key)) is not None and found.setdefault(image, key) != key:
                raise UserError(f"{self.path}: {found[image]!r} and {key!r} are both {image}: give it one name")
        return found

    def find(self, key: Key) -> Path | None:
        """The image of a key of the file; None if it is another's.

        Raises:
            UserError: it fits several.
        """
        found = self.by_key.get(str(PurePosixPath(key)) if isinstance(key, str) else key, [])
        if len(found) > 1:
            raise UserError(f"{self.path}: {key!r} fits {len(found)} of the images: {', '.join(map(str, found))}")
        return found[0] if found else None
