"""A COCO keypoint file as every command reads it: checked, and with one meaning for each field.

What repeats other fields is not believed but made of them: `num_keypoints` of the visibilities, an area that is missing
or 0 of the segmentation or the box. What is written otherwise than COCO writes it, and can mean one thing only, gets
COCO's form. What was assumed is in `notes`, what cannot be used in `problems`.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Float
from pycocotools import mask

from poseur_lib.data.annotations import (
    dataset_problems,
    is_finite_number,
    load_annotations,
    meant_crowd,
    meant_integer,
    person_category,
)
from poseur_lib.data.consistency import LabelledPeople, contradictions, doubts, upside_down
from poseur_lib.data.images import LabelFrame
from poseur_lib.data.keypoint_file import keypoints_of_folder
from poseur_lib.data.keypoint_names import built_in_set, keypoint_order
from poseur_lib.errors import shown
from poseur_lib.keypoints import COCO_17, COCO_WHOLEBODY_133, WHOLEBODY_PARTS, KeypointSet

AREA_SHARE = 0.53
"""Of its box: the area, for OKS, of a person of whom neither area nor mask is known (CrowdPose's and xtcocotools')."""
MASK_MARGIN, MAX_EDGES, MAX_MASK = 1.0, 2**22, 2**31
"""What pycocotools can draw: so many of the image's sides beyond it, so many pixels of edges and of the image."""


@dataclass(frozen=True, eq=False)
class AnnotationFile:
    """The content of a file.

    Attributes:
        dataset: as pycocotools takes it; with problems, not to be used.
        category_id: of the people.
        keypoints: the set that they are held to.
        problems: what is wrong, a line each, without the file's name.
        notes: what was assumed or computed, likewise.
        label_frame: what labels of images with an EXIF orientation are of, by "exif_orientation" of the file's "info".
    """

    path: Path
    dataset: dict[str, Any]
    category_id: int
    keypoints: KeypointSet
    num_keypoints: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    label_frame: LabelFrame = "unsaid"

    def say(self) -> None:
        """The notes to the error stream, each once a process."""
        for note in self.notes:
            say_once(f"{self.path}: {note}")


@cache
def say_once(line: str) -> None:
    """A line to the error stream, once a process: several commands read one file several times."""
    print(line, file=sys.stderr)


def read_annotation_file(path: Path, keypoints: KeypointSet | None) -> AnnotationFile:
    """A file of people who are labelled with a keypoint set.

    Args:
        keypoints: None: the built-in set whose names the file has, else COCO's.

    Raises:
        UserError: the file is missing, no JSON or no COCO file at all, or no category is labelled with keypoints.
    """
    dataset = load_annotations(path)
    notes = list(_with_meant_fields(dataset))
    category_id, names, count = person_category(dataset, path)
    named = built_in_set(names)
    if keypoints is None:
        keypoints = named or COCO_17
        notes += [f"its keypoints are those of {_to_train(keypoints)}"] if keypoints != COCO_17 else []
    if keypoints.name == COCO_WHOLEBODY_133.name and count == len(WHOLEBODY_PARTS["body"]):
        names, count = _with_whole_bodies(dataset, names), keypoints.num_keypoints
    if not names and (own := keypoints_of_folder(path.parent.parent)) is not None:
        names = list(own[1].names)
        notes.append(f"the file does not name its keypoints, {own[0]} does")
    problems = []
    hint = f" (their names are those of {_to_train(named)})" if named and named != keypoints else ""
    if count != keypoints.num_keypoints:
        asked = f"keypoint set {keypoints.name!r} has {keypoints.num_keypoints}"
        problems.append(f"people have {count} keypoints, but {asked}{hint}")
        order = None
    else:
        order = keypoint_order(names, keypoints)
        problems += [order.problem + hint] if order.problem else []
        notes += [order.note] if order.note else []
    problems += dataset_problems(dataset, category_id, count)
    if not problems and order is not None:
        people = [entry for entry in dataset["annotations"] if entry.get("category_id", category_id) == category_id]
        notes += _others(dataset, people)
        values = np.array([entry["keypoints"] for entry in people], np.float64).reshape(len(people), count, 3)
        if order.positions != tuple(range(count)):
            values = values[:, order.positions]
            for entry, row in zip(people, values.reshape(len(people), -1).tolist(), strict=True):
                entry["keypoints"] = row
        notes += _count_keypoints(people, values)
        images = {image["id"]: image for image in dataset["images"]}
        notes += _fill_areas(people, images)
        counted = [index for index, entry in enumerate(people) if _is_counted(entry)]
        labelled = [people[index] for index in counted]
        of_labelled = LabelledPeople.of(labelled, images, values if len(counted) == len(people) else values[counted])
        problems += contradictions(of_labelled)
        notes += [*doubts(of_labelled), *upside_down(of_labelled, keypoints.names)]
    info = dataset.get("info")
    frame: Any = info.get("exif_orientation", "unsaid") if isinstance(info, dict) else "unsaid"
    if frame not in get_args(LabelFrame):
        problems.append(f'exif_orientation of "info" must be "applied" or "ignored", got {shown(frame)}')
        frame = "unsaid"
    return AnnotationFile(path, dataset, category_id, keypoints, count, tuple(problems), tuple(notes), frame)


def _to_train(keypoints: KeypointSet) -> str:
    """A built-in set, and what makes training take it."""
    return f"{keypoints.name!r}: `poseur train --keypoints {keypoints.name}` is for them"


WHOLEBODY_FIELDS = {"foot_kpts": "foot", "face_kpts": "face", "lefthand_kpts": "left hand",
                    "righthand_kpts": "right hand"}  # fmt: skip
"""COCO-WholeBody's, beside "keypoints", with the parts of the body that they hold."""
MAX_MARK = 2
"""What a keypoint's third value may be at most, a score or COCO's flag."""


def _with_whole_bodies(dataset: dict[str, Any], names: list[Any]) -> list[Any]:
    """Puts the five fields of COCO-WholeBody's people into one, as far as they are there; the names of all keypoints.

    A field that is missing is not labelled; one that is no list stays away, and its person has too few values.
    `num_keypoints` goes: there it is the number of the body's.
    """
    for entry in dataset["annotations"]:
        if isinstance(entry.get("keypoints"), list):
            entry.pop("num_keypoints", None)
            for field, part in WHOLEBODY_FIELDS.items():
                values = entry.pop(field, None)
                entry["keypoints"] += [0] * (3 * len(WHOLEBODY_PARTS[part])) if values is None else _of_part(values)
    return [*names, *COCO_WHOLEBODY_133.names[len(names) :]] if names else []


def _of_part(values: Any) -> list[Any]:
    """A part's values with visibility 2 for every labelled keypoint.

    COCO-WholeBody left scores of its automatic labelling there: a number above 0 says "reliable", and not how visible.
    """
    if not isinstance(values, list):
        return []
    if any(marks := values[2::3]):
        values[2::3] = [2 if is_finite_number(mark) and 0 < mark <= MAX_MARK else mark for mark in marks]
    return values


def _with_meant_fields(dataset: dict[str, Any]) -> Iterator[str]:
    """Puts category ids and `iscrowd` into COCO's form where they can mean one thing only, and says so."""
    changed: dict[str, list[Any]] = {}
    for category in dataset["categories"]:
        if "id" in category:
            category["id"] = meant_integer(category["id"])
    for entry in dataset["annotations"]:
        category_id, crowd = entry.get("category_id", 0), entry.get("iscrowd")
        if type(category_id) is not int and category_id != (meant := meant_integer(category_id)):
            entry["category_id"] = meant
            changed.setdefault(f"category_id {shown(category_id)} is taken as {shown(meant)}", []).append(
                entry.get("id")
            )
        if type(crowd) is not int:
            entry["iscrowd"] = meant_crowd(crowd)
            if "iscrowd" in entry and crowd is not None and crowd != entry["iscrowd"]:
                text = f"iscrowd {shown(crowd)} is taken as {shown(entry['iscrowd'])}"
                changed.setdefault(text, []).append(entry.get("id"))
            elif crowd is None:
                changed.setdefault("iscrowd is not said: taken as 0", []).append(entry.get("id"))
    for text, ids in changed.items():
        yield f"{text} ({len(ids)} annotations, first {ids[0]})"


def _others(dataset: dict[str, Any], people: list[dict[str, Any]]) -> Iterator[str]:
    unsaid = [entry for entry in people if "category_id" not in entry]
    if unsaid:
        yield f"{len(unsaid)} annotations have no category_id: taken as people (first {unsaid[0]['id']})"
    known = [category.get("id") for category in dataset["categories"]]
    strange = [entry for entry in dataset["annotations"] if entry.get("category_id") not in (None, *known)]
    if strange:
        yield (
            f"{len(strange)} annotations are left out: category {shown(strange[0]['category_id'])} is not among the "
            f"categories (first {strange[0].get('id')})"
        )


def _count_keypoints(people: list[dict[str, Any]], values: Float[np.ndarray, "N K 3"]) -> Iterator[str]:
    """Sets `num_keypoints` to the number of labelled keypoints, and says where it was another one."""
    wrong = []
    for entry, count in zip(people, (values[..., 2] > 0).sum(axis=1).tolist(), strict=True):
        if entry.get("num_keypoints", count) != count:
            wrong.append((entry["id"], entry["num_keypoints"], count))
        entry["num_keypoints"] = count
    if wrong:
        first, said, count = wrong[0]
        yield (
            f"num_keypoints of {len(wrong)} annotations is not the number of labelled keypoints, which counts: "
            f"annotation {first} says {shown(said)}, and {count} have visibility 1 or 2"
        )


def _is_counted(person: dict[str, Any]) -> bool:
    return bool(person["num_keypoints"]) and not person["iscrowd"]


def _fill_areas(people: list[dict[str, Any]], images: dict[int, dict[str, Any]]) -> Iterator[str]:
    """Computes areas that are missing or 0, and says so.

    pycocotools reads that of everybody; whose area is 0, and who is not counted, keeps it.
    """
    missing = [one for one in people if one.get("area") is None or (not one["area"] and _is_counted(one))]
    boxes = 0
    for entry in missing:
        area = segmentation_area(entry.get("segmentation"), images[entry["image_id"]])
        boxes += area is None
        entry["area"] = float(AREA_SHARE * entry["bbox"][2] * entry["bbox"][3]) if area is None else area
    if missing:
        yield (
            f"area of {len(missing)} annotations is missing or 0 (first {missing[0]['id']}): computed from the "
            f"segmentation of {len(missing) - boxes} and as {AREA_SHARE:g} of the box of {boxes}"
        )


def segmentation_area(segmentation: Any, image: dict[str, Any]) -> float | None:
    """Pixels of a COCO segmentation: polygons or run lengths; None where there is none that can be read.

    pycocotools checks neither and may end the process: polygons have to be near the image, run lengths to fill it.
    """
    height, width = int(image["height"]), int(image["width"])
    try:
        if isinstance(segmentation, dict):
            counts = segmentation["counts"]
            runs = counts if isinstance(counts, list) else _run_lengths(counts)
            fills = segmentation["size"] == [height, width] and min(runs) >= 0 and sum(runs) == height * width
            return float(sum(runs[1::2])) or None if fills else None
        if not all(_can_be_drawn(polygon, height, width) for polygon in segmentation):
            return None
        return float(mask.area(mask.merge(mask.frPyObjects(segmentation, height, width)))) or None
    except Exception:  # of what is no segmentation
        return None


def _can_be_drawn(polygon: list[float], height: int, width: int) -> bool:
    points = np.array(polygon, np.float64).reshape(-1, 2)
    if len(points) < 3 or height * width > MAX_MASK:
        return False
    if not (np.abs(points / (width, height) - 0.5) <= 0.5 + MASK_MARGIN).all():
        return False
    return bool(np.abs(np.diff(points, axis=0, append=points[:1])).sum() < MAX_EDGES)


def _run_lengths(text: str) -> list[int]:
    """COCO's compressed run lengths: 5 bits a character, and from the fourth on the difference to the last but one.

    Raises:
        ValueError: a character is not one of them, or the last number goes on.
    """
    runs: list[int] = []
    value = bits = 0
    for character in map(ord, text):
        digit = character - 48
        if not 0 <= digit < 64:
            raise ValueError(text)
        value |= (digit & 31) << bits
        bits += 5
        if not digit & 32:
            value -= (digit & 16) << bits - 4
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = bits = 0
    if bits:
        raise ValueError(text)
    return runs
