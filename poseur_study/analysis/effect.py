"""A claimed effect: its standard error by the seed model, its interval, its p and what it could have detected.

    error² = Σ w s² / S + h²

over the lengths (epochs, and people in each) and sizes of crops that its trainings have (most effects have one of
each): s and its degrees of freedom are those of `Spread`, w the sum of squares of the effect's weights over distinct
trainings of that length and size (2 for a difference of two rows, 4 for a difference of differences), S the number of
seeds and h the standard error over the val images, from resamples that all rows share. Between scores of the same
poses, and of what a notebook measures, the spread over seeds is the effect's own, with S − 1 degrees of freedom. t has
those of Welch and Satterthwaite; where 2 degrees over seeds meet an images' part that is small beside them, such an
interval holds the truth in 92 to 93 % of cases, not 95.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize, stats

from poseur_study.analysis.interval import LEVEL, Estimate, student
from poseur_study.analysis.seed_model import Spread
from poseur_study.experiments.experiment import ClaimTest, EffectKind
from poseur_study.runs.evaluation_file import RESAMPLES

POWER = 0.8
CHANCE = 1 - LEVEL
NORMAL = float(stats.norm.ppf((1 + LEVEL) / 2))
METHOD = (
    "95 % interval of a difference: one model for all trainings of the profile of one length (epochs, and people in "
    "each) on crops of one size, and one for those on whole images, with arm and seed as factors and the variance "
    "pooled over arms, if by Bartlett's test these spread alike, and else over the claim's own; where rows differ in "
    "length or size, each brings the variance of its own. The images' variance, from 1,000 resamples that both rows "
    "share, is added, and t has the degrees of freedom of Welch and Satterthwaite. "
    "Trainings whose people are scored in another way than the run's own are taken to spread as by that one. "
    "Between scores of the same poses, and of what a notebook measures, the variance over seeds is the claim's own. "
    "p is by Holm over the claims of a table, or of its family where a claim has one. "
    "Where all seeds of an arm start from one pretrained backbone, as in profile mini, every interval is conditional "
    "on that one pretraining: what another would have given is in none of them."
)
IN_SHORT = (
    "That of a difference: the variance over seeds is pooled over all arms of the profile of that length and crop "
    "size, or over its own rows where arms do not spread alike (see the ledger)."
)
OWN_IN_SHORT = "That of one training's scores, or of what a page measures: by the seeds of its own (see the ledger)."
CHANGED = (
    "Until November 2026 the interval of a difference was made of its own seeds alone: Student's t with S − 1 degrees "
    "of freedom (2 of three seeds), in quadrature with the images' percentiles, and claims were decided one by one. "
    "That interval stands beside the present one for one release, as `earlier interval`. Profile mini's runs had been "
    "seen when the model was chosen: where their three seeds happened to lie close its intervals are wider, where they "
    "happened to lie far apart narrower. So they had when trainings on crops of several sizes were parted (seeds that "
    "all end at 0 AP say nothing of others), when rows that are scored in another way got their trainings' model, and "
    "when arms that are alone on their device, or end at one number, were left out and rows of two sizes got the "
    "variance of each; and when rows that are not paired, as on two devices, got each its own."
)


class Effect(Estimate):
    """An effect with the interval by which it is decided.

    Attributes:
        error: standard error; `freedom`: degrees of freedom of its t.
        earlier: with the interval of its own seeds, by which it was decided before.
        spreads: of the trainings, pooled over arms, one a length and size of crops; empty: the effect's own.
    """

    error: float
    freedom: float
    earlier: Estimate
    spreads: tuple[Spread, ...] = ()

    @classmethod
    def of(cls, earlier: Estimate, weighted: Sequence[tuple[float, Spread]] = ()) -> "Effect":
        """The effect of an estimate over its own seeds.

        Args:
            weighted: w above and s of each length and size.
        """
        images, n = (earlier.images_half / NORMAL) ** 2, earlier.n_seeds
        parts = [(weight * spread.deviation**2 / n, float(spread.freedom)) for weight, spread in weighted]
        if not parts and earlier.seeds_half is not None:
            parts = [((earlier.seeds_half / student(n)) ** 2, float(n - 1))]
        known, seeds, of_seeds = bool(parts), sum(one for one, _ in parts), _satterthwaite(*parts)
        freedom = _satterthwaite(*parts, (images, float(RESAMPLES - 1)))
        error = math.sqrt(seeds + images)
        half, seeds_half = _quantile(freedom) * error, _quantile(of_seeds) * math.sqrt(seeds)
        ends = {"low": earlier.value - half, "high": earlier.value + half, "seeds_half": seeds_half if known else None}
        spreads = tuple(spread for _, spread in weighted)
        more = {"error": error, "freedom": freedom, "earlier": earlier, "spreads": spreads}
        return cls(**{**earlier.model_dump(include=set(Estimate.model_fields)), **ends, **more})

    @property
    def detectable(self) -> float | None:
        """The effect that a study with this error finds in 80 % of cases, in points; None where all is one number."""
        return detectable_effect(self.error, self.freedom) if self.error > 0 else None

    def detectable_with(self, n_seeds: int) -> float | None:
        """`detectable` with another number of seeds that spread as these do; None where that spread is unknown."""
        if self.seeds_half is None or n_seeds == 1:
            return None
        images = (self.images_half / NORMAL) ** 2
        seeds = max(0.0, self.error**2 - images)
        if not seeds + images:
            return None
        shared = self.error**4 / self.freedom - images**2 / (RESAMPLES - 1)  # Welch and Satterthwaite, turned round
        freedom = seeds**2 / shared * (n_seeds - 1) / (self.n_seeds - 1) if seeds and shared > 0 else RESAMPLES - 1
        parts = (seeds * self.n_seeds / n_seeds, freedom), (images, float(RESAMPLES - 1))
        return detectable_effect(math.sqrt(sum(one for one, _ in parts)), _satterthwaite(*parts))

    @property
    def in_short(self) -> str:
        """Whose variance over seeds it has, for a caption."""
        return IN_SHORT if self.spreads else OWN_IN_SHORT

    @property
    def half(self) -> float:
        """Half width of the interval."""
        return (self.high - self.low) / 2


def detectable_effect(error: float, freedom: float) -> float:
    """Where the noncentral t of an effect exceeds the two-sided 5 % quantile with a power of 80 %."""
    critical = _quantile(freedom)

    def short_of_power(noncentrality: float) -> float:
        return float(stats.nct.sf(critical, freedom, noncentrality)) - POWER

    return error * float(optimize.brentq(short_of_power, 0.0, 10 * critical))


def p_value(claim: ClaimTest, effect: Effect) -> float:
    """Two-sided p of an effect; of an equivalence, of whichever side of the margin the interval lies on.

    Both are below 0.05 just where the 95 % interval decides: beyond 0, within the margin, or outside of it.
    """
    size = abs(effect.value)
    if claim.kind != EffectKind.EQUIVALENCE:
        return 2 * _tail(size, effect)
    within = max(_tail(claim.margin - size, effect), _tail(claim.margin + size, effect))
    return min(1.0, 2 * min(within, _tail(size - claim.margin, effect)))


def holm(p: Sequence[float]) -> list[float]:
    """p adjusted for having tested all of them (Holm 1979): those below 0.05 keep the family's error at 5 %."""
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * np.asarray(p, float)[order]))
    return [float(one) for one in adjusted]


def _tail(distance: float, effect: Effect) -> float:
    if effect.error == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stats.t.sf(distance / effect.error, effect.freedom))


def _quantile(freedom: float) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))


def _satterthwaite(*parts: tuple[float, float]) -> float:
    """Degrees of freedom of a sum of variances, each with its own."""
    total = sum(variance for variance, _ in parts)
    if not total:
        return float(RESAMPLES - 1)
    return total**2 / sum(variance**2 / freedom for variance, freedom in parts)
