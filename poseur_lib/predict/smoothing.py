"""One-euro filter: less jitter where a keypoint rests, less lag where it moves (Casiez et al., CHI 2012, Algorithm 1).

    a(cutoff) = 1 / (1 + rate / (2 pi cutoff)),   cutoff = least + slope |speed|

The filtered value moves by the share a of its distance to what was measured. Speed is measured in the person's sizes a
second, so that the two constants hold for people near and far; both axes of a keypoint are filtered alike.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float
from pycocotools import mask

from poseur_lib.predict.people import PersonPose
from poseur_lib.predict.predictor import ImagePoses

LEAST_CUTOFF = 1.5
"""Hz, of a keypoint at rest: an error of one frame is cut to a quarter at 30 frames a second."""
SLOPE = 5.0
"""Hz for each of the person's sizes a second."""
SPEED_CUTOFF = 1.0
"""Hz, of the filter of the speed; as published."""
SAME_PERSON = 0.3
"""Intersection over union of two boxes, from which on they are one person's in two frames."""


def share(cutoff: Float[np.ndarray, "*_"], rate: float) -> Float[np.ndarray, "*_"]:
    """How far a low-pass filter of a cutoff frequency (Hz) moves in one frame, 0 to 1; `rate` is in frames a second."""
    return np.asarray(1 / (1 + rate / (2 * math.pi * cutoff)))


@dataclass
class OneEuro:
    """The filter of one person's keypoints.

    Args:
        rate: frames a second.
        least_cutoff, slope: as above.
    """

    rate: float
    least_cutoff: float = LEAST_CUTOFF
    slope: float = SLOPE
    _value: np.ndarray | None = field(default=None, init=False)
    _speed: np.ndarray | None = field(default=None, init=False)

    def __call__(self, points: Float[np.ndarray, "K 2"], size: float) -> Float[np.ndarray, "K 2"]:
        """The filtered keypoints of the next frame, in pixels as they are given; `size` of the person is too."""
        if self._value is None or self._speed is None:
            self._value, self._speed = points.astype(np.float64), np.zeros(points.shape)
        away = points - self._value
        self._speed = self._speed + share(np.array(SPEED_CUTOFF), self.rate) * (away * self.rate - self._speed)
        cutoff = self.least_cutoff + self.slope * np.linalg.norm(self._speed, axis=1, keepdims=True) / size
        self._value = self._value + share(cutoff, self.rate) * away
        return self._value.astype(np.float32)


class Smoother:
    """Filters the people of a film's frames, in their order.

    A person is who has the box in the frame before that overlaps most; without one the filter begins anew.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._before: list[tuple[PersonPose, OneEuro]] = []

    def __call__(self, poses: ImagePoses) -> ImagePoses:
        """The next frame with filtered keypoints; scores and boxes stay."""
        before, now, people = list(self._before), [], list(poses.people)
        for index in np.argsort([-person.score for person in people], kind="stable"):
            person = people[index]
            boxes = np.array([earlier.box for earlier, _ in before])
            overlaps = mask.iou(np.array([person.box]), boxes, [0] * len(boxes))[0] if before else np.zeros(1)
            best = int(overlaps.argmax())
            same = overlaps[best] >= SAME_PERSON
            keep = before.pop(best)[1] if same else OneEuro(self.rate)
            size = math.sqrt(person.box[2] * person.box[3])
            now.append((person, keep))
            people[index] = replace(person, keypoints_image=keep(person.keypoints_image, size))
        self._before = now
        return replace(poses, people=tuple(people))
