"""The minimum detectable effect of a claim's study: which difference its interval would tell from 0.

A pilot, recorded from finished runs, says how wide such intervals are. Of a study with S seeds and n' images the half
width over the seeds is expected to be t(0.975, S - 1) s / sqrt(S), that over the images h sqrt(n / n'); both add in
quadrature to H. An effect of (1 + z(0.8) / z(0.975)) H = 1.43 H has an interval that excludes 0 in 80 % of such
studies.

s is the standard deviation of a difference over seeds, pooled over the pilot's differences between rows that were
trained apart: sqrt(sum (S_i - 1) s_i^2 / sum (S_i - 1)). Two scores of the same poses do not have the spread of two
trainings: there s is the claim's own, or pooled over such claims. h, at n images, is the claim's own, or the median of
its kind. With one seed s is not known, and what is stated is a lower bound.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError
from scipy import stats

from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError
from poseur_study.analysis.interval import LEVEL, Estimate, student
from poseur_study.analysis.result_types import TableResult
from poseur_study.experiments.experiment import ClaimTest, EffectKind, Table
from poseur_study.experiments.profiles import Profile

FILE = Path(__file__).with_name("pilot.json")
POWER = 0.8
FACTOR = float(1 + stats.norm.ppf(POWER) / stats.norm.ppf((1 + LEVEL) / 2))
METHOD = (
    "Minimum detectable effect: the difference whose 95 % interval excludes 0 in 80 % of studies of this size, "
    f"{FACTOR:.2f} times the expected half width. That of the images shrinks with the square root of their number; "
    "that of the seeds is t(0.975, S − 1) s / √S, with s pooled over the recorded differences between rows that were "
    "trained apart (between scores of the same poses: the claim's own). With one seed the spread over seeds is "
    "unknown, and the figure is a lower bound. Of an equivalence: whether the expected interval fits the margin."
)


class PilotDifference(Frozen):
    """A difference that was measured before.

    Attributes:
        rescored: its rows are the same poses with other scores, not two trainings.
        seeds_deviation: standard deviation of the difference over seeds; None with one.
    """

    table: str
    claim: str
    rescored: bool
    images_half: float
    n_images: int
    seeds_deviation: float | None
    n_seeds: int


class Pilot(Frozen):
    """Where the widths come from; runs that began before `recorded_at` were not planned by it."""

    profile: str
    data: str
    recorded_at: str
    differences: tuple[PilotDifference, ...] = Field(min_length=1)

    @property
    def tables(self) -> str:
        """Numbers of the tables that it has differences of, in words."""
        return ", ".join(sorted({one.table for one in self.differences}))

    def younger_than(self, runs_began: datetime | None) -> bool:
        """True if some runs began before it was recorded: then nothing was stated before them by it."""
        return runs_began is not None and runs_began < datetime.fromisoformat(self.recorded_at)


class Detectable(Frozen):
    """The minimum detectable effect of a claim's study, in points; `bound`: at least that, seeds being unknown.

    `points` is None where the pilot has measured no such thing. `margin` is that of an equivalence, whose interval
    has to fit into it.
    """

    points: float | None
    margin: float | None
    bound: bool
    n_images: int
    n_seeds: int

    @property
    def words(self) -> str:
        """`1.1`, or `≥ 1.1`; `not stated`; of an equivalence, whether the expected interval fits its margin."""
        if self.points is None:
            return "not stated"
        if self.margin is None:
            return f"{'≥ ' * self.bound}{self.points:.1f}"
        half = self.points / FACTOR
        fits = "fits" if half < self.margin else "does not fit"
        return f"interval {'≥ ' * self.bound}±{half:.2f}: {fits} the margin of ±{self.margin:g}"


@cache
def pilot() -> Pilot:
    """The recorded pilot. Raises UserError if it cannot be read."""
    try:
        return Pilot.model_validate_json(FILE.read_text())
    except (OSError, ValidationError) as error:
        raise UserError(f"pilot {FILE} cannot be read: {type(error).__name__}") from None


def pilot_of(results: Iterable[tuple[Table, TableResult]]) -> Pilot:
    """The widths of the effects in some results, now recorded as the pilot of later runs."""
    found, where = [], {}
    for table, result in results:
        where = {"profile": result.profile, "data": f"{result.data_name} ({result.data_fingerprint})"}
        effects = {one.key: one.effect for one in result.claims}
        for claim in table.claims:
            if not claim.measured and (effect := effects.get(claim.key)) is not None:
                found.append(_difference(table, claim, effect))
    recorded_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Pilot(**where, recorded_at=recorded_at, differences=tuple(found))


def detectable(table: Table, claim: ClaimTest, profile: Profile, n_seeds: int = 0) -> Detectable:
    """The minimum detectable effect of a claim's study in a profile.

    Args:
        n_seeds: 0: as many as the profile has.
    """
    n_images = profile.folder_images if profile.people is None else profile.people.val_images
    n_seeds = n_seeds or len(profile.seeds)
    margin = claim.margin if claim.kind == EffectKind.EQUIVALENCE else None
    study = {"n_images": n_images, "n_seeds": n_seeds, "margin": margin}
    if claim.measured:
        return Detectable(points=None, bound=False, **study)
    same_poses = rescored(table, claim)
    alike = [one for one in pilot().differences if one.rescored == same_poses] or list(pilot().differences)
    own = [one for one in alike if (one.table, one.claim) == (table.number, claim.key)]
    images = float(np.median([one.images_half * math.sqrt(one.n_images / n_images) for one in own or alike]))
    spread = pooled_deviation(own if own and same_poses else alike) if n_seeds > 1 else None
    seeds = 0.0 if spread is None else student(n_seeds) * spread / math.sqrt(n_seeds)
    both = math.sqrt(2) if claim.beyond and not own else 1.0
    return Detectable(points=FACTOR * both * math.hypot(images, seeds), bound=spread is None, **study)


def pooled_deviation(differences: Iterable[PilotDifference]) -> float | None:
    """Standard deviation over seeds, pooled by degrees of freedom; None where no difference has several seeds."""
    known = [(one.n_seeds - 1, one.seeds_deviation**2) for one in differences if one.seeds_deviation is not None]
    if not known:
        return None
    freedom, variances = zip(*known, strict=True)
    return math.sqrt(np.average(variances, weights=freedom))


def rescored(table: Table, claim: ClaimTest) -> bool:
    """True if a claim's rows are the same poses with other scores."""
    return len({str(sorted(table.changes(table.row(key)).items())) for key in claim.rows}) == 1


def _difference(table: Table, claim: ClaimTest, effect: Estimate) -> PilotDifference:
    half, seeds = effect.seeds_half, effect.n_seeds
    return PilotDifference(
        table=table.number, claim=claim.key, rescored=rescored(table, claim), images_half=effect.images_half,
        n_images=effect.n_images, n_seeds=seeds,
        seeds_deviation=None if half is None else half * math.sqrt(seeds) / student(seeds),
    )  # fmt: skip
