"""Head, face and hair: what tells the front of a person from the back."""

from poseur_lib.data.part_labels import Part
from synthetic_people.appearance import Appearance, Material
from synthetic_people.kinematics import HEAD_RADII
from synthetic_people.primitive import ROUND, Decal, Primitive, along, at
from synthetic_people.skeleton import Bone, Skeleton


def head(skeleton: Skeleton) -> list[Primitive]:
    """Skull with a face, nose, ears and neck."""
    size, frame = skeleton.shape.head, skeleton.frames[Bone.HEAD]
    radii = tuple(size * r for r in HEAD_RADII)
    middle = skeleton.origins[Bone.HEAD]
    skin, face = Material.SKIN, Part.FACE
    prims = [
        Primitive(middle, frame, 0.0, 1.0, 1.0, radii, face, skin, Decal.FACE),
        Primitive(
            at(skeleton, Bone.HEAD, 0, 0.008 * size, 0.098 * size),
            frame,
            0.016 * size,
            0.010 * size,
            0.017 * size,
            ROUND,
            face,
            skin,
        ),
    ]
    for side in (1, -1):
        ear = at(skeleton, Bone.HEAD, side * 0.080 * size, 0.006, -0.004)
        prims.append(Primitive(ear, frame, 0.0, 1.0, 1.0, (0.014 * size, 0.032 * size, 0.02 * size), face, skin))
    chin = at(skeleton, Bone.HEAD, 0, 0.06 * size, -0.018 * size)
    base = at(skeleton, Bone.CHEST, 0, -skeleton.shape.chest + 0.05, -0.008)
    neck_frame, length = along(chin, base, frame[:, 2])
    girth = skeleton.shape.girth
    prims.append(Primitive(chin, neck_frame, length, 0.052 * girth, 0.06 * girth, ROUND, face, skin))
    return prims


def _hair_pieces(skeleton: Skeleton, style: int) -> list[Primitive]:
    """What hangs or sticks out of the cap of hair: styles 2 medium, 3 long, 4 tail, 5 bun, 6 big."""
    size, frame = skeleton.shape.head, skeleton.frames[Bone.HEAD]
    hair, part = Material.HAIR, Part.HAIR
    if style == 2:
        middle = at(skeleton, Bone.HEAD, 0, 0.035 * size, -0.045 * size)
        return [Primitive(middle, frame, 0.0, 1.0, 1.0, (0.092 * size, 0.115 * size, 0.066 * size), part, hair)]
    if style == 3:
        top = at(skeleton, Bone.HEAD, 0, -0.01, -0.05 * size)
        down = 0.5 * frame[:, 1] + 0.5 * skeleton.frames[Bone.CHEST, :, 1]
        hang, length = along(top, top + 0.30 * size * down - 0.045 * frame[:, 2], frame[:, 2])
        return [Primitive(top, hang, length, 0.062 * size, 0.055 * size, (1.55, 1.0, 0.9), part, hair)]
    if style == 4:
        root = at(skeleton, Bone.HEAD, 0, -0.045 * size, -0.105 * size)
        tail, length = along(root, root + 0.2 * size * frame[:, 1] - 0.05 * size * frame[:, 2], frame[:, 2])
        return [Primitive(root, tail, length, 0.034 * size, 0.018 * size, ROUND, part, hair)]
    if style == 5:
        bun = at(skeleton, Bone.HEAD, 0, -0.10 * size, -0.085 * size)
        return [Primitive(bun, frame, 0.0, 0.05 * size, 0.05 * size, ROUND, part, hair)]
    if style == 6:
        cloud = at(skeleton, Bone.HEAD, 0, -0.055 * size, -0.035 * size)
        return [Primitive(cloud, frame, 0.0, 1.0, 1.0, (0.14 * size, 0.125 * size, 0.115 * size), part, hair)]
    return []


def hair(skeleton: Skeleton, appearance: Appearance) -> list[Primitive]:
    """Hair at the top and back of the head (it tells back from front), or a hat with a brim in front."""
    size, frame, cut = skeleton.shape.head, skeleton.frames[Bone.HEAD], appearance.cut
    prims = _hair_pieces(skeleton, cut.hair)
    if cut.hair:
        middle = at(skeleton, Bone.HEAD, 0, -0.026 * size, -0.022 * size)
        prims.append(
            Primitive(
                middle, frame, 0.0, 1.0, 1.0, (0.086 * size, 0.108 * size, 0.098 * size), Part.HAIR, Material.HAIR
            )
        )
    if cut.hat:
        middle = at(skeleton, Bone.HEAD, 0, -0.055 * size, -0.008)
        prims.append(
            Primitive(middle, frame, 0.0, 1.0, 1.0, (0.094 * size, 0.088 * size, 0.112 * size), Part.HAIR, Material.BAG)
        )
        brim = at(skeleton, Bone.HEAD, 0, -0.045 * size, 0.09 * size)
        prims.append(
            Primitive(brim, frame, 0.0, 1.0, 1.0, (0.078 * size, 0.012 * size, 0.09 * size), Part.HAIR, Material.BAG)
        )
    return prims
