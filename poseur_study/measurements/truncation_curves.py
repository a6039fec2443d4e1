"""What was measured of cut people, row by row: curves over the share cut off, and what they say."""

from dataclasses import dataclass
from functools import partial

from poseur_lib.config.base import Frozen
from poseur_lib.evaluation.truncation import Side
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.measured_values import estimate_of
from poseur_study.measurements.measure import Measurements, measure_rows
from poseur_study.measurements.truncation import (
    SHARES,
    SIDES,
    ZONES,
    TruncatedRun,
    measure_truncation,
    measured_images,
    measurement_settings,
)
from poseur_study.table_study import TableStudy


class Share(Frozen):
    """Keypoints of one place at one cut, and how many of them a row finds.

    Attributes:
        cut: share of the box that is cut off; None: all of them above 0 together.
        placed_outside: per cent of them whose prediction lies outside the crop, mean over seeds.
        correct: per cent of them, mean over seeds; None where there are none.
    """

    cut: float | None
    keypoints: int
    placed_outside: float | None
    correct: Estimate | None


class RowShares(Frozen):
    """A row: a share for each cut, by side and zone."""

    row: str
    label: str
    of: dict[Side, dict[str, tuple[Share, ...]]]

    def all_cuts(self, side: Side, zone: str) -> Share:
        """All cuts above 0 together."""
        return next(share for share in self.of[side][zone] if share.cut is None)

    def curve(self, side: Side, zone: str) -> tuple[Share, ...]:
        """The cuts one by one, where keypoints lie in the zone."""
        return tuple(share for share in self.of[side][zone] if share.cut is not None and share.keypoints)


@dataclass(frozen=True, eq=False)
class Truncation:
    """What there is of a table.

    Attributes:
        rows: those that were measured.
        notes: a line for each row and seed that was not, or not by this code.
        measured: what it is made of, by row key and seed.
    """

    rows: tuple[RowShares, ...]
    notes: tuple[str, ...]
    n_images: int
    measured: Measurements[TruncatedRun]

    def row(self, key: str) -> RowShares | None:
        """A row, if it was measured."""
        return next((one for one in self.rows if one.row == key), None)

    def difference(self, better: str, than: str, side: Side, zone: str) -> Estimate | None:
        """Of all cuts together, on the seeds that both rows have, both on the same resamples."""
        pairs = [
            [self.measured.of[key, seed].point(side, None, zone).correct for key in (better, than)]
            for seed in self.measured.seeds(better, than)
        ]
        return estimate_of([ours.minus(theirs) for ours, theirs in pairs], self.n_images)


def truncation(study: TableStudy) -> Truncation:
    """Measure what there are weights for, take what was measured before of the rest."""
    measured = measure_rows(
        study, "truncation", TruncatedRun, partial(measure_truncation, study), measurement_settings()
    )
    images = len(measured_images(study))
    rows = tuple(row_shares(row.key, row.label, runs, images) for row, runs in measured.rows(study))
    return Truncation(rows, measured.notes, images, measured)


def reachable(outside: Share, far: Share) -> float | None:
    """Per cent of the keypoints outside the crop that the nearest point of the crop is near enough to.

    No prediction that stays within the crop can have more. None where there are none.
    """
    return 100 * (1 - far.keypoints / outside.keypoints) if outside.keypoints else None


def row_shares(key: str, label: str, runs: list[TruncatedRun], images: int) -> RowShares:
    """A row's shares over its runs, a seed each."""
    of = {
        side: {zone: tuple(_share(runs, side, cut, zone, images) for cut in (*SHARES, None)) for zone in ZONES}
        for side in SIDES
    }
    return RowShares(row=key, label=label, of=of)


def _share(runs: list[TruncatedRun], side: Side, cut: float | None, zone: str, images: int) -> Share:
    points = [run.point(side, cut, zone) for run in runs]
    placed = [point.placed_outside for point in points if point.placed_outside is not None]
    return Share(
        cut=cut,
        keypoints=points[0].keypoints,
        placed_outside=sum(placed) / len(placed) if placed else None,
        correct=estimate_of([point.correct for point in points], images),
    )
