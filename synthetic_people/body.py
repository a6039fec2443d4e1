"""From a skeleton and clothes to the primitives that are drawn; metres, camera frame (see `skeleton`)."""

import numpy as np

from poseur_lib.data.part_labels import Part
from synthetic_people.appearance import Appearance, Material
from synthetic_people.head import hair, head
from synthetic_people.primitive import ROUND, Decal, Primitive, along, at
from synthetic_people.skeleton import Bone, Skeleton


def torso(skeleton: Skeleton, appearance: Appearance) -> list[Primitive]:
    """Chest, belly, hips, shoulders' slope, and what is worn on them."""
    shape, cut, part = skeleton.shape, appearance.cut, Part.TORSO
    girth, wear = shape.girth, cut.looseness
    chest, body = skeleton.frames[Bone.CHEST], skeleton.frames[Bone.PELVIS]
    depth = 0.108 * girth + wear
    wide = (shape.shoulder - 0.018) / 0.108
    top = at(skeleton, Bone.CHEST, 0, -shape.chest + 0.105 * girth, 0)
    waist = at(skeleton, Bone.CHEST, 0, 0.03, 0.004)
    hips = at(skeleton, Bone.PELVIS, 0, 0.0, -0.004)
    fall, fall_length = along(waist, hips - 0.05 * body[:, 1], chest[:, 2] + body[:, 2])
    hip_width = (shape.hip + 0.068 * girth + wear) / (0.115 * girth + wear)
    prims = [
        Primitive(
            top,
            chest,
            shape.chest - 0.06 * girth,
            depth,
            0.98 * depth,
            (wide, 1.0, 1.0),
            part,
            Material.TOP,
            Decal.CHEST,
        ),
        Primitive(
            waist,
            fall,
            fall_length,
            0.96 * depth,
            0.108 * girth + wear,
            (1.36, 1.0, 1.0),
            part,
            Material.TOP,
            Decal.BELLY,
        ),
        Primitive(
            hips - 0.02 * body[:, 1],
            body,
            0.035,
            0.113 * girth + wear,
            0.10 * girth + wear,
            (hip_width, 0.9, 1.0),
            part,
            Material.BOTTOM,
            Decal.HIPS,
        ),
    ]
    neck = at(skeleton, Bone.CHEST, 0, -shape.chest - 0.012, -0.012)
    for left, side in ((0, 1), (1, -1)):
        shoulder = skeleton.origins[Bone.LEFT_UPPER_ARM + left] - 0.012 * chest[:, 1]
        slope, length = along(neck, shoulder, chest[:, 2])
        prims.append(Primitive(neck, slope, length, 0.05 * girth, 0.057 * girth, ROUND, part, Material.TOP))
        seat = at(skeleton, Bone.PELVIS, side * 0.07 * girth, 0.04, -0.036 * girth)
        prims.append(Primitive(seat, body, 0.0, 0.087 * girth + wear, 0.0, ROUND, part, Material.BOTTOM))
        if cut.bust:
            bust = at(skeleton, Bone.CHEST, side * 0.07 * girth, -0.45 * shape.chest, 0.046 * girth + cut.bust)
            prims.append(Primitive(bust, chest, 0.0, 0.072 * girth, 0.0, (1.15, 1.15, 0.75), part, Material.TOP))
    return prims + _extras(skeleton, appearance)


def _extras(skeleton: Skeleton, appearance: Appearance) -> list[Primitive]:
    """Skirt, hood, rucksack."""
    shape, cut, part = skeleton.shape, appearance.cut, Part.TORSO
    body, chest, girth = skeleton.frames[Bone.PELVIS], skeleton.frames[Bone.CHEST], skeleton.shape.girth
    prims = []
    if cut.skirt:
        knees = 0.5 * (skeleton.origins[Bone.LEFT_LOWER_LEG] + skeleton.origins[Bone.RIGHT_LOWER_LEG])
        waist = skeleton.origins[Bone.PELVIS] - 0.03 * body[:, 1]
        frame, length = along(waist, waist + cut.skirt * 0.95 * (knees - waist), body[:, 2])
        gap = skeleton.origins[Bone.LEFT_LOWER_LEG] - skeleton.origins[Bone.RIGHT_LOWER_LEG]
        hem = 0.1 * girth + 0.30 * cut.skirt * float(np.sqrt(gap @ gap))
        prims.append(
            Primitive(waist, frame, length, 0.112 * girth, min(hem, 0.2), (1.4, 0.6, 1.0), part, Material.BOTTOM)
        )
    if cut.hood:
        start = at(skeleton, Bone.CHEST, 0, -shape.chest + 0.015, -0.07 * girth)
        prims.append(Primitive(start, chest, 0.06, 0.05, 0.04, (2.0, 1.0, 1.2), part, Material.TOP))
    if cut.bag:
        start = at(skeleton, Bone.CHEST, 0, -0.8 * shape.chest, -0.15 * girth)
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
        Primitive(start, first, shape.upper_arm, 0.056 * girth + extra, 0.044 * girth + extra, ROUND, parts[0], cloth),
        Primitive(
            elbow,
            second,
            shape.lower_arm - 0.01,
            0.045 * girth + extra,
            0.031 * girth + 0.7 * extra,
            ROUND,
            parts[1],
            cloth,
        ),
    ]
    if not long_sleeve:
        length = cut.sleeve * shape.upper_arm
        prims.append(
            Primitive(
                start,
                first,
                length,
                0.060 * girth + 0.5 * wear,
                0.056 * girth + wear,
                (1, 0.6, 1),
                parts[0],
                Material.TOP,
            )
        )
    wrist = elbow + shape.lower_arm * second[:, 1]
    prims += [
        Primitive(wrist + 0.03 * second[:, 1], second, 0.05, 0.030, 0.036, (0.6, 1, 1.15), parts[1], Material.SKIN),
        Primitive(wrist + 0.09 * second[:, 1], second, 0.055, 0.032, 0.02, (0.55, 1, 1.1), parts[1], Material.SKIN),
        Primitive(
            wrist + 0.04 * second[:, 1] + 0.036 * second[:, 2],
            second,
            0.04,
            0.014,
            0.012,
            ROUND,
            parts[1],
            Material.SKIN,
        ),
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
        Primitive(hip, thigh, shape.upper_leg, 0.087 * girth + wear, 0.061 * girth + wear, ROUND, parts[0], cloth),
        Primitive(knee, shank, shape.lower_leg - 0.03, 0.06 * girth + wear, end, ROUND, parts[1], cloth),
        Primitive(
            calf, shank, 0.0, 1.0, 1.0, (0.058 * girth + wear, 0.13 * girth, 0.06 * girth + wear), parts[1], cloth
        ),
    ]
    if not long_leg and not cut.skirt:
        flare = 0.075 * girth + 1.2 * cut.looseness
        prims.append(
            Primitive(
                hip,
                thigh,
                cut.leg * shape.upper_leg,
                0.09 * girth + cut.looseness,
                flare,
                (1, 0.5, 1),
                parts[0],
                Material.BOTTOM,
            )
        )
    if not long_leg:
        prims.append(
            Primitive(
                ankle - 0.05 * shank[:, 1], shank, 0.05, 0.044 * girth, 0.042 * girth, ROUND, parts[2], Material.SOCK
            )
        )
    heel = ankle + 0.035 * sole[:, 1] - 0.025 * sole[:, 2]
    toe, length = along(heel, heel + 0.155 * sole[:, 2] + 0.012 * sole[:, 1], -sole[:, 1])
    prims.append(Primitive(heel, toe, length, 0.047, 0.04, (1.0, 1.0, 1.0), parts[2], Material.SHOE, Decal.SHOE))
    return prims


def person_primitives(skeleton: Skeleton, appearance: Appearance) -> list[Primitive]:
    """Every primitive of a person, camera frame, metres."""
    prims = torso(skeleton, appearance) + head(skeleton) + hair(skeleton, appearance)
    for left in (0, 1):
        prims += arm(skeleton, appearance, left) + leg(skeleton, appearance, left)
    return prims
