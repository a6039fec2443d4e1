"""Things in front of people, and what they sit on."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from poseur_lib.data.part_labels import Part
from synthetic_people.appearance import MATERIAL_COLUMNS, TOPS, pick_colour
from synthetic_people.kinematics import rotation
from synthetic_people.primitive import Primitive
from synthetic_people.raster import place
from synthetic_people.skeleton import Bone, Skeleton

_OBJECT_COLOURS = (*TOPS, (132, 94, 60), (168, 128, 84), (62, 92, 48), (90, 118, 62), (180, 182, 184))


class Thing(NamedTuple):
    """Primitives of an object in pixels, all of one material."""

    geometry: Float64[np.ndarray, "P 20"]
    material: Float64[np.ndarray, "11"]


def _material(rng: np.random.Generator, grain: float) -> Float64[np.ndarray, "11"]:
    """A plain, striped or blotched surface."""
    row = np.zeros(MATERIAL_COLUMNS)
    row[:3], row[3:6] = pick_colour(rng, _OBJECT_COLOURS, 0.04), pick_colour(rng, _OBJECT_COLOURS, 0.04)
    row[3:6] = 0.6 * row[:3] + 0.4 * row[3:6]
    row[6], row[7], row[8], row[9] = rng.choice([0, 0, 1, 4]), rng.uniform(4, 12), grain, rng.uniform(0, 0.1)
    return row


def panel(
    x: float, y: float, z: float, half: tuple[float, float], degrees: float, scale: float
) -> Float64[np.ndarray, "1 20"]:
    """A flat rectangle facing the viewer: centre, half width and height in px, rotation in the image."""
    prim = Primitive(
        np.zeros(3), rotation(2, degrees), 0.0, half[0] / scale, half[1] / scale, (1, 1, 1), Part.BACKGROUND, 0
    )
    geometry = place([prim], scale, (x, y, z))
    reach = math.hypot(*half) / max(half[0], 1e-9)
    geometry[:, 16:20] = (reach, reach, 0.0, 1.0)
    return geometry


def occluder(rng: np.random.Generator, x: float, y: float, z: float, scale: float) -> Thing:
    """A box, pole, plant or ball whose middle is at (x, y, z) px; `scale` in px a metre."""
    kind, material = int(rng.integers(4)), _material(rng, 0.15)
    if kind == 0:
        half = (scale * rng.uniform(0.12, 0.28), scale * rng.uniform(0.10, 0.22))
        return Thing(panel(x, y, z, half, rng.normal(0, 6), scale), material)
    upright, part = np.eye(3), Part.BACKGROUND
    if kind == 1:
        radius, length = rng.uniform(0.025, 0.07), 4.0
        lean = rotation(2, rng.normal(0, 3))
        prims = [Primitive(-2.0 * lean[:, 1], lean, length, radius, radius, (1, 1, 1), part, 0)]
    elif kind == 2:
        material[:3], material[6] = (0.25, 0.42, 0.2) * rng.uniform(0.7, 1.3, 3), 4
        spots = rng.normal(0, 0.11, (6, 3))
        prims = [
            Primitive(spot, upright, 0.0, 1.0, 1.0, (*rng.uniform(0.06, 0.12, 2), 0.06), part, 0) for spot in spots
        ]
    else:
        radius = rng.uniform(0.10, 0.17)
        prims = [Primitive(np.zeros(3), upright, 0.0, radius, radius, (1, 1, 1), part, 0)]
    return Thing(place(prims, scale, (x, y, z)), material)


def is_seated(skeleton: Skeleton) -> bool:
    """Both thighs are raised well forward."""
    return min(skeleton.pose.left_leg.flexion, skeleton.pose.right_leg.flexion) > 60


def stool(rng: np.random.Generator, skeleton: Skeleton, scale: float, offset: tuple[float, float, float]) -> Thing:
    """What a seated person sits on."""
    body = skeleton.frames[Bone.PELVIS]
    seat = skeleton.origins[Bone.PELVIS] + 0.15 * body[:, 1] - 0.04 * body[:, 2]
    length = max(0.1, skeleton.shape.lower_leg - 0.05)
    prims = [Primitive(seat, body, length, 0.05, 0.05, (3.4, 1.0, 3.0), Part.BACKGROUND, 0)]
    return Thing(place(prims, scale, offset), _material(rng, 0.1))
