"""How sure an AP is: images are resampled with replacement, and AP is computed again from kept matches.

An image that a resample holds w times counts w times. A curve over detections of weight w passes through the same
points as one in which each stands w times, except for points between two copies; those never decide, because between
copies of a hit precision only rises, and between copies of a miss recall stands still. So weights give COCO's AP
exactly, without copying anything. (Where detections of one image have equal scores the order of their copies is not
defined; here a detection's copies stay together.)
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from poseur_lib.evaluation.matches import ImageMatches

Measure = Literal["AP", "AP50", "AP75", "AR"]


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
        chosen = list(range(len(matches.oks_thresholds)))
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

    def precision(self) -> Float[np.ndarray, "T R"]:
        """COCO's precision of the measure's OKS thresholds at the recall thresholds, 0 to 1; NaN without people."""
        people, once = int(self.matches.people.sum()), np.ones(len(self.matches.image_ids), np.int32)
        if people == 0:
            return np.full((len(self.hits), len(self.matches.recall_thresholds)), np.nan)
        return np.stack([self._precision(hits, once, people) for hits in self.hits])

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
