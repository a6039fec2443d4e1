"""A number over seeds and images, with both components of its uncertainty."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from scipy import stats

from poseur_lib.config.base import Frozen

LEVEL = 0.95
METHOD = (
    "95 % interval of a row: 1,000 bootstrap resamples of the validation images; with several seeds, Student's t over "
    "the row's own seeds is added in quadrature."
)
CUT = "Intervals of shares, AP, AR and PCKh are cut at 0 and 100, in the CSV they are not."


class Estimate(Frozen):
    """An AP, an AR or a difference of two, in points, with a 95 % interval.

    Attributes:
        images_half: half width that comes from resampling the validation images.
        seeds_half: half width by Student's t over the seeds; None with one seed, whose spread is then unknown.
    """

    value: float
    low: float
    high: float
    images_half: float
    seeds_half: float | None
    n_seeds: int
    n_images: int


@dataclass(frozen=True, eq=False)
class Sample:
    """A number of one seed: on the images as they are, and on each resample of them; NaN where it is not defined."""

    value: float
    draws: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, array: Float[np.ndarray, " n"]) -> "Sample":
        """The value, then the draws."""
        return cls(float(array[0]), array[1:])

    @property
    def array(self) -> Float[np.ndarray, " n"]:
        """The value, then the draws."""
        return np.concatenate([[self.value], self.draws])


def difference(better: Sample, than: Sample) -> Sample:
    """The first less the second, resample by resample."""
    return Sample.of(better.array - than.array)


def weighted(weights: Iterable[float], samples: Iterable[Sample]) -> Sample:
    """The weighted sum, resample by resample: a difference has the weights 1 and -1."""
    return Sample.of(sum(weight * one.array for weight, one in zip(weights, samples, strict=True)))


def estimate(samples: Sequence[Sample], n_images: int) -> Estimate | None:
    """The mean over seeds, a sample each, with its interval; None where there is no seed or no person to find.

    The bootstrap's percentile interval of the mean over seeds (all seeds on the same resamples) and the t interval of
    that mean over seeds add in quadrature, each side for itself.
    """
    per_seed = [one.value for one in samples]
    if not per_seed or not all(math.isfinite(value) for value in per_seed):
        return None
    value = float(np.mean(per_seed))
    over_images = np.mean([one.draws for one in samples], axis=0)
    low, high = np.nanquantile(over_images, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    seeds_half = student_half_width(per_seed) if len(per_seed) > 1 else None
    return Estimate(
        value=value,
        low=value - math.hypot(max(0.0, value - low), seeds_half or 0.0),
        high=value + math.hypot(max(0.0, high - value), seeds_half or 0.0),
        images_half=float(high - low) / 2,
        seeds_half=seeds_half,
        n_seeds=len(per_seed),
        n_images=n_images,
    )


MaybeEstimate = TypeVar("MaybeEstimate", bound=Estimate | None)


def bounded(one: MaybeEstimate) -> MaybeEstimate:
    """A share, an AP or a PCKh with its interval cut to what they can be, 0 to 100; None stays None."""
    return None if one is None else one.model_copy(update={"low": max(0.0, one.low), "high": min(100.0, one.high)})


def cut_note(levels: Iterable[Estimate | None]) -> str:
    """For a caption, where one of the intervals had to be cut; else ""."""
    return f" {CUT}" if any(bounded(one) != one for one in levels) else ""


def student(n: int) -> float:
    """t(0.975, n - 1)."""
    return float(stats.t.ppf((1 + LEVEL) / 2, n - 1))


def student_half_width(values: Sequence[float]) -> float:
    """Half width of Student's 95 % interval of the mean: t(0.975, n - 1) s / sqrt(n)."""
    return float(student(len(values)) * np.std(values, ddof=1) / math.sqrt(len(values)))
