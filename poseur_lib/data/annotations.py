"""Reading COCO annotation files, and what can be wrong with them, entry by entry."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from poseur_lib.errors import UserError


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


def person_category(dataset: dict[str, Any], path: Path) -> tuple[int, int]:
    """Id and number of keypoints of the category that has keypoints ("person", where there are several).

    Raises:
        UserError: there is none.
    """
    candidates = [entry for entry in dataset["categories"] if entry.get("keypoints") and "id" in entry]
    candidates.sort(key=lambda entry: entry.get("name") != "person")
    if not candidates:
        raise UserError(f"{path}: no category has a list of keypoint names")
    return candidates[0]["id"], len(candidates[0]["keypoints"])


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
    for entry in dataset["annotations"]:
        if entry.get("category_id", category_id) != category_id:
            continue
        problem = _annotation_problem(entry, image_ids, num_keypoints)
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
    if not all(is_finite_number(value) for value in box):
        return f"bbox must be finite, got {box!r}"
    return None


def is_finite_number(value: Any) -> bool:
    """Whether this is an int or float (not a bool), neither infinite nor NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _image_problem(image: dict[str, Any]) -> str | None:
    if not isinstance(image.get("id"), int):
        return f"id must be an integer, got {image.get('id')!r}"
    if not isinstance(image.get("file_name"), str):
        return f"file_name must be a string, got {image.get('file_name')!r}"
    for side in ("height", "width"):
        if not is_finite_number(image.get(side)) or image[side] <= 0:
            return f"{side} must be positive, got {image.get(side)!r}"
    return None


def _annotation_problem(entry: dict[str, Any], image_ids: set[int], num_keypoints: int) -> str | None:
    if not isinstance(entry.get("id"), int) or entry["id"] < 1:
        return f"id must be a positive integer (pycocotools takes 0 for 'no match'), got {entry.get('id')!r}"
    if entry.get("image_id") not in image_ids:
        return f"image_id {entry.get('image_id')!r} is not among the images"
    if (problem := box_problem(entry.get("bbox"))) is not None:
        return problem
    if not is_finite_number(entry.get("area")):
        return f"area must be finite, got {entry.get('area')!r}"
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
    except TypeError:
        return False
