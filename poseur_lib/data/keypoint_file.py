"""Files that describe one's own keypoints, and the one that a data folder holds.

    name = "starfish"                                          # optional
    names = ["head", "left_hand", "right_hand", "left_foot", "right_foot"]
    flip_pairs = [["left_hand", "right_hand"], ["left_foot", "right_foot"]]
    skeleton = [["head", "left_hand"], ["head", "right_hand"]]
    sigmas = [0.03, 0.05, 0.05, 0.06, 0.06]                    # optional; 0.05 for all without

in TOML, or the same in JSON; `OwnKeypoints` says what each field means. `not_mirrored` lists names that only look like
mirror images of each other.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from poseur_lib.config.keypoints import KeypointChoice, OwnKeypoints, mirror_images
from poseur_lib.data.annotations import load_json
from poseur_lib.errors import UserError, describe_validation, shown
from poseur_lib.keypoints import KEYPOINT_SETS, keypoint_set

IN_FOLDER = ("keypoints.toml", "keypoints.json")
MOST_BYTES = 2**20


def read_keypoint_file(path: Path) -> OwnKeypoints:
    """One's own keypoints from a TOML or JSON file.

    Raises:
        UserError: the file is missing, neither of the two, or contradicts itself: field and value are named.
    """
    content = _load(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected names, flip_pairs, skeleton, found a {type(content).__name__}")
    not_mirrored = content.pop("not_mirrored", [])
    try:
        own = OwnKeypoints.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise UserError(f"{path}: {describe_validation(error, OwnKeypoints).removeprefix('OwnKeypoints: ')}") from None
    if own.name in (known.name for known in KEYPOINT_SETS):
        raise UserError(f"{path}: name {own.name!r} is a built-in keypoint set: choose another")
    _require_mirror_images(path, own, not_mirrored)
    return own


def _require_mirror_images(path: Path, own: OwnKeypoints, not_mirrored: Any) -> None:
    """Where there are pairs, all names that look like mirror images must be, but for those said to be none."""
    if not isinstance(not_mirrored, list) or not all(name in own.names for name in not_mirrored):
        raise UserError(f"{path}: not_mirrored must be a list of some of the names, got {shown(not_mirrored)}")
    for meant in mirror_images(own.names) if own.flip_pairs else ():
        if meant not in own.flip_pairs and meant[::-1] not in own.flip_pairs and not {*meant} <= {*not_mirrored}:
            others = [" and ".join(pair) for pair in own.flip_pairs if {*pair} & {*meant}]
            has = f"pairs {', '.join(others)}" if others else "has neither"
            raise UserError(
                f"{path}: {' and '.join(meant)} look like mirror images of each other, and flip_pairs {has}: pair them,"
                f" or add not_mirrored = {list(meant)}"
            )


def keypoints_of_folder(folder: Path) -> tuple[Path, OwnKeypoints] | None:
    """What a data folder says of its keypoints, and where; None where it says nothing.

    Raises:
        UserError: as `read_keypoint_file`, or there are two files.
    """
    found = [folder / name for name in IN_FOLDER if (folder / name).exists()]
    if len(found) > 1:
        raise UserError(f"{folder} has {' and '.join(IN_FOLDER)}: keep one of them")
    return (found[0], read_keypoint_file(found[0])) if found else None


def choose_keypoints(given: str, folder: Path | None = None) -> tuple[KeypointChoice | None, str]:
    """The keypoints that are asked for, else those of the data folder; and where they are from, "" if built in.

    Args:
        given: the name of a built-in set or a file of one's own; "" where nothing is asked for.

    Raises:
        UserError: the file cannot be used, or there is neither file nor set of that name.
    """
    if not given:
        found = None if folder is None else keypoints_of_folder(folder)
        return (None, "") if found is None else (found[1], f"{found[0]}: {found[1].text}")
    if Path(given).suffix.lower() in (".toml", ".json") or Path(given).is_file():
        own = read_keypoint_file(Path(given))
        return own, f"{given}: {own.text}"
    keypoint_set(given)
    return given, ""


def _load(path: Path) -> Any:
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: no regular file")
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path}: {path.stat().st_size} bytes are too many for a file of keypoints")
    if path.suffix.lower() != ".toml":
        return load_json(path)
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None
