"""The minimum detectable effect of a claim's study: which difference its interval would tell from 0.

By the noncentral t of `effect.detectable_effect`. Of a finished claim, error and degrees of freedom are the effect's
own. Of one that is planned, a pilot tells them, recorded from finished runs: with S seeds and n' images

    error² = Σ w s² / S + h² n / n'

s is pooled over the pilot's trainings on crops of the same size, or of the size that it has most of, or on whole
images; its degrees of freedom grow with the seeds. Of two scores of the same poses it is the claim's own, or pooled
over such claims, with S - 1. h, at n images, is the claim's own, or the median of its kind. With one seed s has no part
in it, and what is stated is a lower bound. Nothing is where the pilot has no training that was measured so, as by PCKh.
"""

import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError

from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError
from poseur_study.analysis.effect import Effect
from poseur_study.analysis.interval import Estimate, student
from poseur_study.analysis.result_types import TableResult
from poseur_study.analysis.seed_model import Spread
from poseur_study.experiments.experiment import ClaimTest, EffectKind, Table
from poseur_study.experiments.profiles import Profile

FILE = Path(__file__).with_name("pilot.json")
METHOD = (
    "Minimum detectable effect: the difference whose 95 % interval excludes 0 in 80 % of studies of this size, by the "
    "noncentral t; before Holm's adjustment, which asks for more. The error is the claim's own where it was run. Else "
    "it is a pilot's: the deviation of a training is pooled over the recorded ones, whether they spread alike or not, "
    "and the images' part shrinks with "
    "the square root of their number. With one seed the spread over seeds is unknown, and the figure is a lower bound. "
    "Of an equivalence: whether the expected interval is narrow enough for the margin, wherever it lies."
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
    """Where the widths come from; runs that began before `recorded_at` were not planned by it.

    Attributes:
        spreads: of a training, over the arms of `n_seeds` seeds; none where no arm has several.
    """

    profile: str
    data: str
    recorded_at: str
    spreads: tuple[Spread, ...]
    n_seeds: int
    differences: tuple[PilotDifference, ...] = Field(min_length=1)

    def younger_than(self, runs_began: datetime | None) -> bool:
        """True if some runs began before it was recorded: then nothing was stated before them by it."""
        return runs_began is not None and runs_began < datetime.fromisoformat(self.recorded_at)

    def spread(self, metric: str, size: tuple[int, int], whole_images: bool) -> Spread | None:
        """Of trainings that were measured so: on crops of that size, or of which there are most; None of none."""
        like = [one for one in self.spreads if (one.metric, one.whole_images) == (metric, whole_images)]
        return max(like, key=lambda one: (one.size == size, one.freedom), default=None)


class Detectable(Frozen):
    """The minimum detectable effect of a claim's study, in points; `bound`: at least that, seeds being unknown.

    `points` is None where the pilot has measured no such thing, or a result is one number throughout; `half` is the
    expected half width of the interval. `margin` is that of an equivalence, whose interval has to be narrower.
    """

    points: float | None
    half: float | None
    margin: float | None
    bound: bool
    n_images: int
    n_seeds: int

    @property
    def words(self) -> str:
        """`1.1`, or `≥ 1.1`; `not stated`; of an equivalence, how wide the interval is beside its margin."""
        if self.points is None:
            return "not stated"
        if self.margin is None:
            return f"{'≥ ' * self.bound}{self.points:.1f}"
        wide = "narrow enough" if self.half < self.margin else "too wide"
        half = f"{self.half:.{1 if self.half >= 0.05 else 2}f}"
        return f"interval {'≥ ' * self.bound}±{half} is {wide} for the margin of ±{self.margin:g}"


@cache
def pilot() -> Pilot:
    """The recorded pilot. Raises UserError if it cannot be read."""
    try:
        return Pilot.model_validate_json(FILE.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise UserError(f"pilot {FILE} cannot be read: {type(error).__name__}") from None


def pilot_of(results: Iterable[tuple[Table, TableResult]], spreads: Iterable[Spread]) -> Pilot:
    """The widths of the effects in some results, and pools of trainings, now recorded as the pilot of later runs.

    A pool counts also where its arms do not spread alike: how far those of a run to come will, nobody knows. Where
    there is none of a size, an effect's own stands for it.
    """
    found, where, seeds, spreads = [], {}, 0, list(spreads)
    for table, result in results:
        where = {"profile": result.profile, "data": f"{result.data_name} ({result.data_fingerprint})"}
        effects = {one.key: one.effect for one in result.claims}
        for claim in table.claims:
            if not claim.measured and isinstance(effect := effects.get(claim.key), Effect):
                found.append(_difference(table, claim, effect.earlier))
                known = {(one.size, one.whole_images) for one in spreads}
                spreads += [one for one in effect.spreads if (one.size, one.whole_images) not in known]
                seeds = max(seeds, effect.n_seeds)
    recorded_at = datetime.now(UTC).isoformat(timespec="seconds")
    known = {"spreads": tuple(spreads), "n_seeds": seeds, "differences": tuple(found)}
    return Pilot(**where, recorded_at=recorded_at, **known)


def detectable(
    table: Table, claim: ClaimTest, profile: Profile, n_seeds: int = 0, found: Estimate | None = None
) -> Detectable:
    """The minimum detectable effect of a claim's study in a profile.

    Args:
        n_seeds: 0: as many as the profile has.
        found: what has come of the claim, whose error then counts; None: the study is planned.
    """
    margin = claim.margin if claim.kind == EffectKind.EQUIVALENCE else None
    if isinstance(found, Effect):
        study = {"n_images": found.n_images, "n_seeds": found.n_seeds, "bound": found.seeds_half is None}
        return Detectable(points=found.detectable, half=found.half, margin=margin, **study)
    n_images = profile.folder_images if profile.people is None else profile.people.val_images
    n_seeds = n_seeds or len(profile.seeds)
    study = {"n_images": n_images, "n_seeds": n_seeds, "margin": margin}
    if claim.measured:
        return Detectable(points=None, half=None, bound=False, **study)
    expected = _expected(table, claim, profile, n_images, n_seeds)
    if expected is None:
        return Detectable(points=None, half=None, bound=False, **study)
    return Detectable(points=expected.detectable, half=expected.half, bound=expected.seeds_half is None, **study)


def _expected(table: Table, claim: ClaimTest, profile: Profile, n_images: int, n_seeds: int) -> Effect | None:
    """An effect of 0 with the error that the pilot lets one expect; None where it has no such trainings."""
    same_poses = rescored(table, claim)
    alike = [one for one in pilot().differences if one.rescored == same_poses] or list(pilot().differences)
    own = [one for one in alike if (one.table, one.claim) == (table.number, claim.key)]
    images = float(np.median([one.images_half * math.sqrt(one.n_images / n_images) for one in own or alike]))
    images *= math.sqrt(2) if claim.beyond and not own else 1.0
    deviation = pooled_deviation(own or alike) if same_poses and n_seeds > 1 else None
    half = None if deviation is None else student(n_seeds) * deviation / math.sqrt(n_seeds)
    width = {"images_half": images, "seeds_half": half, "n_seeds": n_seeds, "n_images": n_images}
    weighted = [] if n_seeds == 1 or same_poses else _weighted(table, claim, profile, n_seeds)
    expected = Estimate(value=0.0, low=-images, high=images, **width)
    return None if weighted is None else Effect.of(expected, weighted)


def _weighted(table: Table, claim: ClaimTest, profile: Profile, n_seeds: int) -> list[tuple[float, Spread]] | None:
    found: Counter[Spread] = Counter()
    keys = {_training(table, key): key for key in claim.rows}
    for training, weight in claim.seeds_weights(lambda key: _training(table, key)).items():
        data = profile.experiment(0, profile.of_table(table.number, table.changes(table.row(keys[training])))).data
        spread = pilot().spread(claim.metric, data.input_size, data.whole_image is not None)
        if spread is None:
            return None
        freedom = spread.freedom * (n_seeds - 1) // (pilot().n_seeds - 1)
        found[spread.model_copy(update={"freedom": max(1, freedom)})] += weight
    return [(weight, spread) for spread, weight in found.items()]


def pooled_deviation(differences: Iterable[PilotDifference]) -> float | None:
    """Standard deviation over seeds, pooled by degrees of freedom; None where no difference has several seeds."""
    known = [(one.n_seeds - 1, one.seeds_deviation**2) for one in differences if one.seeds_deviation is not None]
    if not known:
        return None
    freedom, variances = zip(*known, strict=True)
    return math.sqrt(np.average(variances, weights=freedom))


def rescored(table: Table, claim: ClaimTest) -> bool:
    """True if a claim's rows are the same poses with other scores."""
    return len({_training(table, key) for key in claim.rows}) == 1


def _training(table: Table, row_key: str) -> str:
    return str(sorted(table.changes(table.row(row_key)).items()))


def _difference(table: Table, claim: ClaimTest, effect: Estimate) -> PilotDifference:
    half, seeds = effect.seeds_half, effect.n_seeds
    return PilotDifference(
        table=table.number, claim=claim.key, rescored=rescored(table, claim), images_half=effect.images_half,
        n_images=effect.n_images, n_seeds=seeds,
        seeds_deviation=None if half is None else half * math.sqrt(seeds) / student(seeds),
    )  # fmt: skip
