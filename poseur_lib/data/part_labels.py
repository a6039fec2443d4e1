"""Part labels of the label maps."""

from enum import IntEnum
from pathlib import Path

from poseur_lib.config.data import Split


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


def has_part_labels(root: Path, split: Split) -> bool:
    """True if a data set has label maps of a split."""
    return (root / f"parts_{split}2017").is_dir()
