"""Forward kinematics: joint angles to bones, and to COCO's and MPII's keypoints (frames: see `skeleton`)."""

import math

import numpy as np
from jaxtyping import Float

from synthetic_people.skeleton import Arm, Bone, Leg, Pose, Shape, Skeleton, Trunk

HEAD_RADII = (0.078, 0.118, 0.098)
"""Half width, height and depth of an adult's head, metres."""

EYE, NOSE, EAR = (0.36, -0.06, 0.90), (0.0, 0.22, 1.12), (1.0, 0.08, -0.05)
"""Left eye, nose tip and left ear on the unit head (left, down, forward)."""
HEAD_TOP = (0.0, -0.97, 0.0)
"""A little below its end, where the head itself is seen."""


def rotation(axis: int, degrees: float) -> Float[np.ndarray, "3 3"]:
    """Rotation about the frame's axis 0 (left), 1 (down) or 2 (forward).

    Positive angles carry down to forward (0), forward to left (1), left to down (2).
    """
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    if axis == 0:
        return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    if axis == 1:
        return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _trunk(trunk: Trunk) -> Float[np.ndarray, "3 3"]:
    """Bending forward carries up to forward, that is down to backward."""
    return rotation(1, trunk.twist) @ rotation(2, trunk.lean) @ rotation(0, -trunk.bend)


def _limb(limb: Arm | Leg, side: int) -> Float[np.ndarray, "3 3"]:
    """Ball joint; `side` is +1 for left, -1 for right, whose angles are mirrored."""
    return rotation(2, -side * limb.abduction) @ rotation(0, limb.flexion) @ rotation(1, -side * limb.twist)


def skeleton_of(shape: Shape, pose: Pose) -> Skeleton:
    """The bones of a body of `shape` in `pose`."""
    frames, origins = np.zeros((len(Bone), 3, 3)), np.zeros((len(Bone), 3))
    body = rotation(2, pose.roll) @ rotation(0, pose.pitch) @ rotation(1, pose.yaw)
    frames[Bone.PELVIS] = body
    frames[Bone.CHEST] = chest = body @ _trunk(pose.spine)
    frames[Bone.HEAD] = head = chest @ _trunk(pose.head)
    origins[Bone.CHEST] = middle = -shape.spine * (0.4 * body[:, 1] + 0.6 * chest[:, 1])
    neck = middle - shape.chest * chest[:, 1]
    origins[Bone.HEAD] = neck - shape.neck * (0.5 * chest[:, 1] + 0.5 * head[:, 1]) - 0.105 * shape.head * head[:, 1]
    origins[Bone.HEAD] += 0.02 * shape.head * head[:, 2]
    for left, side, arm, leg in ((0, 1, pose.left_arm, pose.left_leg), (1, -1, pose.right_arm, pose.right_leg)):
        upper, lower = Bone.LEFT_UPPER_ARM + left, Bone.LEFT_LOWER_ARM + left
        frames[upper] = chest @ _limb(arm, side)
        frames[lower] = frames[upper] @ rotation(0, arm.elbow)
        origins[upper] = neck + side * shape.shoulder * chest[:, 0] + 0.045 * shape.girth * chest[:, 1]
        origins[lower] = origins[upper] + shape.upper_arm * frames[upper, :, 1]
        thigh, shank, foot = Bone.LEFT_UPPER_LEG + left, Bone.LEFT_LOWER_LEG + left, Bone.LEFT_FOOT + left
        frames[thigh] = body @ _limb(leg, side)
        frames[shank] = frames[thigh] @ rotation(0, -leg.knee)
        frames[foot] = frames[shank] @ rotation(0, -leg.ankle)
        origins[thigh] = side * shape.hip * body[:, 0] + 0.03 * shape.girth * body[:, 1]
        origins[shank] = origins[thigh] + shape.upper_leg * frames[thigh, :, 1]
        origins[foot] = origins[shank] + shape.lower_leg * frames[shank, :, 1]
    return Skeleton(frames, origins, shape, pose)


def head_point(skeleton: Skeleton, unit: tuple[float, float, float]) -> Float[np.ndarray, "3"]:
    """A point of the unit head (left, down, forward) in the camera frame."""
    return skeleton.origins[Bone.HEAD] + skeleton.frames[Bone.HEAD] @ (
        np.array(unit) * np.array(HEAD_RADII) * skeleton.shape.head
    )


def coco_keypoints(skeleton: Skeleton) -> Float[np.ndarray, "17 3"]:
    """The COCO keypoints in the camera frame, metres."""
    origins, frames, shape = skeleton.origins, skeleton.frames, skeleton.shape
    points = [head_point(skeleton, NOSE)]
    for x, y, z in (EYE, EAR):
        points += [head_point(skeleton, (x, y, z)), head_point(skeleton, (-x, y, z))]
    points += [origins[bone] for bone in (Bone.LEFT_UPPER_ARM, Bone.RIGHT_UPPER_ARM)]
    points += [origins[bone] for bone in (Bone.LEFT_LOWER_ARM, Bone.RIGHT_LOWER_ARM)]
    points += [
        origins[bone] + shape.lower_arm * frames[bone, :, 1] for bone in (Bone.LEFT_LOWER_ARM, Bone.RIGHT_LOWER_ARM)
    ]
    points += [origins[bone] for bone in range(Bone.LEFT_UPPER_LEG, Bone.RIGHT_FOOT + 1)]
    return np.array(points)


def mpii_keypoints(skeleton: Skeleton) -> Float[np.ndarray, "16 3"]:
    """MPII's joints in the camera frame, metres: the body's are COCO's, four more lie on its axis.

    Pelvis and thorax are halfway between hips and shoulders, the upper neck is where the head turns.
    """
    coco, head = coco_keypoints(skeleton), skeleton.frames[Bone.HEAD]
    pelvis, thorax = (coco[11] + coco[12]) / 2, (coco[5] + coco[6]) / 2
    neck = skeleton.origins[Bone.HEAD] + skeleton.shape.head * (0.105 * head[:, 1] - 0.02 * head[:, 2])
    axis = [pelvis, thorax, neck, head_point(skeleton, HEAD_TOP)]
    return np.array([*coco[[16, 14, 12, 11, 13, 15]], *axis, *coco[[10, 8, 6, 5, 7, 9]]])


def head_bounds(skeleton: Skeleton) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """The corners (x, y) of the head's box in the picture, metres in the camera frame; hair is not in it."""
    axes = skeleton.frames[Bone.HEAD, :2] * np.array(HEAD_RADII) * skeleton.shape.head
    centre, half = skeleton.origins[Bone.HEAD, :2], np.sqrt((axes**2).sum(axis=1))
    return centre - half, centre + half


def face_turned_away(skeleton: Skeleton) -> Float[np.ndarray, "5"]:
    """How far nose, eyes and ears face away from the viewer: 1 straight away, -1 straight at the viewer."""
    forward, left = skeleton.frames[Bone.HEAD, 2, 2], skeleton.frames[Bone.HEAD, 2, 0]
    eye_left, eye_right = 0.90 * forward + 0.43 * left, 0.90 * forward - 0.43 * left
    return -np.array([forward, eye_left, eye_right, left, -left])
