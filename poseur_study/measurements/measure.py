"""Measuring with the weights of a table's runs, and keeping what was found so that the page needs no weights.

A measurement is a function of one run's model. It is made again where there are weights and its version was raised
since; where the weights are gone, what was found stays.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pandas as pd
from pydantic import ValidationError

from poseur_study.analysis.measured_values import MeasuredEntry, MeasuredValues, read_measured, write_measured
from poseur_study.experiments.experiment import Row
from poseur_study.measurements.trained_models import RowModel, row_model
from poseur_study.runs.project import results_folder
from poseur_study.table_study import TableStudy

Values = TypeVar("Values", bound=MeasuredValues)


@dataclass(frozen=True, eq=False)
class Measurements(Generic[Values]):
    """What was measured of a table's rows.

    Attributes:
        of: by (row key, seed).
        notes: a line for each reason why rows and seeds were not measured, or were measured by an earlier version of
            the code and cannot be again, with their names.
    """

    of: dict[tuple[str, int], Values]
    notes: tuple[str, ...]

    def frame(
        self, study: TableStudy, columns: Sequence[str], lines: Callable[[Values], Iterable[Sequence[Any]]]
    ) -> pd.DataFrame:
        """Row (its label, in the table's order), seed and the lines of what was found; notes in `attrs["missing"]`.

        Args:
            columns: of a line; `row` and `seed` come before them.
        """
        labels = {row.key: row.label for row in study.table.runnable}
        found = [(labels[key], seed, *line) for (key, seed), values in self.of.items() for line in lines(values)]
        frame = pd.DataFrame(found, columns=["row", "seed", *columns])
        frame["row"] = pd.Categorical(frame["row"], list(labels.values()))
        frame.attrs["missing"] = self.notes
        return frame


def measure_rows(
    study: TableStudy,
    name: str,
    kind: type[Values],
    measure: Callable[[RowModel], Values],
    settings: Mapping[str, Any] | None = None,
    rows: Sequence[Row] | None = None,
) -> Measurements[Values]:
    """Measure every row and seed of a table that has weights, take what was measured before of the others, keep both.

    The file is written after each run that was measured, so that one that is cut off goes on where it was.

    Args:
        name: of the measurement: the table's folder gets `measured_<name>.json` and `.csv`.
        measure: is given a row whose model is there.
        settings: all else that the values depend on, as JSON values.
        rows: that are measured; None: all.
    """
    settings = json.loads(json.dumps(dict(settings or {})))
    folder = study.store.table_folder(study.table.number)
    before = {(entry.row, entry.seed): entry for entry in read_measured(folder, name)}
    kept: list[tuple[MeasuredEntry, Values]] = []
    notes: dict[tuple[str, str], list[str]] = {}
    for of in [(row.key, seed) for row in (study.table.runnable if rows is None else rows) for seed in study.seeds]:
        entry, why = _entry(study, of, before.get(of), kind, measure, settings)
        values = None if entry is None else _values(entry, kind)
        earlier = before.pop(of, None)
        if values is None:
            told = "Not measured"
        else:
            kept.append((entry, values))
            told = "Measured by an earlier version of this measurement"
            if entry is not earlier:
                waiting = [(one, read) for one in before.values() if (read := _values(one, kind)) is not None]
                write_measured(results_folder(folder), name, [*kept, *waiting])
        if why or values is None:
            of_whom, _, reason = why.partition(": ")
            notes.setdefault((told, reason), []).append(of_whom)
    write_measured(results_folder(folder), name, kept)
    lines = tuple(f"{told}: {'; '.join(of_whom)}: {reason}" for (told, reason), of_whom in notes.items())
    return Measurements({(entry.row, entry.seed): values for entry, values in kept}, lines)


def _values(entry: MeasuredEntry, kind: type[Values]) -> Values | None:
    """The values of an entry; None where an earlier version of the code has written others."""
    try:
        return kind.model_validate_json(json.dumps(entry.values))
    except ValidationError:
        return None


def _entry(
    study: TableStudy,
    of: tuple[str, int],
    before: MeasuredEntry | None,
    kind: type[MeasuredValues],
    measure: Callable[[RowModel], MeasuredValues],
    settings: dict[str, Any],
) -> tuple[MeasuredEntry | None, str]:
    """The values of a row and seed, or why there are none."""
    run_id, fingerprint = study.data.runs[of].run_id, study.dataset.fingerprint
    if before is not None and not before.is_of(run_id, fingerprint, settings):
        before = None
    if before is not None and before.version == kind.VERSION:
        return before, ""
    model = row_model(study, *of)
    if model.model is None:
        return before, model.missing
    values = measure(model).model_dump(mode="json")
    row, seed = of
    entry = MeasuredEntry(
        row=row, seed=seed, run_id=run_id, data_fingerprint=fingerprint, settings=settings, version=kind.VERSION,
        values=values,
    )  # fmt: skip
    return entry, ""
