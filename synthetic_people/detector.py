"""A simulated person detector, so that scores of keypoints have false boxes to tell from true ones.

For every annotated person (width w, height h), independently:
- missed with probability 0.03, plus 0.12 below 32 x 32 px, plus 0.10 times the occluded share of its keypoints;
- else a box whose corners are moved by N(0, 0.03) w or h, with logit score N(2.0, 1.0), minus 1.5 times the
  occluded share, minus 0.8 below 32 x 32 px;
- with probability 0.12 a duplicate: corners moved by N(0, 0.12) w or h, logit score N(0.2, 1.0).
Besides, Poisson(0.5) background boxes of a person's aspect ratio and IoU below 0.3 with every person, logit score
N(-0.4, 1.2): one in twenty outscores the median box of a person (of profile mini's val split 5.2 %). Scores are the
sigmoid; boxes end at the border.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from synthetic_people.annotate import SMALL_AREA, PersonLabel

STREAM = 2
"""Last word of the seed, apart from the streams that draw the image."""

Box = tuple[float, float, float, float]


class Detection(NamedTuple):
    """A box (x, y, width, height) in image px and its score in (0, 1)."""

    box: Box
    score: float

    def to_coco(self, image_id: int) -> dict[str, Any]:
        """The entry of the results file."""
        return {"image_id": image_id, "category_id": 1, "bbox": list(self.box), "score": self.score}


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two (x, y, width, height) boxes."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    tall = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(0.0, wide) * max(0.0, tall)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def _clipped(x0: float, y0: float, x1: float, y1: float, size: tuple[int, int]) -> Box:
    """The box between two corners, inside the image, at least 4 px a side."""
    left, top = min(max(0.0, x0), size[1] - 4.0), min(max(0.0, y0), size[0] - 4.0)
    right, bottom = max(left + 4.0, min(float(size[1]), x1)), max(top + 4.0, min(float(size[0]), y1))
    return round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1)


def _jittered(rng: np.random.Generator, box: tuple[int, int, int, int], spread: float, size: tuple[int, int]) -> Box:
    x, y, w, h = box
    x0, y0, x1, y1 = spread * rng.standard_normal(4)
    return _clipped(x + x0 * w, y + y0 * h, x + w + x1 * w, y + h + y1 * h, size)


def _score(rng: np.random.Generator, mean: float, spread: float) -> float:
    return round(1.0 / (1.0 + math.exp(-float(rng.normal(mean, spread)))), 4)


def _background_box(rng: np.random.Generator, labels: Sequence[PersonLabel], size: tuple[int, int]) -> Box | None:
    """A box away from every person; None where ten tries found none."""
    for _ in range(10):
        h = float(rng.uniform(0.25, 0.9)) * size[0]
        w = h * float(rng.uniform(0.3, 0.6))
        x, y = rng.uniform(-0.2 * w, size[1] - 0.8 * w), rng.uniform(-0.1 * h, size[0] - 0.8 * h)
        box = _clipped(x, y, x + w, y + h, size)
        if all(iou(box, label.box) < 0.3 for label in labels):
            return box
    return None


def detect(labels: Sequence[PersonLabel], size: tuple[int, int], key: Sequence[int]) -> list[Detection]:
    """Detections of one image; a pure function of its labels, its (height, width) and `key` (seed, split, image)."""
    rng = np.random.default_rng([*key, STREAM])
    found = []
    for label in labels:
        small, hidden = label.area < SMALL_AREA, label.occluded_share
        missed = rng.random() < 0.03 + 0.12 * small + 0.10 * hidden
        first = Detection(_jittered(rng, label.box, 0.03, size), _score(rng, 2.0 - 1.5 * hidden - 0.8 * small, 1.0))
        twice = rng.random() < 0.12
        second = Detection(_jittered(rng, label.box, 0.12, size), _score(rng, 0.2, 1.0))
        found += [first] * (not missed) + [second] * (twice and not missed)
    for _ in range(int(rng.poisson(0.5))):
        box = _background_box(rng, labels, size)
        if box is not None:
            found.append(Detection(box, _score(rng, -0.4, 1.2)))
    return found
