"""Reading COCO annotation files, and what can be wrong with them, entry by entry."""

import gc
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import normpath
from pathlib import Path
from typing import Any

from poseur_lib.errors import SHOWN, UserError, shown
from poseur_lib.files import read_regular

MAX_ID = 2**63
MAX_BYTES = 2**32
"""Of a JSON file; COCO's largest has 2**29."""
MAX_SIDE = 10**6
"""Pixels: what an image, a box or a keypoint may have at most."""
NO_NAME = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
MAX_SCORE = 10**6
VISIBILITIES = {0, 1, 2}


def load_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        UserError: the file is missing, is not JSON (the message gives line and column), or gives one key two values.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs) and (twice := [key for key, value in pairs if content[key] != value]):
            raise UserError(f"{path}: {shown(twice[0])} comes twice in one object, with different values")
        return content

    try:
        with no_collection():
            return json.loads(read_regular(path, MAX_BYTES), object_pairs_hook=once)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not valid JSON at line {error.lineno} column {error.colno}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not valid JSON: byte {error.start} is not text") from None
    except UserError:
        raise
    except RecursionError:
        raise UserError(f"{path}: JSON that is nested too deeply") from None
    except ValueError:  # Python converts no integer of more digits
        raise UserError(f"{path}: a number has more than {sys.get_int_max_str_digits()} digits") from None


@contextmanager
def no_collection() -> Iterator[None]:
    """No search for garbage while millions of objects are made, none of which is any."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def load_annotations(path: Path) -> dict[str, Any]:
    """A COCO annotation file: an object with the lists "images", "annotations" and "categories".

    Raises:
        UserError: as `load_json`; or the top level is something else.
    """
    dataset = load_json(path)
    if not isinstance(dataset, dict):
        raise UserError(f"{path}: expected an object at the top level, found {kind_of(dataset)}")
    for key in ("images", "annotations", "categories"):
        entries = dataset.get(key)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise UserError(f"{path}: {key!r} must be a list of objects")
    return dataset


def listed_images(path: Path) -> list[dict[str, Any]]:
    """The images that a file lists, which may have nothing else.

    Raises:
        UserError: as `load_json`; or there is no list of objects.
    """
    content = load_json(path)
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        raise UserError(f"{path}: 'images' must be a list of objects")
    return images


def person_category(dataset: dict[str, Any], path: Path) -> tuple[int, list[Any], int]:
    """The category whose people are labelled: its id, its keypoints' names (none where it says none) and their number.

    It is the one that names keypoints, "person" where several do; where none does, "person" or the only one.

    Raises:
        UserError: there is none, or people of several are labelled, of whom all but one's would be left out.
    """
    candidates = [entry for entry in dataset["categories"] if entry.get("keypoints") and "id" in entry]
    candidates.sort(key=lambda entry: entry.get("name") != "person")
    if candidates:
        labelled = _labelled_of(candidates, dataset["annotations"]) if len(candidates) > 1 else {}
        if len(labelled) > 1:
            counts = ", ".join(f"{text} {count}" for text, count in labelled.items())
            raise UserError(f"{path}: people of {len(labelled)} categories are labelled ({counts}): give them one")
        chosen = candidates[0]
        if not isinstance(chosen["keypoints"], list):
            raise UserError(f"{path}: keypoints of category {shown(chosen['id'])} must be a list of names")
        return require_integer(chosen["id"], path), chosen["keypoints"], len(chosen["keypoints"])
    unnamed = [entry for entry in dataset["categories"] if "id" in entry]
    people = [entry for entry in unnamed if entry.get("name") == "person"] or (unnamed if len(unnamed) == 1 else [])
    labels = (entry["keypoints"] for entry in dataset["annotations"] if isinstance(entry.get("keypoints"), list))
    if not people or (first := next(labels, None)) is None:
        raise UserError(f"{path}: no category has a list of keypoint names")
    return require_integer(people[0]["id"], path), [], len(first) // 3


def _labelled_of(categories: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> Counter[str]:
    """How many annotations with a labelled keypoint each category has, by its id and name; none where it has none."""
    by_id = {one["id"]: category_text(one) for one in categories if isinstance(one["id"], int)}
    return Counter(
        by_id[entry["category_id"]]
        for entry in annotations
        if isinstance(entry.get("category_id"), int) and entry["category_id"] in by_id
        if isinstance(entry.get("keypoints"), list) and any(entry["keypoints"][2::3])
    )


def category_text(category: dict[str, Any]) -> str:
    """A category as a message names it."""
    return f"{shown(category['id'])} {shown(category.get('name'))}"


def require_integer(category_id: Any, path: Path) -> int:
    """A category's id.

    Raises:
        UserError: it is no integer.
    """
    if not isinstance(category_id, int) or isinstance(category_id, bool):
        raise UserError(f"{path}: id of a category must be an integer, got {shown(category_id)}")
    return category_id


def dataset_problems(dataset: dict[str, Any], category_id: int, num_keypoints: int) -> Iterator[str]:
    """What is wrong with the images and with the annotations of one category; each message names the entry's id."""
    image_ids: set[int] = set()
    of_file: dict[str, int] = {}
    for image in dataset["images"]:
        problem = image_problem(image)
        if problem is None and image["id"] in image_ids:
            problem = "a second image has this id"
        if problem is None and (other := of_file.setdefault(normpath(image["file_name"]), image["id"])) != image["id"]:
            problem = f"file_name {shown(image['file_name'])} is that of image {other} too: each has a file of its own"
        if problem:
            yield f"image {shown(image.get('id', '(no id)'))}: {problem}"
        if type(image.get("id")) is int:
            image_ids.add(image["id"])
    seen: set[int] = set()
    category_ids = [category.get("id") for category in dataset["categories"]]
    for entry in dataset["annotations"]:
        of_category = entry.get("category_id", category_id)
        if (
            of_category != category_id
            and not isinstance(of_category, bool)
            and isinstance(of_category, int)
            and (of_category or 0 in category_ids)
        ):
            continue
        problem = annotation_problem(entry, image_ids, num_keypoints)
        if of_category != category_id or isinstance(of_category, bool):
            problem = f"category_id {shown(of_category)} is not among the categories (people are {category_id})"
        if problem is None and entry["id"] in seen:
            problem = "a second annotation has this id"
        if problem:
            yield f"annotation {shown(entry.get('id', '(no id)'))}: {problem}"
        else:
            seen.add(entry["id"])


def detection_problems(detections: Any) -> Iterator[str]:
    """What is wrong with the content of a COCO detection file; each message names the entry's position from 0."""
    if not isinstance(detections, list):
        yield f"expected a list of detections at the top level, found {kind_of(detections)}"
        return
    for position, entry in enumerate(detections):
        if not isinstance(entry, dict):
            yield f"detection {position}: expected an object, found {shown(entry)}"
        elif not is_id(entry.get("image_id")):
            yield f"detection {position}: image_id must be an integer, got {shown(entry.get('image_id'))}"
        elif (problem := box_problem(entry.get("bbox")) or score_problem(entry.get("score"))) is not None:
            yield f"detection {position} (image {entry['image_id']}): {problem}"
        elif type(meant_integer(category := entry.get("category_id"))) is not int and category is not None:
            what = f"category_id must be an integer, got {shown(category)}"
            yield f"detection {position} (image {entry['image_id']}): {what}"


def box_problem(box: Any, name: str = "bbox") -> str | None:
    """Why this is not a box of four finite numbers; None if it is one."""
    if not isinstance(box, list) or len(box) != 4:
        return f"{name} must be 4 numbers, got {shown(box)}"
    if not _all_finite(box) or bool in map(type, box):
        return f"{name} must be finite, got {shown(box)}"
    if max(box) > MAX_SIDE or min(box) < -MAX_SIDE:
        return f"{name} must be in pixels, at most {MAX_SIDE}, got {shown(box)}"
    if name == "head_box":
        empty = box[2] <= box[0] or box[3] <= box[1]
        return f"head_box must be left, top, right, bottom of a box, got {shown(box)}" if empty else None
    if box[2] < 0 or box[3] < 0:
        return f"width and height of the {name} must not be negative, got {shown(box)}"
    return None


def meant_integer(value: Any) -> Any:
    """A category's id that is written as text or as 1.0, as the integer that it means; everything else as it is."""
    if isinstance(value, str) and len(value) <= SHOWN and value.strip().isdecimal() and value.isascii():
        return int(value)  # which takes 4,300 digits at most
    return int(value) if isinstance(value, float) and value.is_integer() else value


def meant_crowd(value: Any) -> Any:
    """`iscrowd` as 0 or 1, where it is null, true, 1.0 or "1"; everything else as it is."""
    if value is None:
        return 0
    words = {"false": 0, "true": 1, "": 0}
    value = words.get(value.strip().lower(), value) if isinstance(value, str) else value
    return int(value) if isinstance(value, bool) else meant_integer(value)


def score_problem(score: Any) -> str | None:
    """Why this is not a score; None if it is one. A detector's may be logits, so that there is no narrow range."""
    if not is_finite_number(score):
        return f"score must be finite, got {shown(score)}"
    return f"score must be at most {MAX_SCORE}, got {shown(score)}" if abs(score) > MAX_SCORE else None


def is_finite_number(value: Any) -> bool:
    """Whether this is an int or float (not a bool), neither infinite nor NaN."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def is_id(value: Any) -> bool:
    """Whether pycocotools can hold this as an id: an integer of 64 bits."""
    return type(value) is int and -MAX_ID <= value < MAX_ID


def kind_of(value: Any) -> str:
    """What a JSON value is, in its own words."""
    return {dict: "an object", list: "a list", str: "a text", type(None): "null", bool: "true or false"}.get(
        type(value), "a number"
    )


def image_problem(image: dict[str, Any]) -> str | None:
    """What is wrong with an entry of the images; None if nothing is."""
    if not is_id(image.get("id")):
        return f"id must be an integer of 64 bits, got {shown(image.get('id'))}"
    name = image.get("file_name")
    if not isinstance(name, str) or not name.strip() or NO_NAME.search(name):
        return f"file_name must be a file's name, got {shown(name)}"
    for side in ("height", "width"):
        value: Any = image.get(side)
        if not is_finite_number(value) or not 0 < value <= MAX_SIDE or value != int(value):
            return f"{side} must be a positive integer of at most {MAX_SIDE}, got {shown(value)}"
    return None


def annotation_problem(entry: dict[str, Any], image_ids: set[int], num_keypoints: int) -> str | None:
    """What is wrong with an annotation of these images; None if nothing is."""
    if not is_id(entry.get("id")) or entry["id"] < 1:
        return f"id must be a positive integer (pycocotools takes 0 for 'no match'), got {shown(entry.get('id'))}"
    if type(entry.get("image_id")) is not int or entry["image_id"] not in image_ids:
        return f"image_id {shown(entry.get('image_id'))} is not among the images"
    if (problem := box_problem(entry.get("bbox"))) is not None:
        return problem
    for name in ("crop_box", "head_box"):
        if name in entry and (problem := box_problem(entry[name], name)) is not None:
            return problem
    area = entry.get("area")
    if area is not None and (not is_finite_number(area) or not 0 <= area <= MAX_SIDE**2):
        return f"area must be finite and not negative, got {shown(area)}"
    if entry.get("iscrowd", 0) not in (0, 1):
        return f"iscrowd must be 0 or 1, got {shown(entry['iscrowd'])}"
    keypoints = entry.get("keypoints")
    if not isinstance(keypoints, list) or len(keypoints) != 3 * num_keypoints:
        found = f"{len(keypoints)} values" if isinstance(keypoints, list) else shown(keypoints)
        return f"keypoints must be {3 * num_keypoints} values (3 for each of {num_keypoints}), got {found}"
    if not _all_finite(keypoints):
        return "keypoints must be finite numbers"
    if keypoints and (max(keypoints) > MAX_SIDE or min(keypoints) < -MAX_SIDE):
        return f"keypoints must be in pixels, at most {MAX_SIDE}, got {shown(max(keypoints, key=abs))}"
    if not set(keypoints[2::3]) <= VISIBILITIES:
        return f"visibility must be 0, 1 or 2, got {sorted(set(keypoints[2::3]) - VISIBILITIES)[0]!r}"
    if not isinstance(entry.get("num_keypoints", 0), int):
        return f"num_keypoints must be an integer, got {shown(entry['num_keypoints'])}"
    return None


def _all_finite(values: list[Any]) -> bool:
    try:
        return all(map(math.isfinite, values))
    except (TypeError, OverflowError):
        return False
