"""Part labels of the label maps, and which parts show which keypoint."""

from enum import IntEnum
from typing import NamedTuple

from poseur_lib.keypoints import COCO_17


class Part(IntEnum):
    """Value of a pixel in `parts_{split}2017/*.png`; left and right are the person's own."""

    BACKGROUND = 0
    FACE = 1
    HAIR = 2
    TORSO = 3
    LEFT_UPPER_ARM = 4
    RIGHT_UPPER_ARM = 5
    LEFT_LOWER_ARM = 6
    RIGHT_LOWER_ARM = 7
    LEFT_UPPER_LEG = 8
    RIGHT_UPPER_LEG = 9
    LEFT_LOWER_LEG = 10
    RIGHT_LOWER_LEG = 11
    LEFT_FOOT = 12
    RIGHT_FOOT = 13


PART_NAMES: tuple[str, ...] = tuple(part.name.lower() for part in Part)
NUM_PARTS = len(PART_NAMES)
FLIP_PAIRS: tuple[tuple[int, int], ...] = tuple((left, left + 1) for left in range(Part.LEFT_UPPER_ARM, NUM_PARTS, 2))


class ShownBy(NamedTuple):
    """A keypoint is visible where the front-most surface is one of `parts`, at most `depth` metres before it."""

    parts: tuple[Part, ...]
    depth: float


def _sides(left_parts: tuple[Part, ...], depth: float) -> tuple[ShownBy, ShownBy]:
    """The rule of a left keypoint and its mirror image; parts below LEFT_UPPER_ARM have no side."""
    mirrored = tuple(Part(p + 1) if p >= Part.LEFT_UPPER_ARM else p for p in left_parts)
    return ShownBy(left_parts, depth), ShownBy(mirrored, depth)


_HEAD = (Part.FACE, Part.HAIR)
SHOWN_BY: tuple[ShownBy, ...] = (
    ShownBy(_HEAD, 0.05),
    *_sides(_HEAD, 0.05),
    *_sides(_HEAD, 0.07),
    *_sides((Part.TORSO, Part.LEFT_UPPER_ARM, Part.HAIR), 0.17),
    *_sides((Part.LEFT_UPPER_ARM, Part.LEFT_LOWER_ARM), 0.12),
    *_sides((Part.LEFT_LOWER_ARM,), 0.10),
    *_sides((Part.TORSO, Part.LEFT_UPPER_LEG), 0.19),
    *_sides((Part.LEFT_UPPER_LEG, Part.LEFT_LOWER_LEG), 0.16),
    *_sides((Part.LEFT_LOWER_LEG, Part.LEFT_FOOT), 0.16),
)
"""One rule per COCO keypoint, in COCO's order."""

assert len(SHOWN_BY) == COCO_17.num_keypoints
