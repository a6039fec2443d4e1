"""The one shape that everything is drawn with.

A primitive is the hull of two spheres (a tapered capsule) stretched along its own left, down and forward axes; with
length 0 it is an ellipsoid. Lengths in metres here, in pixels once placed.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from synthetic_people.skeleton import Skeleton


class Decal(IntEnum):
    """What is painted on a primitive, in its own frame."""

    NONE = 0
    FACE = 1
    CHEST = 2
    BELLY = 3
    HIPS = 4
    SHOE = 5


class Primitive(NamedTuple):
    """One shape: its first sphere's centre, its frame (columns left, down, forward), the distance of the spheres."""

    start: Float[np.ndarray, "3"]
    frame: Float[np.ndarray, "3 3"]
    length: float
    first_radius: float
    second_radius: float
    stretch: tuple[float, float, float]
    part: int
    material: int
    decal: int = Decal.NONE


ROUND = (1.0, 1.0, 1.0)


def at(skeleton: Skeleton, bone: int, left: float, down: float, forward: float) -> Float[np.ndarray, "3"]:
    """A point given in a bone's frame, metres from its origin."""
    return skeleton.origins[bone] + skeleton.frames[bone] @ np.array((left, down, forward))


def along(start: np.ndarray, end: np.ndarray, forward: np.ndarray) -> tuple[Float[np.ndarray, "3 3"], float]:
    """A frame whose down axis runs from `start` to `end`, and their distance."""
    axis = end - start
    length = float(np.sqrt(axis @ axis)) + 1e-9
    down = axis / length
    front = forward - (forward @ down) * down
    front = front / (np.sqrt(front @ front) + 1e-9)
    left = down[[1, 2, 0]] * front[[2, 0, 1]] - down[[2, 0, 1]] * front[[1, 2, 0]]
    return np.stack([left, down, front], axis=1), length
