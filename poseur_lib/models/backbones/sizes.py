"""Sizes that a backbone takes and gives."""

import math

from poseur_lib.errors import UserError

LEVELS = ("res2", "res3", "res4", "res5")


def map_sizes(input_size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Sizes (height, width) of the four maps: half of the input, rounded up, at each of five steps of stride 2."""
    return tuple(tuple(math.ceil(side / 2 ** (level + 2)) for side in input_size) for level in range(4))


def require_multiple(input_size: tuple[int, int], multiple: int, name: str) -> None:
    """Checks a crop size (height, width).

    Raises:
        UserError: height or width is no multiple of what the backbone's strides need.
    """
    height, width = input_size
    if height % multiple or width % multiple:
        raise UserError(f"input size {height}x{width} does not fit {name}: both must be multiples of {multiple}")
