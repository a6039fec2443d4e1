"""From a skeleton and clothes to the primitives that are drawn.

A primitive is the hull of two spheres (a tapered capsule) stretched along its own left, down and forward axes; with
length 0 it is an ellipsoid. Lengths in metres here, in pixels once placed.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from poseur_lib.people.appearance import Appearance, Material
from poseur_lib.people.kinematics import HEAD_RADII
from poseur_lib.people.parts import Part
from poseur_lib.people.skeleton import Bone, Skeleton


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


_ROUND = (1.0, 1.0, 1.0)


def _at(skeleton: Skeleton, bone: int, left: float, down: float, forward: float) -> Float[np.ndarray, "3"]:
    """A point given in a bone's frame, metres from its origin."""
    return skeleton.origins[bone] + skeleton.frames[bone] @ np.array((left, down, forward))


def _along(start: np.ndarray, end: np.ndarray, forward: np.ndarray) -> tuple[Float[np.ndarray, "3 3"], float]:
    """A frame whose down axis runs from `start` to `end`, and their distance."""
    axis = end - start
    length = float(np.sqrt(axis @ axis)) + 1e-9
    down = axis / length
    front = forward - (forward @ down) * down
    front = front / (np.sqrt(front @ front) + 1e-9)
    return np.stack([np.cross(down, front), down, front], axis=1), length


def head(skeleton: Skeleton, appearance: Appearance) -> list[Primitive]:
    """Skull with a face, nose, ears and neck."""
    size, frame = skeleton.shape.head, skeleton.frames[Bone.HEAD]
    radii = tuple(size * r for r in HEAD_RADII)
    middle = skeleton.origins[Bone.HEAD]
    skin, face = Material.SKIN, Part.FACE
    prims = [
        Primitive(middle, frame, 0.0, 1.0, 1.0, radii, face, skin, Decal.FACE),
        Primitive(_at(skeleton, Bone.HEAD, 0, 0.008 * size, 0.098 * size), frame, 0.016 * size, 0.010 * size, 0.017 * size, _ROUND, face, skin),
    ]
    for side in (1, -1):
        ear = _at(skeleton, Bone.HEAD, side * 0.080 * size, 0.006, -0.004)
        prims.append(Primitive(ear, frame, 0.0, 1.0, 1.0, (0.014 * size, 0.032 * size, 0.02 * size), face, skin))
    chin = _at(skeleton, Bone.HEAD, 0, 0.06 * size, -0.018 * size)
    base = _at(skeleton, Bone.CHEST, 0, -skeleton.shape.chest + 0.05, -0.008)
    neck_frame, length = _along(chin, base, frame[:, 2])
    girth = skeleton.shape.girth
    prims.append(Primitive(chin, neck_frame, length, 0.052 * girth, 0.06 * girth, _ROUND, face, skin))
    return prims


def _hair_pieces(skeleton: Skeleton, style: int) -> list[Primitive]:
    """What hangs or sticks out of the cap of hair: styles 2 medium, 3 long, 4 tail, 5 bun, 6 big."""
    size, frame = skeleton.shape.head, skeleton.frames[Bone.HEAD]
    hair, part = Material.HAIR, Part.HAIR
    if style == 2:
        middle = _at(skeleton, Bone.HEAD, 0, 0.035 * size, -0.045 * size)
        return [Primitive(middle, frame, 0.0, 1.0, 1.0, (0.092 * size, 0.115 * size, 0.066 * size), part, hair)]
    if style == 3:
        top = _at(skeleton, Bone.HEAD, 0, -0.01, -0.05 * size)
        down = 0.5 * frame[:, 1] + 0.5 * skeleton.frames[Bone.CHEST, :, 1]
        hang, length = _along(top, top + 0.30 * size * down - 0.045 * frame[:, 2], frame[:, 2])
        return [Primitive(top, hang, length, 0.062 * size, 0.055 * size, (1.55, 1.0, 0.9), part, hair)]
    if style == 4:
        root = _at(skeleton, Bone.HEAD, 0, -0.045 * size, -0.105 * size)
        tail, length = _along(root, root + 0.2 * size * frame[:, 1] - 0.05 * size * frame[:, 2], frame[:, 2])
        return [Primitive(root, tail, length, 0.034 * size, 0.018 * size, _ROUND, part, hair)]
    if style == 5:
        bun = _at(skeleton, Bone.HEAD, 0, -0.10 * size, -0.085 * size)
        return [Primitive(bun, frame, 0.0, 0.05 * size, 0.05 * size, _ROUND, part, hair)]
    if style == 6:
        cloud = _at(skeleton, Bone.HEAD, 0, -0.055 * size, -0.035 * size)
        return [Primitive(cloud, frame, 0.0, 1.0, 1.0, (0.14 * size, 0.125 * size, 0.115 * size), part, hair)]
    return []


def hair(skeleton: Skeleton, appearance: Appearance) -> list[Primitive]:
    """Hair at the top and back of the head (it tells back from front), or a hat with a brim in front."""
    size, frame, cut = skeleton.shape.head, skeleton.frames[Bone.HEAD], appearance.cut
    prims = _hair_pieces(skeleton, cut.hair)
    if cut.hair:
        middle = _at(skeleton, Bone.HEAD, 0, -0.026 * size, -0.022 * size)
        prims.append(Primitive(middle, frame, 0.0, 1.0, 1.0, (0.086 * size, 0.108 * size, 0.098 * size), Part.HAIR, Material.HAIR))
    if cut.hat:
        middle = _at(skeleton, Bone.HEAD, 0, -0.055 * size, -0.008)
        prims.append(Primitive(middle, frame, 0.0, 1.0, 1.0, (0.094 * size, 0.088 * size, 0.112 * size), Part.HAIR, Material.BAG))
        brim = _at(skeleton, Bone.HEAD, 0, -0.045 * size, 0.09 * size)
        prims.append(Primitive(brim, frame, 0.0, 1.0, 1.0, (0.078 * size, 0.012 * size, 0.09 * size), Part.HAIR, Material.BAG))
    return prims


def torso(skeleton: Skeleton, appearance: Appearance) -> list[Primitive]:
    """Chest, belly, hips, shoulders' slope, and what is worn on them."""
    shape, cut, part = skeleton.shape, appearance.cut, Part.TORSO
    girth, wear = shape.girth, cut.looseness
    chest, body = skeleton.frames[Bone.CHEST], skeleton.frames[Bone.PELVIS]
    depth = 0.108 * girth + wear
    wide = (shape.shoulder - 0.018) / 0.108
    top = _at(skeleton, Bone.CHEST, 0, -shape.chest + 0.105 * girth, 0)
    waist = _at(skeleton, Bone.CHEST, 0, 0.03, 0.004)
    hips = _at(skeleton, Bone.PELVIS, 0, 0.0, -0.004)
    fall, fall_length = _along(waist, hips - 0.05 * body[:, 1], chest[:, 2] + body[:, 2])
    hip_width = (shape.hip + 0.068 * girth + wear) / (0.115 * girth + wear)
    prims = [
        Primitive(top, chest, shape.chest - 0.06 * girth, depth, 0.98 * depth, (wide, 1.0, 1.0), part, Material.TOP, Decal.CHEST),
        Primitive(waist, fall, fall_length, 0.96 * depth, 0.108 * girth + wear, (1.36, 1.0, 1.0), part, Material.TOP, Decal.BELLY),
        Primitive(hips - 0.02 * body[:, 1], body, 0.035, 0.113 * girth + wear, 0.10 * girth + wear, (hip_width, 0.9, 1.0), part, Material.BOTTOM, Decal.HIPS),
    ]
    neck = _at(skeleton, Bone.CHEST, 0, -shape.chest - 0.012, -0.012)
    for left, side in ((0, 1), (1, -1)):
        shoulder = skeleton.origins[Bone.LEFT_UPPER_ARM + left] - 0.012 * chest[:, 1]
        slope, length = _along(neck, shoulder, chest[:, 2])
        prims.append(Primitive(neck, slope, length, 0.05 * girth, 0.057 * girth, _ROUND, part, Material.TOP))
        seat = _at(skeleton, Bone.PELVIS, side * 0.075 * girth, 0.045, -0.05 * girth)
        prims.append(Primitive(seat, body, 0.0, 0.083 * girth + wear, 0.0, _ROUND, part, Material.BOTTOM))
        if cut.bust:
            bust = _at(skeleton, Bone.CHEST, side * 0.07 * girth, -0.45 * shape.chest, 0.04 * girth + cut.bust)
            prims.append(Primitive(bust, chest, 0.0, 0.075 * girth, 0.0, _ROUND, part, Material.TOP))
    return prims + _extras(skeleton, appearance)


def _extras(skeleton: Skeleton, appearance: Appearance) -> list[Primitive]:
    """Skirt, hood, rucksack."""
    shape, cut, part = skeleton.shape, appearance.cut, Part.TORSO
    body, chest, girth = skeleton.frames[Bone.PELVIS], skeleton.frames[Bone.CHEST], skeleton.shape.girth
    prims = []
    if cut.skirt:
        knees = 0.5 * (skeleton.origins[Bone.LEFT_LOWER_LEG] + skeleton.origins[Bone.RIGHT_LOWER_LEG])
        waist = skeleton.origins[Bone.PELVIS] - 0.03 * body[:, 1]
        frame, length = _along(waist, waist + cut.skirt * 0.95 * (knees - waist), body[:, 2])
        gap = skeleton.origins[Bone.LEFT_LOWER_LEG] - skeleton.origins[Bone.RIGHT_LOWER_LEG]
        hem = 0.1 * girth + 0.30 * cut.skirt * float(np.sqrt(gap @ gap))
        prims.append(Primitive(waist, frame, length, 0.112 * girth, min(hem, 0.2), (1.4, 0.6, 1.0), part, Material.BOTTOM))
    if cut.hood:
        start = _at(skeleton, Bone.CHEST, 0, -shape.chest + 0.015, -0.07 * girth)
        prims.append(Primitive(start, chest, 0.06, 0.05, 0.04, (2.0, 1.0, 1.2), part, Material.TOP))
    if cut.bag:
        start = _at(skeleton, Bone.CHEST, 0, -0.8 * shape.chest, -0.15 * girth)
        prims.append(Primitive(start, chest, 0.9 * shape.chest, 0.085, 0.1, (1.45, 0.7, 0.9), part, Material.BAG))
    return prims


def arm(skeleton: Skeleton, appearance: Appearance, left: int) -> list[Primitive]:
    """Upper and lower arm, sleeve, hand with thumb; `left` is 0 for the left arm, 1 for the right one."""
    shape, cut, girth = skeleton.shape, appearance.cut, skeleton.shape.girth
    upper, lower = Bone.LEFT_UPPER_ARM + left, Bone.LEFT_LOWER_ARM + left
    parts = (Part.LEFT_UPPER_ARM + left, Part.LEFT_LOWER_ARM + left)
    start, elbow = skeleton.origins[upper], skeleton.origins[lower]
    first, second = skeleton.frames[upper], skeleton.frames[lower]
    long_sleeve, wear = cut.sleeve > 1, cut.looseness
    cloth = Material.TOP if long_sleeve else Material.SKIN
    extra = wear if long_sleeve else 0.0
    prims = [
        Primitive(start, first, shape.upper_arm, 0.056 * girth + extra, 0.044 * girth + extra, _ROUND, parts[0], cloth),
        Primitive(elbow, second, shape.lower_arm - 0.01, 0.045 * girth + extra, 0.031 * girth + 0.7 * extra, _ROUND, parts[1], cloth),
    ]
    if not long_sleeve:
        length = cut.sleeve * shape.upper_arm
        prims.append(Primitive(start, first, length, 0.060 * girth + 0.5 * wear, 0.056 * girth + wear, (1, 0.6, 1), parts[0], Material.TOP))
    wrist = elbow + shape.lower_arm * second[:, 1]
    prims += [
        Primitive(wrist + 0.03 * second[:, 1], second, 0.05, 0.030, 0.036, (0.6, 1, 1.15), parts[1], Material.SKIN),
        Primitive(wrist + 0.09 * second[:, 1], second, 0.055, 0.032, 0.02, (0.55, 1, 1.1), parts[1], Material.SKIN),
        Primitive(wrist + 0.04 * second[:, 1] + 0.036 * second[:, 2], second, 0.04, 0.014, 0.012, _ROUND, parts[1], Material.SKIN),
    ]
    return prims


def leg(skeleton: Skeleton, appearance: Appearance, left: int) -> list[Primitive]:
    """Upper and lower leg with a calf, trouser leg, sock and a shoe that points forward."""
    shape, cut, girth = skeleton.shape, appearance.cut, skeleton.shape.girth
    upper, lower, foot = Bone.LEFT_UPPER_LEG + left, Bone.LEFT_LOWER_LEG + left, Bone.LEFT_FOOT + left
    parts = (Part.LEFT_UPPER_LEG + left, Part.LEFT_LOWER_LEG + left, Part.LEFT_FOOT + left)
    hip, knee, ankle = (skeleton.origins[bone] for bone in (upper, lower, foot))
    thigh, shank, sole = (skeleton.frames[bone] for bone in (upper, lower, foot))
    long_leg = cut.leg > 1 and not cut.skirt
    wear = cut.looseness if long_leg else 0.0
    cloth = Material.BOTTOM if long_leg else Material.SKIN
    end = (0.041 if not long_leg else 0.052) * girth + wear
    calf = knee + 0.3 * shape.lower_leg * shank[:, 1] - 0.014 * girth * shank[:, 2]
    prims = [
        Primitive(hip, thigh, shape.upper_leg, 0.087 * girth + wear, 0.061 * girth + wear, _ROUND, parts[0], cloth),
        Primitive(knee, shank, shape.lower_leg - 0.03, 0.06 * girth + wear, end, _ROUND, parts[1], cloth),
        Primitive(calf, shank, 0.0, 1.0, 1.0, (0.058 * girth + wear, 0.13 * girth, 0.06 * girth + wear), parts[1], cloth),
    ]
    if not long_leg and not cut.skirt:
        flare = 0.075 * girth + 1.2 * cut.looseness
        prims.append(Primitive(hip, thigh, cut.leg * shape.upper_leg, 0.09 * girth + cut.looseness, flare, (1, 0.5, 1), parts[0], Material.BOTTOM))
    if not long_leg:
        prims.append(Primitive(ankle - 0.05 * shank[:, 1], shank, 0.05, 0.044 * girth, 0.042 * girth, _ROUND, parts[2], Material.SOCK))
    heel = ankle + 0.035 * sole[:, 1] - 0.025 * sole[:, 2]
    toe, length = _along(heel, heel + 0.155 * sole[:, 2] + 0.012 * sole[:, 1], -sole[:, 1])
    prims.append(Primitive(heel, toe, length, 0.047, 0.04, (1.0, 1.0, 1.0), parts[2], Material.SHOE, Decal.SHOE))
    return prims


def person_primitives(skeleton: Skeleton, appearance: Appearance) -> list[Primitive]:
    """Every primitive of a person, camera frame, metres."""
    prims = torso(skeleton, appearance) + head(skeleton, appearance) + hair(skeleton, appearance)
    for left in (0, 1):
        prims += arm(skeleton, appearance, left) + leg(skeleton, appearance, left)
    return prims
