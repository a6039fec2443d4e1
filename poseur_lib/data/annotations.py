"""Reading COCO annotation files, and what can be wrong with them, entry by entry."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from poseur_lib.errors import UserError

MAX_ID = 2**63


def load_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: the file is missing, or is not JSON; the message gives line and column.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not valid JSON at line {error.lineno} column {error.colno}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not valid JSON: byte {error.start} is not text") from None


def load_annotations(path: Path) -> dict[str, Any]:
    """A COCO annotation file: an object with the lists "images", "annotations" and "categories".

    Raises:
        UserError: as `load_json`; or the top level is something else.
    """
    dataset = load_json(path)
    if not isinstance(dataset, dict):
        raise UserError(f"{path}: expected an object at the top level, found a {type(dataset).__name__}")
    for key in ("images", "annotations", "categories"):
        entries = dataset.get(key)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise UserError(f"{path}: {key!r} must be a list of objects")
    return dataset


def person_category(dataset: dict[str, Any], path: Path) -> tuple[int, list[Any], int]:
    """The category whose people are labelled: its id, its keypoints' names (none where it says none) and their number.

    It is the one that names keypoints, "person" where several do; where none does, "person" or the only one.

    Raises:
        UserError: there is none.
    """
    candidates = [entry for entry in dataset["categories"] if entry.get("keypoints") and "id" in entry]
    candidates.sort(key=lambda entry: entry.get("name") != "person")
    if candidates:
        chosen = candidates[0]
        if not isinstance(chosen["keypoints"], list):
            raise UserError(f"{path}: keypoints of category {chosen['id']!r} must be a list of names")
        return require_integer(chosen["id"], path), chosen["keypoints"], len(chosen["keypoints"])
    unnamed = [entry for entry in dataset["categories"] if "id" in entry]
    people = [entry for entry in unnamed if entry.get("name") == "person"] or (unnamed if len(unnamed) == 1 else [])
    labels = (entry["keypoints"] for entry in dataset["annotations"] if isinstance(entry.get("keypoints"), list))
    if not people or (first := next(labels, None)) is None:
        raise UserError(f"{path}: no category has a list of keypoint names")
    return require_integer(people[0]["id"], path), [], len(first) // 3


def require_integer(category_id: Any, path: Path) -> int:
    """A category's id.

    Raises:
        UserError: it is no integer.
    """
    if not isinstance(category_id, int) or isinstance(category_id, bool):
        raise UserError(f"{path}: id of a category must be an integer, got {category_id!r}")
    return category_id


def dataset_problems(dataset: dict[str, Any], category_id: int, num_keypoints: int) -> Iterator[str]:
    """What is wrong with the images and with the annotations of one category; each message names the entry's id."""
    image_ids: set[int] = set()
    for image in dataset["images"]:
        problem = _image_problem(image)
        if problem is None and image["id"] in image_ids:
            problem = "a second image has this id"
        if problem:
            yield f"image {image.get('id', '(no id)')}: {problem}"
        else:
            image_ids.add(image["id"])
    seen: set[int] = set()
    category_ids = [category.get("id") for category in dataset["categories"]]
    for entry in dataset["annotations"]:
        of_category = entry.get("category_id", category_id)
        if of_category != category_id and isinstance(of_category, int) and (of_category or 0 in category_ids):
            continue
        problem = _annotation_problem(entry, image_ids, num_keypoints)
        if of_category != category_id:
            problem = f"category_id {of_category!r} is not among the categories (people are {category_id})"
        if problem is None and entry["id"] in seen:
            problem = "a second annotation has this id"
        if problem:
            yield f"annotation {entry.get('id', '(no id)')}: {problem}"
        else:
            seen.add(entry["id"])


def detection_problems(detections: Any) -> Iterator[str]:
    """What is wrong with the content of a COCO detection file; each message names the entry's position from 0."""
    if not isinstance(detections, list):
        yield f"expected a list of detections at the top level, found a {type(detections).__name__}"
        return
    for position, entry in enumerate(detections):
        if not isinstance(entry, dict):
            yield f"detection {position}: expected an object, found {entry!r}"
        elif not isinstance(entry.get("image_id"), int):
            yield f"detection {position}: image_id must be an integer, got {entry.get('image_id')!r}"
        elif (problem := box_problem(entry.get("bbox"))) is not None:
            yield f"detection {position} (image {entry['image_id']}): {problem}"
        elif not is_finite_number(entry.get("score")):
            yield f"detection {position} (image {entry['image_id']}): score must be finite, got {entry.get('score')!r}"


def box_problem(box: Any) -> str | None:
    """Why this is not a box of four finite numbers; None if it is one."""
    if not isinstance(box, list) or len(box) != 4:
        return f"bbox must be 4 numbers, got {box!r}"
    if not _all_finite(box) or bool in map(type, box):
        return f"bbox must be finite, got {box!r}"
    if box[2] < 0 or box[3] < 0:
        return f"width and height of the bbox must not be negative, got {box!r}"
    return None


def is_finite_number(value: Any) -> bool:
    """Whether this is an int or float (not a bool), neither infinite nor NaN."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def _image_problem(image: dict[str, Any]) -> str | None:
    if not isinstance(image.get("id"), int) or not -MAX_ID <= image["id"] < MAX_ID:
        return f"id must be an integer of 64 bits, got {image.get('id')!r}"
    if not isinstance(image.get("file_name"), str):
        return f"file_name must be a string, got {image.get('file_name')!r}"
    for side in ("height", "width"):
        if not is_finite_number(image.get(side)) or image[side] <= 0:
            return f"{side} must be positive, got {image.get(side)!r}"
    return None


def _annotation_problem(entry: dict[str, Any], image_ids: set[int], num_keypoints: int) -> str | None:
    if not isinstance(entry.get("id"), int) or not 1 <= entry["id"] < MAX_ID:
        return f"id must be a positive integer (pycocotools takes 0 for 'no match'), got {entry.get('id')!r}"
    if entry.get("image_id") not in image_ids:
        return f"image_id {entry.get('image_id')!r} is not among the images"
    if (problem := box_problem(entry.get("bbox"))) is not None:
        return problem
    area = entry.get("area")
    if area is not None and (not is_finite_number(area) or area < 0):
        return f"area must be finite and not negative, got {area!r}"
    if entry.get("iscrowd", 0) not in (0, 1):
        return f"iscrowd must be 0 or 1, got {entry['iscrowd']!r}"
    keypoints = entry.get("keypoints")
    if not isinstance(keypoints, list) or len(keypoints) != 3 * num_keypoints:
        found = f"{len(keypoints)} values" if isinstance(keypoints, list) else repr(keypoints)
        return f"keypoints must be {3 * num_keypoints} values (3 for each of {num_keypoints}), got {found}"
    if not _all_finite(keypoints):
        return "keypoints must be finite numbers"
    if not set(keypoints[2::3]) <= {0, 1, 2}:
        return f"visibility must be 0, 1 or 2, got {sorted(set(keypoints[2::3]) - {0, 1, 2})[0]!r}"
    if not isinstance(entry.get("num_keypoints", 0), int):
        return f"num_keypoints must be an integer, got {entry['num_keypoints']!r}"
    return None


def _all_finite(values: list[Any]) -> bool:
    try:
        return all(map(math.isfinite, values))
    except (TypeError, OverflowError):
        return False
