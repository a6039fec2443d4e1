"""What a keypoint set is: names, mirror pairs, OKS constants, skeleton, body halves; described once, for any K."""

import math
from dataclasses import dataclass

from poseur_lib.config.keypoints import KeypointChoice, OwnKeypoints
from poseur_lib.errors import unknown_name


@dataclass(frozen=True)
class KeypointSet:
    """The K keypoints of a data set. All indices are 0-based.

    Args:
        name: how a configuration names the set.
        names: the K keypoint names, in the order of the annotation files.
        flip_pairs: (left, right) pairs that change places when the image is mirrored.
        oks_sigmas: COCO's constant of each keypoint (k_i = 2 sigma_i), a fraction of the square root of the area;
            empty where the data set defines none.
        skeleton: pairs to connect when a pose is drawn.
        upper_body, lower_body: the halves that half-body augmentation chooses from.

    Raises:
        ValueError: the parts contradict each other; the message names the offending value.
    """

    name: str
    names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    oks_sigmas: tuple[float, ...]
    skeleton: tuple[tuple[int, int], ...]
    upper_body: tuple[int, ...]
    lower_body: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise ValueError(f"keypoint set {self.name!r}: names must be present and distinct, got {self.names}")
        if self.oks_sigmas and len(self.oks_sigmas) != len(self.names):
            raise ValueError(f"keypoint set {self.name!r}: {len(self.names)} names, {len(self.oks_sigmas)} oks_sigmas")
        if not all(math.isfinite(sigma) and sigma > 0 for sigma in self.oks_sigmas):
            raise ValueError(f"keypoint set {self.name!r}: oks_sigmas must be positive, got {self.oks_sigmas}")
        paired = [index for pair in self.flip_pairs for index in pair]
        halves = self.upper_body + self.lower_body
        for part, indices in (("flip_pairs", paired), ("upper_body + lower_body", halves)):
            if len(set(indices)) != len(indices):
                raise ValueError(f"keypoint set {self.name!r}: {part} names a keypoint twice: {indices}")
        for index in [*paired, *halves, *(index for edge in self.skeleton for index in edge)]:
            if not 0 <= index < len(self.names):
                raise ValueError(f"keypoint set {self.name!r}: index {index} is not in 0..{len(self.names) - 1}")

    @property
    def num_keypoints(self) -> int:
        """K."""
        return len(self.names)

    @property
    def flip_index(self) -> tuple[int, ...]:
        """The permutation that a mirror image applies: keypoint i of the mirrored person is flip_index[i]'s mirror."""
        permutation = list(range(self.num_keypoints))
        for left, right in self.flip_pairs:
            permutation[left], permutation[right] = right, left
        return tuple(permutation)


COCO_17 = KeypointSet(
    name="coco17",
    names=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    oks_sigmas=(
        0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
        0.089,
    ),
    skeleton=(
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
        (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
    ),
    upper_body=tuple(range(11)),
    lower_body=tuple(range(11, 17)),
)  # fmt: skip

MPII_16 = KeypointSet(
    name="mpii16",
    names=(
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
        "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow",
        "left_wrist",
    ),
    flip_pairs=((5, 0), (4, 1), (3, 2), (15, 10), (14, 11), (13, 12)),
    oks_sigmas=(  # COCO's where COCO has the joint, pelvis as a hip, the others as CrowdPose's head; MPII takes PCKh
        0.089, 0.087, 0.107, 0.107, 0.087, 0.089, 0.107, 0.079, 0.079, 0.079, 0.062, 0.072, 0.079, 0.079, 0.072, 0.062,
    ),
    skeleton=(
        (0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (8, 12), (12, 11), (11, 10), (8, 13),
        (13, 14), (14, 15),
    ),
    upper_body=tuple(range(7, 16)),
    lower_body=tuple(range(7)),
)  # fmt: skip

LSP_14 = KeypointSet(  # Leeds Sports Pose and its extension, in the order of joints.mat
    name="lsp14",
    names=(
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
        "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
    ),
    flip_pairs=((5, 0), (4, 1), (3, 2), (11, 6), (10, 7), (9, 8)),
    oks_sigmas=(  # CrowdPose's, whose 14 keypoints are the same; the data set itself defines none
        0.089, 0.087, 0.107, 0.107, 0.087, 0.089, 0.062, 0.072, 0.079, 0.079, 0.072, 0.062, 0.079, 0.079,
    ),
    skeleton=(
        (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 12), (12, 9), (9, 10), (10, 11), (12, 13), (8, 2),
        (9, 3),
    ),
    upper_body=tuple(range(6, 14)),
    lower_body=tuple(range(6)),
)  # fmt: skip

CROWDPOSE_14 = KeypointSet(  # Li et al., CVPR 2019, in the order of its files; constants of its evaluation code
    name="crowdpose14",
    names=(
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
        "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "head", "neck",
    ),
    flip_pairs=((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11)),
    oks_sigmas=(
        0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079, 0.079,
    ),
    skeleton=(
        (10, 8), (8, 6), (11, 9), (9, 7), (6, 7), (0, 6), (1, 7), (0, 2), (2, 4), (1, 3), (3, 5), (12, 13), (13, 0),
        (13, 1),
    ),
    upper_body=(0, 1, 2, 3, 4, 5, 12, 13),
    lower_body=tuple(range(6, 12)),
)  # fmt: skip

_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
_FACE, _HAND = 23, 21  # first keypoint of the face; keypoints of a hand
_HAND_SIGMAS = (
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021,
    0.032, 0.020, 0.019, 0.022, 0.031,
)  # fmt: skip
_FACE_PAIRS = (  # of the 68 landmarks: jaw, brows, nostrils, eyes, outer lips, inner lips; (the person's right, left)
    *((i, 16 - i) for i in range(8)), *((17 + i, 26 - i) for i in range(5)), (31, 35), (32, 34), (36, 45), (37, 44),
    (38, 43), (39, 42), (40, 47), (41, 46), (48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63),
    (65, 67),
)  # fmt: skip


def _hand_names(side: str) -> tuple[str, ...]:
    return f"{side}_hand_root", *(f"{side}_{finger}{number}" for finger in _FINGERS for number in range(1, 5))


def _hand_skeleton(root: int) -> tuple[tuple[int, int], ...]:
    tips = ((root if k % 4 == 0 else root + k, root + k + 1) for k in range(20))
    return tuple(tips)


COCO_WHOLEBODY_133 = KeypointSet(
    name="coco_wholebody133",
    names=(
        *COCO_17.names, "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
        *(f"face_{number}" for number in range(68)), *_hand_names("left"), *_hand_names("right"),
    ),
    flip_pairs=(
        *COCO_17.flip_pairs, (17, 20), (18, 21), (19, 22),
        *((_FACE + left, _FACE + right) for right, left in _FACE_PAIRS),
        *((91 + i, 91 + _HAND + i) for i in range(_HAND)),
    ),
    oks_sigmas=(  # of the data set's own evaluation code
        *COCO_17.oks_sigmas, 0.068, 0.066, 0.066, 0.092, 0.094, 0.094,
        0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041,
        0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012,
        0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034,
        0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008,
        0.008, 0.008, 0.010, 0.008, *_HAND_SIGMAS, *_HAND_SIGMAS,
    ),
    skeleton=(
        *COCO_17.skeleton, (15, 17), (15, 18), (15, 19), (16, 20), (16, 21), (16, 22), *_hand_skeleton(91),
        *_hand_skeleton(91 + _HAND),
    ),
    upper_body=COCO_17.upper_body,
    lower_body=(*COCO_17.lower_body, *range(17, 133)),  # with face and hands: the released code's is all but the upper
)  # fmt: skip

WHOLEBODY_PARTS = {
    "body": range(17), "foot": range(17, _FACE), "face": range(_FACE, 91), "left hand": range(91, 91 + _HAND),
    "right hand": range(91 + _HAND, 91 + 2 * _HAND),
}  # fmt: skip
"""Keypoints of COCO-WholeBody that its evaluation also judges apart."""

KEYPOINT_SETS: tuple[KeypointSet, ...] = (COCO_17, MPII_16, LSP_14, CROWDPOSE_14, COCO_WHOLEBODY_133)


def keypoint_set(given: KeypointChoice) -> KeypointSet:
    """The built-in keypoint set of that name, or the one that is described.

    Raises:
        UserError: no such set; the message gives the nearest known name, or all.
    """
    if isinstance(given, OwnKeypoints):
        return _described(given)
    for candidate in KEYPOINT_SETS:
        if candidate.name == given:
            return candidate
    raise unknown_name("keypoint set", given, [candidate.name for candidate in KEYPOINT_SETS])


def _described(own: OwnKeypoints) -> KeypointSet:
    def pairs(named: tuple[tuple[str, str], ...]) -> tuple[tuple[int, int], ...]:
        return tuple((own.names.index(a), own.names.index(b)) for a, b in named)

    return KeypointSet(
        name=own.name,
        names=own.names,
        flip_pairs=pairs(own.flip_pairs),
        oks_sigmas=own.oks_sigmas,
        skeleton=pairs(own.skeleton),
        upper_body=own.indices(own.upper_body),
        lower_body=own.indices(own.lower_body),
    )
