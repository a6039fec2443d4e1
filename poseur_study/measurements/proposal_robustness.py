"""How much AP wrong proposals cost with and without noisy reference points, from what was measured of each run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from poseur_lib.config.base import Frozen
from poseur_study.analysis.bootstrap_samples import RESAMPLES
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.measured_values import StoredSample, estimate_of
from poseur_study.experiments.noisy_proposals import AP_SHIFTS, ERROR_SHIFTS, SHIFTS, ap_claim_key, error_claim_key
from poseur_study.measurements.measure import Measurements, measure_rows
from poseur_study.measurements.noisy_proposals import SHIFT_SEED, ShiftedRun, measure_shifts
from poseur_study.table_study import TableStudy

WITHOUT, WITH = "without", "with"


class ShiftCurve(Frozen):
    """A row under shifted proposals, mean over its seeds; for each shift an estimate.

    Attributes:
        ap, kept: AP, and per cent of it that is left under the shift.
        errors: for each shift and stage, per cent of the crop.
    """

    row: str
    label: str
    ap: tuple[Estimate | None, ...]
    kept: tuple[Estimate | None, ...]
    errors: tuple[tuple[Estimate | None, ...], ...]


@dataclass(frozen=True, eq=False)
class Robustness:
    """Both rows, and their difference.

    Attributes:
        curves: of the rows that were measured.
        kept_more: for each shift, how much more of its AP, per cent of it, the row with noise keeps.
        added_less: for each shift, how much less it adds to the error after the last layer, per cent of the crop; both
            are () where not both rows were measured.
        notes: a line for each row and seed that was not measured, or not by this code.
    """

    shifts: tuple[float, ...]
    stages: tuple[str, ...]
    curves: tuple[ShiftCurve, ...]
    kept_more: tuple[Estimate | None, ...]
    added_less: tuple[Estimate | None, ...]
    n_images: int
    notes: tuple[str, ...]

    @property
    def effects(self) -> Mapping[str, Estimate | None]:
        """What the claims of the table rest on."""
        if not self.kept_more:
            return {}
        place = self.shifts.index
        found = {ap_claim_key(shift): self.kept_more[place(shift)] for shift in AP_SHIFTS}
        return found | {error_claim_key(shift): self.added_less[place(shift)] for shift in ERROR_SHIFTS}


def measured_shifts(study: TableStudy) -> Measurements[ShiftedRun]:
    """Every run of the table under every shift, where there are weights or it was measured before."""
    settings = {"shifts": list(SHIFTS), "seed": SHIFT_SEED, "resamples": RESAMPLES}
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
        kept_more=_differences([(_kept(b), _kept(a)) for a, b in pairs], images),
        added_less=_differences([(_added(a), _added(b)) for a, b in pairs], images),
        n_images=images,
        notes=measured.notes,
    )


def _curve(key: str, label: str, runs: Sequence[ShiftedRun], images: int) -> ShiftCurve:
    shifts, stages = range(len(SHIFTS)), range(len(runs[0].stages))
    return ShiftCurve(
        row=key,
        label=label,
        ap=tuple(estimate_of([run.ap[number] for run in runs], images) for number in shifts),
        kept=tuple(estimate_of([_kept(run)[number] for run in runs], images) for number in shifts),
        errors=tuple(
            tuple(estimate_of([run.errors[number][stage] for run in runs], images) for stage in stages)
            for number in shifts
        ),
    )


def _kept(run: ShiftedRun) -> list[StoredSample]:
    """Per cent of the AP without a shift."""
    return [one.percent_of(run.ap[0]) for one in run.ap]


def _added(run: ShiftedRun) -> list[StoredSample]:
    """What each shift adds to the error after the last layer."""
    return [of_shift[-1].minus(run.errors[0][-1]) for of_shift in run.errors]


def _differences(
    pairs: Sequence[tuple[list[StoredSample], list[StoredSample]]], images: int
) -> tuple[Estimate | None, ...]:
    """For each shift the first less the second of a pair, a pair a seed, both on the same resamples."""
    if not pairs:
        return ()
    return tuple(
        estimate_of([first[number].minus(second[number]) for first, second in pairs], images)
        for number in range(len(SHIFTS))
    )
