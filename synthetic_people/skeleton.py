"""A random 3D skeleton: joint limits, poses, forward kinematics.

Frames: every bone has a rotation whose columns are (the bone's left, down along the bone, forward). The camera frame
is x right, y down, z towards the viewer, in metres, orthographic; a person of yaw 0 faces the viewer, so that the
person's left points to the right of the image. Positive yaw turns the person towards the right of the image.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from synthetic_people.settings import Difficulty


class Bone(IntEnum):
    """Rows of `Skeleton.frames` and `Skeleton.origins`; the left limbs come right before their mirror images."""

    PELVIS = 0
    CHEST = 1
    HEAD = 2
    LEFT_UPPER_ARM = 3
    RIGHT_UPPER_ARM = 4
    LEFT_LOWER_ARM = 5
    RIGHT_LOWER_ARM = 6
    LEFT_UPPER_LEG = 7
    RIGHT_UPPER_LEG = 8
    LEFT_LOWER_LEG = 9
    RIGHT_LOWER_LEG = 10
    LEFT_FOOT = 11
    RIGHT_FOOT = 12


class Shape(NamedTuple):
    """Body measures, metres (girth and head are factors)."""

    spine: float
    chest: float
    neck: float
    shoulder: float  # half the distance of the shoulders
    hip: float  # half the distance of the hips
    upper_arm: float
    lower_arm: float
    upper_leg: float
    lower_leg: float
    head: float
    girth: float


class Arm(NamedTuple):
    """Shoulder flexion, abduction, inward twist, elbow flexion; degrees."""

    flexion: float
    abduction: float
    twist: float
    elbow: float


class Leg(NamedTuple):
    """Hip flexion, abduction, inward twist, knee flexion, foot pointed down; degrees."""

    flexion: float
    abduction: float
    twist: float
    knee: float
    ankle: float = 0.0


class Trunk(NamedTuple):
    """Bend forward, lean to the left, twist to the left; degrees."""

    bend: float
    lean: float
    twist: float


class Pose(NamedTuple):
    """Joint angles, and the attitude to the camera (yaw, pitch, roll); degrees."""

    yaw: float
    pitch: float
    roll: float
    spine: Trunk
    head: Trunk
    left_arm: Arm
    right_arm: Arm
    left_leg: Leg
    right_leg: Leg


class Skeleton(NamedTuple):
    """Where every bone starts and how it is turned, camera frame, metres, the pelvis at the origin."""

    frames: Float[np.ndarray, "13 3 3"]
    origins: Float[np.ndarray, "13 3"]
    shape: Shape
    pose: Pose


ARM_LIMITS = (Arm(-45, -8, -40, 0), Arm(165, 165, 80, 145))
LEG_LIMITS = (Leg(-25, -5, -35, 0, -15), Leg(110, 50, 25, 140, 40))
SPINE_LIMITS = (Trunk(-15, -25, -35), Trunk(50, 25, 35))
HEAD_LIMITS = (Trunk(-30, -25, -65), Trunk(35, 25, 65))

# Mean and standard deviation of each way to hold a limb, and how common it is in everyday pictures.
_ARMS = (
    (0.34, Arm(4, 12, 15, 16), Arm(12, 6, 18, 12)),  # hanging
    (0.24, Arm(12, 14, 25, 85), Arm(14, 7, 20, 25)),  # holding something before the body
    (0.14, Arm(-18, 42, 60, 95), Arm(7, 7, 10, 12)),  # hand on the hip
    (0.10, Arm(35, 25, 20, 132), Arm(14, 10, 15, 8)),  # hand at the face
    (0.09, Arm(15, 138, 0, 35), Arm(15, 16, 20, 25)),  # raised
    (0.04, Arm(5, 82, 0, 25), Arm(15, 14, 20, 20)),  # stretched out
    (0.05, Arm(72, 14, 10, 25), Arm(18, 12, 20, 20)),  # reaching forward
)
_USUAL_LEGS = (
    (0.45, Leg(2, 5, -6, 4), Leg(2, 5, -6, 4), Leg(4, 3, 6, 4)),  # standing
    (0.15, Leg(2, 4, -6, 3), Leg(14, 9, -12, 24), Leg(5, 4, 6, 6)),  # weight on one leg
    (0.25, Leg(22, 3, -4, 10), Leg(-14, 3, -4, 22), Leg(7, 3, 5, 9)),  # walking
    (0.15, Leg(2, 18, -10, 4), Leg(2, 18, -10, 4), Leg(4, 5, 6, 4)),  # legs apart
)
_UNUSUAL_LEGS = (
    (0.45, Leg(84, 12, -5, 86), Leg(84, 12, -5, 86), Leg(7, 7, 6, 10)),  # sitting
    (0.25, Leg(72, 8, -5, 80), Leg(-8, 6, -4, 40), Leg(12, 6, 6, 16)),  # lunging
    (0.30, Leg(48, 4, -3, 62), Leg(-16, 4, -3, 72), Leg(12, 4, 5, 22)),  # running
)


def _near(rng: np.random.Generator, mean: tuple, spread: tuple, limits: tuple[tuple, tuple]) -> list[float]:
    """Normal angles around `mean`, clipped to the joint limits."""
    angles = np.asarray(mean) + np.asarray(spread) * rng.standard_normal(len(mean))
    return np.clip(angles, limits[0], limits[1]).tolist()


def _choose(rng: np.random.Generator, table: tuple) -> tuple:
    """One row of a table whose first column is the probability."""
    draw, row = rng.random(), table[-1]
    for candidate in table:
        draw -= candidate[0]
        if draw < 0:
            row = candidate
            break
    return row


def sample_arm(rng: np.random.Generator) -> Arm:
    """A random arm, within the joint limits."""
    _, mean, spread = _choose(rng, _ARMS)
    return Arm(*_near(rng, mean, spread, ARM_LIMITS))


def sample_legs(rng: np.random.Generator, level: Difficulty) -> tuple[Leg, Leg]:
    """A random (left, right) pair; which leg leads is random."""
    unusual = rng.random() < level.unusual_pose
    _, first, second, spread = _choose(rng, _UNUSUAL_LEGS if unusual else _USUAL_LEGS)
    legs = [Leg(*_near(rng, mean, (*spread[:4], 6.0), LEG_LIMITS)) for mean in (first, second)]
    return (legs[0], legs[1]) if rng.random() < 0.5 else (legs[1], legs[0])


def sample_yaw(rng: np.random.Generator, level: Difficulty) -> float:
    """Front views are the common ones; side and back views as often as the dial says."""
    draw, sign = rng.random(), 1.0 if rng.random() < 0.5 else -1.0
    if draw < level.back:
        return float(sign * rng.uniform(136, 180))
    if draw < level.back + level.side:
        return float(sign * rng.uniform(50, 130))
    return float(np.clip(rng.normal(0, 22), -44, 44))


def sample_pose(rng: np.random.Generator, level: Difficulty) -> Pose:
    """A random pose, mostly upright."""
    left_leg, right_leg = sample_legs(rng, level)
    spread = 1.0 + level.unusual_pose
    return Pose(
        yaw=sample_yaw(rng, level),
        pitch=float(np.clip(rng.normal(-4, level.pitch_degrees), -30, 25)),
        roll=float(np.clip(rng.normal(0, level.roll_degrees), -75, 75)),
        spine=Trunk(*_near(rng, (4, 0, 0), (7 * spread, 5 * spread, 6 * spread), SPINE_LIMITS)),
        head=Trunk(*_near(rng, (2, 0, 0), (8, 5, 16 * spread), HEAD_LIMITS)),
        left_arm=sample_arm(rng),
        right_arm=sample_arm(rng),
        left_leg=left_leg,
        right_leg=right_leg,
    )


def sample_shape(rng: np.random.Generator) -> Shape:
    """A random adult or (15 %) child."""
    child = rng.random() < 0.15
    size, head = (0.68, 1.3) if child else (1.0, 1.05)
    length = size * (1.0 + 0.04 * rng.standard_normal(8).clip(-2, 2))
    return Shape(
        spine=0.24 * length[0],
        chest=0.25 * length[1],
        neck=0.085 * length[2],
        shoulder=0.178 * length[3],
        hip=0.098 * length[4],
        upper_arm=0.285 * length[5],
        lower_arm=0.25 * length[5],
        upper_leg=0.41 * length[6],
        lower_leg=0.41 * length[7],
        head=size * head,
        girth=float(size * np.clip(rng.normal(1.18, 0.10), 0.98, 1.45)),
    )
