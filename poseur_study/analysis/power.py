"""The smallest effect that a table can find, stated before its runs, from the intervals of a pilot.

A pilot is a difference of the same kind that was measured before: its interval has a half width from the images, h,
at n images, and, with several seeds, the standard deviation s of the difference over the seeds. A study of n' images
and S seeds is expected to have the half widths h sqrt(n / n') and t(0.975, S - 1) s / sqrt(S), added in quadrature to
H. An effect of (1 + z(0.8) / z(0.975)) H = 1.43 H has an interval that excludes 0 in 80 % of such studies. Where the
pilot has one seed, s is not known, and what is stated is a lower bound.
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
from poseur_study.analysis.interval import LEVEL, Estimate
from poseur_study.analysis.result_types import TableResult
from poseur_study.experiments.experiment import ClaimTest, EffectKind, Table
from poseur_study.experiments.profiles import Profile

FILE = Path(__file__).with_name("pilot.json")
POWER = 0.8
FACTOR = float(1 + stats.norm.ppf(POWER) / stats.norm.ppf((1 + LEVEL) / 2))
COCO_VAL_IMAGES = 5000
METHOD = (
    "Smallest detectable effect: the difference whose 95 % interval excludes 0 in 80 % of studies of this size, "
    f"{FACTOR:.2f} times the expected half width. From a pilot's half widths: that of the images shrinks with the "
    "square root of their number, that of the seeds is t(0.975, S − 1) s / √S. With one seed, or a pilot of one, the "
    "spread over seeds is unknown, and the figure is a lower bound. An equivalence asks for an interval that fits its "
    "margin."
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
    """Where the widths come from; what it states is stated for runs that began after `recorded_at`."""

    profile: str
    data: str
    recorded_at: str
    differences: tuple[PilotDifference, ...]

    @property
    def tables(self) -> tuple[str, ...]:
        """Numbers of the tables that it has differences of."""
        return tuple(sorted({one.table for one in self.differences}))


class Pilots(Frozen):
    """All pilots that were recorded, the oldest first: a later one does not change what was stated before some runs."""

    pilots: tuple[Pilot, ...] = Field(min_length=1)


class Detectable(Frozen):
    """The smallest effect that a claim's study can find, in points; `bound`: at least that, seeds being unknown.

    `points` is None where no pilot has measured such a thing. `margin` is that of an equivalence, which asks for an
    interval that fits into it.
    """

    points: float | None
    margin: float | None
    bound: bool
    n_images: int
    n_seeds: int
    source: str

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
def pilots() -> Pilots:
    """The recorded pilots. Raises UserError if they cannot be read."""
    try:
        return Pilots.model_validate_json(FILE.read_text())
    except (OSError, ValidationError) as error:
        raise UserError(f"pilot {FILE} cannot be read: {type(error).__name__}") from None


def pilot(runs_began: datetime | None = None) -> Pilot:
    """The last pilot, or the last one before some runs began; the first one where none was before them."""
    known = pilots().pilots
    before = [one for one in known if runs_began is None or datetime.fromisoformat(one.recorded_at) <= runs_began]
    return before[-1] if before else known[0]


def pilot_of(results: Iterable[tuple[Table, TableResult]]) -> Pilot:
    """The widths of the effects in some results, now recorded as the pilot of later ones."""
    found, where = [], {}
    for table, result in results:
        where = {"profile": result.profile, "data": f"{result.data_name} ({result.data_fingerprint})"}
        effects = {one.key: one.effect for one in result.claims}
        for claim in table.claims:
            if not claim.measured and (effect := effects.get(claim.key)) is not None:
                found.append(_difference(table, claim, effect))
    recorded_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Pilot(**where, recorded_at=recorded_at, differences=tuple(found))


def detectable(
    table: Table, claim: ClaimTest, profile: Profile, n_seeds: int = 0, source: Pilot | None = None
) -> Detectable:
    """The smallest effect that a claim's study in a profile can find: from its own pilot, else from its kind's.

    Args:
        n_seeds: 0: as many as the profile has.
        source: None: the last pilot.
    """
    differences = (source or pilot()).differences
    n_images = COCO_VAL_IMAGES if profile.people is None else profile.people.val_images
    n_seeds = n_seeds or len(profile.seeds)
    margin = claim.margin if claim.kind == EffectKind.EQUIVALENCE else None
    study = {"n_images": n_images, "n_seeds": n_seeds, "margin": margin}
    if claim.measured:
        return Detectable(points=None, bound=False, source="no pilot", **study)
    own = [one for one in differences if (one.table, one.claim) == (table.number, claim.key)]
    alike = [one for one in differences if one.rescored == rescored(table, claim)]
    used = own or alike or list(differences)
    images = float(np.median([one.images_half * math.sqrt(one.n_images / n_images) for one in used]))
    deviations = [one.seeds_deviation for one in used if one.seeds_deviation is not None]
    known = bool(deviations) and n_seeds > 1
    spread = float(np.median(deviations)) if known else 0.0
    seeds = student(n_seeds) * spread / math.sqrt(n_seeds) if known else 0.0
    both = math.sqrt(2) if claim.beyond and not own else 1.0
    tables = sorted({one.table for one in used})
    text = "its own pilot" if own else f"the pilot of Table{'s' * (len(tables) > 1)} {', '.join(tables)}"
    return Detectable(points=FACTOR * both * math.hypot(images, seeds), bound=not known, source=text, **study)


def rescored(table: Table, claim: ClaimTest) -> bool:
    """True if a claim's rows are the same poses with other scores."""
    return len({str(sorted(table.changes(table.row(key)).items())) for key in claim.rows}) == 1


def student(n_seeds: int) -> float:
    """t(0.975, n - 1)."""
    return float(stats.t.ppf((1 + LEVEL) / 2, n_seeds - 1))


def _difference(table: Table, claim: ClaimTest, effect: Estimate) -> PilotDifference:
    half, seeds = effect.seeds_half, effect.n_seeds
    return PilotDifference(
        table=table.number, claim=claim.key, rescored=rescored(table, claim), images_half=effect.images_half,
        n_images=effect.n_images, n_seeds=seeds,
        seeds_deviation=None if half is None else half * math.sqrt(seeds) / student(seeds),
    )  # fmt: skip
