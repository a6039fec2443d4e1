"""What a keypoint set is: names, mirror pairs, OKS constants, skeleton, body halves; described once, for any K."""

import difflib
import math
from dataclasses import dataclass

from poseur_lib.errors import UserError


@dataclass(frozen=True)
class KeypointSet:
    """The K keypoints of a data set. All indices are 0-based.

    Args:
        name: how a configuration names the set.
        names: the K keypoint names, in the order of the annotation files.
        flip_pairs: (left, right) pairs that change places when the image is mirrored.
        oks_sigmas: COCO's constant of each keypoint (k_i = 2 sigma_i), a fraction of the square root of the area.
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
        if len(self.oks_sigmas) != len(self.names):
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

KEYPOINT_SETS: tuple[KeypointSet, ...] = (COCO_17,)


def keypoint_set(name: str) -> KeypointSet:
    """The keypoint set of that name.

    Raises:
        UserError: no such set; the message gives the nearest known name.
    """
    for candidate in KEYPOINT_SETS:
        if candidate.name == name:
            return candidate
    known = [candidate.name for candidate in KEYPOINT_SETS]
    nearest = (difflib.get_close_matches(name, known, n=1, cutoff=0.0) or known)[0]
    raise UserError(f"unknown keypoint set {name!r}; the nearest known one is {nearest!r}")
