"""Boxes in a JSON file. Three forms are read; every box is [x, y, width, height] in pixels of the upright image.

1. COCO results, as detectors write them: [{"image_id": 785, "category_id": 1, "bbox": [...], "score": 0.9}, ...].
   Which image that is says a COCO file with the images' names (`names`, or `annotations/person_keypoints_FOLDER.json`
   beside the images' folder). Without one, `image_id` is the number that is the image's whole name, as in COCO
   (000000000785.jpg, COCO_val2014_000000000785.jpg); digits in other names (frame_0001.jpg) are no ids. Category 1 is
   the person, as in COCO, or the category that the file of names gives keypoints; entries without a category are
   people, other ones are left out.
2. COCO annotations: {"images": [{"id", "file_name", "width", "height"}], "annotations": [{"image_id", "bbox"}], ...}.
   Images are found by `file_name`. The people are those that `poseur evaluate` takes: no crowds, nobody who has no
   labelled keypoint (COCO-WholeBody: of the body), boxes cut to the image, but for a `crop_box`, as MPII's people
   have, which may leave it. Where the file has several categories, the one with keypoints counts, else the one named
   "person"; it has to be told by that. Scores are 1, if an annotation has no "score".
3. By name: {"photo.jpg": [[x, y, width, height], ...], ...}; a fifth number is the score. The name may be as much of
   the end of the path as tells two images apart ("holiday/photo.jpg"). A number is an `image_id`, as in COCO results.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poseur_lib.data.annotation_file import say_once
from poseur_lib.data.annotations import (
    box_problem,
    category_text,
    detection_problems,
    image_problem,
    is_id,
    load_json,
    meant_crowd,
    meant_integer,
    score_problem,
)
from poseur_lib.data.box_convention import detector_boxes
from poseur_lib.data.coco import box_of_labelled, to_box
from poseur_lib.errors import UserError, listed, shown
from poseur_lib.predict.files import image_number
from poseur_lib.predict.people import PersonBox

PERSON = 1
COCO_NAME = re.compile(r"(?:COCO_\w+_)?\d+")
"""Names of images that are an id and nothing else."""
Key = str | int
LISTED, MOST_DIGITS = 3, 20


@dataclass
class BoxesFile:
    """The content of a file, before it is known which images are meant.

    Attributes:
        boxes: by image name or number.
        ids: of images that the file knows by a name of theirs.
        category_id: of the people.
        categories: ids of all that the file knows.
        sizes: (height, width) of the images, where the file says what its boxes are of.
        label_frame: "exif_orientation" of the file's "info".
        empty: where boxes without width or height are, which are left out.
    """

    path: Path
    boxes: dict[Key, list[PersonBox]] = field(default_factory=lambda: defaultdict(list))
    ids: dict[Key, int] = field(default_factory=dict)
    category_id: int = PERSON
    categories: list[int] = field(default_factory=list)
    sizes: dict[Key, tuple[int, int]] = field(default_factory=dict)
    label_frame: str | None = None
    empty: list[str] = field(default_factory=list)

    def add(self, key: Key, where: str, box: list[Any], score: Any) -> None:
        """One box of an image; `where` is its place in the file. Raises UserError where it is none."""
        if (problem := box_problem(box) or score_problem(score)) is not None:
            raise UserError(f"{where}: {problem}")
        people = self.boxes[key]
        if min(box[2:]) > 0:
            people.append(PersonBox(to_box(box), float(score)))
        else:
            self.empty.append(where.removeprefix(f"{self.path}: "))


def names_beside(images: Sequence[Path]) -> Path | None:
    """The annotation file of the data set in COCO's layout whose folder the images lie in, if they do."""
    folders = {image.absolute().parent for image in images}
    if len(folders) != 1:
        return None
    folder = folders.pop()
    file = folder.parent / "annotations" / f"person_keypoints_{folder.name}.json"
    return file if file.is_file() else None


def of_results(path: Path, content: list[Any], images: Sequence[Path], names: Path | None) -> BoxesFile:
    """Form 1. Raises UserError where an entry is bad, or ids cannot be told."""
    for problem in detection_problems(content):
        raise UserError(f"{path}: {problem}")
    file, name_of = _by_id(path, [entry["image_id"] for entry in content], images, names)
    found = detector_boxes(content, file.category_id, {}, file.categories)
    for problem in found.problems:
        raise UserError(f"{path}: {problem}")
    for note in found.notes:
        say_once(f"{path}: {note}")
    for position, entry in found.people:
        where = f"{path}: detection {position} (image {entry['image_id']})"
        key = name_of.get(entry["image_id"], entry["image_id"])
        file.add(key, where, entry["bbox"], entry["score"])
    return file


def _by_id(
    path: Path, ids: Sequence[int], images: Sequence[Path], names: Path | None
) -> tuple[BoxesFile, dict[int, Key]]:
    """A file that knows images by their ids alone, still without boxes, and what each id stands for."""
    if names is None:
        by_number = _by_number(path, set(ids), images)
        return BoxesFile(path, ids={key: number for number, key in by_number.items()}), by_number
    named = read_names(names)
    say_once(f"{path}: which image has which id is taken from {names}")
    name_of = {number: name for name, number in named.ids.items()}
    if strange := [number for number in ids if number not in name_of]:
        raise UserError(f"{path}: image_id {strange[0]} is not among the images of {names}")
    return BoxesFile(path, ids=named.ids, category_id=named.category_id, categories=named.categories), name_of


def read_names(path: Path) -> BoxesFile:
    """The names and ids of images in a COCO file, its categories and the people's; no boxes.

    Raises:
        UserError: it cannot be read, or is no such file.
    """
    dataset = load_json(path)
    if not isinstance(dataset, dict) or "images" not in dataset:
        raise UserError(f"{path}: no COCO file with the names of images")
    file = of_annotations(path, {**dataset, "annotations": []})
    file.categories = [
        meant_integer(one.get("id")) for one in _objects(path, {"categories": [], **dataset}, "categories")
    ]
    return file


def _by_number(path: Path, ids: set[int], images: Sequence[Path]) -> dict[int, Key]:
    """The ids of images whose whole names are numbers, as COCO's are.

    Raises:
        UserError: only other names have digits that could be meant, or the ids count from 0 where the names do from 1.
    """
    numbers = {number for image in images if COCO_NAME.fullmatch(image.stem) and (number := image_number(image))}
    advice = "give a COCO file with the images' names by --names FILE, or boxes by file name"
    guessed = [image for image in images if not COCO_NAME.fullmatch(image.stem) and image_number(image) in ids]
    if guessed:
        raise UserError(f"{path}: has image ids only, and the digits in {guessed[0].name} need not be one: {advice}")
    if 0 in ids and numbers and len(ids) > 1 and ids - numbers == {0} and {one + 1 for one in ids} <= numbers:
        raise UserError(f"{path}: image ids count from 0, and file names from 1: {advice}")
    return {number: number for number in ids & numbers}


def of_annotations(path: Path, content: dict[str, Any]) -> BoxesFile:
    """Form 2. Raises UserError where an entry is bad, or a name is that of several images."""
    images: dict[int, dict[str, Any]] = {}
    for position, image in enumerate(_objects(path, content, "images")):
        if (problem := image_problem(image)) is not None:
            raise UserError(f"{path}: image {position}: {problem}")
        if images.setdefault(image["id"], image) is not image:
            raise UserError(f"{path}: image {position}: a second image has the id {image['id']}")
    twice = [name for name, number in Counter(image["file_name"] for image in images.values()).items() if number > 1]
    if twice:
        raise UserError(f"{path}: {shown(twice[0])} is the file_name of several images")
    file = BoxesFile(path, ids={image["file_name"]: number for number, image in images.items()})
    file.sizes = {image["file_name"]: (int(image["height"]), int(image["width"])) for image in images.values()}
    info = content.get("info")
    file.label_frame = info.get("exif_orientation") if isinstance(info, dict) else None
    category = _person_category(path, content)
    file.category_id = PERSON if category is None else category
    for position, entry in enumerate(_objects(path, content, "annotations")):
        of_category = category if entry.get("category_id") is None else meant_integer(entry["category_id"])
        if meant_crowd(entry.get("iscrowd")) or category not in (None, of_category):
            continue
        where = f"{path}: annotation {shown(entry.get('id', position))}"
        if not is_id(entry.get("image_id")) or entry["image_id"] not in images:
            raise UserError(f"{where}: image_id {shown(entry.get('image_id'))} is not among the images")
        if (problem := box_problem(entry.get("bbox"))) is not None:
            raise UserError(f"{where}: {problem}")
        image = images[entry["image_id"]]
        if (box := box_of_labelled(_labels_counted(entry), image)) is not None:
            file.add(image["file_name"], where, list(box), entry.get("score", 1.0))
    return file


def by_name(path: Path, content: dict[str, Any], images: Sequence[Path], names: Path | None) -> BoxesFile:
    """Form 3. Raises UserError where a row is bad, or numbers cannot be told as ids."""
    numbers = {name: int(name) for name in content if name.isdecimal() and len(name) <= MOST_DIGITS}
    if len(set(numbers.values())) < len(numbers):
        raise UserError(f"{path}: two names are one number: {listed(numbers, LISTED)}")
    name_of: dict[int, Key] = {}
    if numbers:
        file, name_of = _by_id(path, list(numbers.values()), images, names or names_beside(images))
    else:
        file = BoxesFile(path)
    for given, rows in content.items():
        name = name_of.get(numbers[given], given) if given in numbers else given
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise UserError(f"{path}: {shown(name)}: expected a list of boxes [x, y, width, height], got {shown(rows)}")
        file.boxes[name] = []
        for position, row in enumerate(rows):
            where = f"{path}: {shown(name)}, box {position}"
            file.add(name, where, row[:4], row[4] if len(row) == 5 else 1.0)
            if len(row) > 5:
                raise UserError(f"{where}: bbox must be 4 numbers, or 5 with the score, got {shown(row)}")
    return file


def _objects(path: Path, content: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    if not isinstance(content[key], list) or not all(isinstance(entry, dict) for entry in content[key]):
        raise UserError(f"{path}: {key!r} must be a list of objects")
    yield from content[key]


def _person_category(path: Path, content: dict[str, Any]) -> int | None:
    """The id of the people's category; None where every annotation is one.

    Raises:
        UserError: several could be it.
    """
    categories = [entry for entry in content.get("categories") or [] if isinstance(entry, dict) and "id" in entry]
    categories = [entry for entry in categories if entry.get("keypoints")] or categories
    categories = [entry for entry in categories if entry.get("name") == "person"] or categories
    if len({shown(entry["id"]) for entry in categories}) > 1:
        raise UserError(
            f"{path}: which category are the people? {listed([category_text(one) for one in categories], LISTED)}: "
            'name theirs "person"'
        )
    if categories and not categories[0].get("keypoints") and categories[0].get("name") != "person":
        say_once(f"{path}: its only category, {category_text(categories[0])}, is taken for people")
    chosen = meant_integer(categories[0]["id"]) if categories else None
    return chosen if isinstance(chosen, int) else None


def _labels_counted(entry: dict[str, Any]) -> dict[str, Any]:
    """An annotation with its visibilities counted, and without an area of 0, which would leave it out."""
    counted = {key: value for key, value in entry.items() if key != "area"}
    keypoints = entry.get("keypoints")
    if isinstance(keypoints, list) and keypoints and len(keypoints) % 3 == 0:
        counted["num_keypoints"] = sum(value in (1, 2) for value in keypoints[2::3])
    return counted
