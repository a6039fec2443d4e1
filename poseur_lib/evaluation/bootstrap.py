"""How sure an AP is: images are resampled with replacement, and AP is computed again from kept matches.

An image that a resample holds w times counts w times. A curve over detections of weight w passes through the same
points as one in which each stands w times, except for points between two copies; those never decide, because between
copies of a hit precision only rises, and between copies of a miss recall stands still. So weights give COCO's AP
exactly, without copying anything. (Where detections of one image have equal scores the order of their copies is not
defined; here a detection's copies stay together.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from poseur_lib.evaluation.matches import ImageMatches

Measure = Literal["AP", "AP50", "AP75", "AR"]


@dataclass(frozen=True)
class Interval:
    """A number with its percentile interval from `resamples` bootstrap resamples, in the unit of the number.

    Attributes:
        estimate: on the images as they are.
        standard_error: standard deviation over the resamples.
        level: share of the resamples between `low` and `high`.
    """

    estimate: float
    low: float
    high: float
    standard_error: float
    level: float
    resamples: int


class _Hits(NamedTuple):
    """One OKS threshold: the images of the detections that count, and which of those are hits."""

    counted: Int[np.ndarray, "V"]
    hit: Int[np.ndarray, "P"]
    hit_image: Int[np.ndarray, "P"]


class Scorer:
    """AP and AR of matches for any multiplicity of the images; `COCOeval.accumulate`, prepared once.

    Args:
        measure: AP50, AP75 restrict AP to one OKS threshold; AR is recall, averaged over the OKS thresholds.
    """

    def __init__(self, matches: ImageMatches, measure: Measure = "AP") -> None:
        self.matches, self.measure = matches, measure
        chosen = range(len(matches.oks_thresholds))
        if measure in ("AP50", "AP75"):
            chosen = [int(np.argmin(np.abs(matches.oks_thresholds - int(measure[2:]) / 100)))]
        image = matches.image.astype(np.int32)
        self.hits: list[_Hits] = []
        for row in chosen:
            counted = ~matches.ignored[row]
            hit = np.flatnonzero(matches.matched[row][counted])
            self.hits.append(_Hits(image[counted], hit, image[counted][hit]))

    def __call__(self, counts: Int[np.ndarray, "I"] | None = None) -> float:
        """The measure, times 100, where image i is there `counts[i]` times (once, if None); NaN without people."""
        counts = np.ones(len(self.matches.image_ids), np.int32) if counts is None else counts.astype(np.int32)
        people = int((counts * self.matches.people).sum())
        if people == 0:
            return float("nan")
        if self.measure == "AR":
            return 100 * float(np.mean([counts[hits.hit_image].sum() / people for hits in self.hits]))
        curves = [self._precision(hits, counts, people) for hits in self.hits]
        return 100 * float(np.mean(np.concatenate(curves)))

    def _precision(self, hits: _Hits, counts: Int[np.ndarray, "I"], people: int) -> Float[np.ndarray, "R"]:
        """Precision at the recall thresholds: the best at that recall or a higher one, 0 where none is reached.

        Only hits are looked at: between them recall stands still and precision falls.
        """
        found = np.cumsum(counts[hits.hit_image], dtype=np.int32).astype(np.float64)
        counted = np.cumsum(counts[hits.counted], dtype=np.int32)[hits.hit]
        precision = found / (counted + np.spacing(1.0))
        envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
        return envelope[np.searchsorted(found / people, self.matches.recall_thresholds, side="left")]


def resamples(images: int, n: int, seed: int) -> Iterator[Int[np.ndarray, "I"]]:
    """How often each image is drawn, n times over: `images` draws with replacement each, a function of the seed."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        yield np.bincount(rng.integers(0, images, images), minlength=images)


def bootstrap(matches: ImageMatches, n: int, seed: int, measure: Measure = "AP") -> Float[np.ndarray, "n"]:
    """The measure, times 100, on each of n resamples of the images; NaN on those that hold no person."""
    scorer = Scorer(matches, measure)
    return np.array([scorer(counts) for counts in resamples(len(matches.image_ids), n, seed)], np.float64)


def bootstrap_ap(
    matches: ImageMatches, n: int = 1000, seed: int = 0, measure: Measure = "AP", level: float = 0.95
) -> Interval:
    """AP x 100 (or another measure) with its percentile interval over n resamples of the images."""
    return _interval(Scorer(matches, measure)(), bootstrap(matches, n, seed, measure), level)


def paired_bootstrap_difference(
    a: ImageMatches, b: ImageMatches, n: int = 1000, seed: int = 0, measure: Measure = "AP", level: float = 0.95
) -> Interval:
    """AP of `a` minus AP of `b`, times 100, with its percentile interval: both on the same resamples of the images.

    Raises:
        ValueError: they are not about the same images.
    """
    if not np.array_equal(a.image_ids, b.image_ids):
        raise ValueError(f"matches of different images: {len(a.image_ids)} and {len(b.image_ids)}, or other ids")
    differences = bootstrap(a, n, seed, measure) - bootstrap(b, n, seed, measure)
    return _interval(Scorer(a, measure)() - Scorer(b, measure)(), differences, level)


def _interval(estimate: float, values: Float[np.ndarray, "n"], level: float) -> Interval:
    """Resamples without a person are left out; without at least two others, interval and error are NaN.

    Raises:
        ValueError: `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    valid = values[np.isfinite(values)]
    if len(valid) < 2:
        return Interval(estimate, float("nan"), float("nan"), float("nan"), level, len(values))
    low, high = np.quantile(valid, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), float(valid.std(ddof=1)), level, len(values))
