"""The keypoint names of an annotation file against those of a keypoint set: which of its keypoints is which of ours."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from poseur_lib.config.keypoints import words_of
from poseur_lib.errors import listed
from poseur_lib.keypoints import KEYPOINT_SETS, KeypointSet

SHOWN, LENGTH = 6, 40


class KeypointOrder(NamedTuple):
    """How a file's keypoints are read.

    Attributes:
        positions: keypoint i of the set is keypoint positions[i] of the file.
        note: what was assumed or changed, for a person; "" where the file says what the set says.
        problem: why the file cannot be of the set; None if it can.
    """

    positions: tuple[int, ...]
    note: str = ""
    problem: str | None = None


def keypoint_order(names: Sequence[object], keypoints: KeypointSet) -> KeypointOrder:
    """The order of a file that names its keypoints; as many as the set has, or none.

    Names count as equal that differ in case, separators, the order of their words or in "l" for "left" ("LEye",
    "eye_left"). Names that are only numbered from first to last ("kp_1", "kp_2") say as much as none.
    """
    same = tuple(range(keypoints.num_keypoints))
    exact = sorted(map(str, names)) == sorted(keypoints.names)
    if not exact and (not names or _numbered(names)):
        return KeypointOrder(same, f"the file does not name its keypoints: taken in the order of {keypoints.name!r}")
    given, ours = (
        [(name,) if exact else words_of(name) for name in some] for some in (map(str, names), keypoints.names)
    )
    if sorted(given) != sorted(ours) or len(set(ours)) < len(ours):
        return KeypointOrder(same, problem=_difference(names, keypoints))
    if given == ours:
        return KeypointOrder(same)
    positions = tuple(given.index(name) for name in ours)
    moved = [f"{names[there]} is {there + 1}, not {here + 1}" for here, there in enumerate(positions) if here != there]
    note = f"keypoints are put into the order of {keypoints.name!r} ({listed(moved, 2)}); results have that order too"
    return KeypointOrder(positions, note)


def built_in_set(names: Sequence[object]) -> KeypointSet | None:
    """The built-in set that has exactly these names, in whatever order and spelling; None if none has."""
    given = sorted(words_of(str(name)) for name in names)
    return next((known for known in KEYPOINT_SETS if given == sorted(map(words_of, known.names))), None)


def _numbered(names: Sequence[object]) -> bool:
    found = [re.fullmatch(r"(\D*)(\d+)", str(name)) for name in names]
    numbers = [(match[1], int(match[2])) for match in found if match]
    prefix, first = numbers[0] if numbers else ("", 0)
    return numbers == [(prefix, first + step) for step in range(len(names))]


def _difference(names: Sequence[object], keypoints: KeypointSet) -> str:
    ours = {words_of(name): name for name in keypoints.names}
    given = {words_of(str(name)): str(name)[:LENGTH] for name in names}
    only_file = [name for words, name in given.items() if words not in ours]
    only_set = [name for words, name in ours.items() if words not in given]
    twice = "" if len(given) == len(names) else "; a name comes twice"
    return (
        f"the file's keypoints are not those of {keypoints.name!r}: the file has {listed(only_file, SHOWN) or 'none'} "
        f"in place of {listed(only_set, SHOWN) or 'none'}{twice}"
    )
