"""How much AP wrong proposals cost with and without noisy reference points, from what was measured of each run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from poseur_lib.config.base import Frozen
from poseur_lib.qualitative.noisy_proposals import SHIFT_RESAMPLES, SHIFT_SEED, ShiftedRun, measure_shifts
from poseur_lib.study.estimate import Estimate
from poseur_lib.study.measured_file import StoredSample, estimate_of
from poseur_lib.study.measurements import Measurements, measure_rows
from poseur_lib.study.table_study import TableStudy
from poseur_lib.study.tables.noisy_proposals import CLAIMED_SHIFTS, SHIFTS, shift_claim_key

WITHOUT, WITH = "without", "with"


class ShiftCurve(Frozen):
    """A row under shifted proposals, mean over its seeds; for each shift an estimate.

    Attributes:
        ap, lost: AP, and the AP that the shift costs.
        errors: for each shift and stage, per cent of the crop.
    """

    row: str
    label: str
    ap: tuple[Estimate | None, ...]
    lost: tuple[Estimate | None, ...]
    errors: tuple[tuple[Estimate | None, ...], ...]


@dataclass(frozen=True, eq=False)
class Robustness:
    """Both rows, and their difference.

    Attributes:
        curves: of the rows that were measured.
        spared: for each shift, how much less AP the row with noise loses; () where not both rows were measured.
        missing: a line for each row and seed that was not measured.
    """

    shifts: tuple[float, ...]
    stages: tuple[str, ...]
    curves: tuple[ShiftCurve, ...]
    spared: tuple[Estimate | None, ...]
    n_images: int
    missing: tuple[str, ...]

    @property
    def effects(self) -> Mapping[str, Estimate | None]:
        """What the claims of the table rest on."""
        if not self.spared:
            return {}
        return {shift_claim_key(shift): self.spared[self.shifts.index(shift)] for shift in CLAIMED_SHIFTS}


def measured_shifts(study: TableStudy) -> Measurements[ShiftedRun]:
    """Every run of the table under every shift, where there are weights or it was measured before."""
    settings = {"shifts": list(SHIFTS), "seed": SHIFT_SEED, "resamples": SHIFT_RESAMPLES}
    return measure_rows(study, "shifts", ShiftedRun, partial(measure_shifts, study, shifts=SHIFTS), settings)


def robustness(study: TableStudy, measured: Measurements[ShiftedRun]) -> Robustness:
    """The curves of the rows, and their difference on the seeds that both have."""
    images, curves = study.data.val_images, []
    for row in study.table.runnable:
        runs = [measured.of[row.key, seed] for seed in measured.seeds(row.key)]
        if runs:
            curves.append(_curve(row.key, row.label, runs, images))
    pairs = [(measured.of[WITHOUT, seed], measured.of[WITH, seed]) for seed in measured.seeds(WITHOUT, WITH)]
    first = next(iter(measured.of.values()), None)
    return Robustness(
        shifts=SHIFTS,
        stages=first.stages if first else (),
        curves=tuple(curves),
        spared=tuple(_spared(pairs, number, images) for number in range(len(SHIFTS))) if pairs else (),
        n_images=images,
        missing=measured.missing,
    )


def _curve(key: str, label: str, runs: Sequence[ShiftedRun], images: int) -> ShiftCurve:
    shifts, stages = range(len(SHIFTS)), range(len(runs[0].stages))
    return ShiftCurve(
        row=key,
        label=label,
        ap=tuple(estimate_of([run.ap[number] for run in runs], images) for number in shifts),
        lost=tuple(estimate_of([_lost(run, number) for run in runs], images) for number in shifts),
        errors=tuple(
            tuple(estimate_of([run.errors[number][stage] for run in runs], images) for stage in stages)
            for number in shifts
        ),
    )


def _lost(run: ShiftedRun, number: int) -> StoredSample:
    return run.ap[0].minus(run.ap[number])


def _spared(pairs: Sequence[tuple[ShiftedRun, ShiftedRun]], number: int, images: int) -> Estimate | None:
    """The loss without noise minus the loss with it, both on the same resamples."""
    return estimate_of([_lost(without, number).minus(_lost(with_, number)) for without, with_ in pairs], images)
