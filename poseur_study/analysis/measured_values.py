"""What was measured with the weights of a table's runs, as it lies in the table's folder: JSON, and CSV for people."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from poseur_lib.config.base import Frozen
from poseur_lib.files import write_atomically
from poseur_study.analysis.interval import Estimate, estimate


class MeasuredValues(Frozen):
    """What a measurement finds about one run; its subclasses say what that is."""

    def lines(self) -> Sequence[Mapping[str, Any]]:
        """The values as lines of a CSV file, all with the same columns."""
        raise NotImplementedError


class StoredSample(Frozen):
    """A number on the images as they are, and on each resample of them; None where it is not defined there."""

    value: float | None
    draws: tuple[float | None, ...]

    @classmethod
    def of(cls, value: float, draws: Iterable[float]) -> "StoredSample":
        """Kept to a thousandth."""
        rounded = [round(float(one), 3) if math.isfinite(one) else None for one in (value, *draws)]
        return cls(value=rounded[0], draws=tuple(rounded[1:]))

    @property
    def array(self) -> Float[np.ndarray, " n"]:
        """The value, then the draws; NaN where the number is not defined."""
        return np.array([math.nan if one is None else one for one in (self.value, *self.draws)])

    def minus(self, other: "StoredSample") -> "StoredSample":
        """The difference, resample by resample."""
        value, *draws = self.array - other.array
        return StoredSample.of(value, draws)

    def percent_of(self, whole: "StoredSample") -> "StoredSample":
        """Per cent of another number, resample by resample; not defined where that is 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            value, *draws = 100 * self.array / whole.array
        return StoredSample.of(value, draws)


def estimate_of(samples: Sequence[StoredSample], n_images: int) -> Estimate | None:
    """The mean over seeds, a sample each, with its interval."""
    arrays = [one.array for one in samples]
    return estimate([float(one[0]) for one in arrays], [one[1:] for one in arrays], n_images)


class MeasuredEntry(Frozen):
    """One run's values, and what they were measured on and by.

    Attributes:
        settings: all that the values depend on beside the run and the data set.
        code: digest of the source that measured them.
        values: of a `MeasuredValues`.
    """

    row: str
    seed: int
    run_id: str
    data_fingerprint: str
    settings: dict[str, Any]
    code: str
    values: dict[str, Any]

    def is_of(self, run_id: str, data_fingerprint: str, settings: Mapping[str, Any]) -> bool:
        """True if they were measured of this very run, data set and settings."""
        return (self.run_id, self.data_fingerprint, self.settings) == (run_id, data_fingerprint, dict(settings))


class _File(Frozen):
    entries: tuple[MeasuredEntry, ...]


def read_measured(folder: Path, name: str) -> tuple[MeasuredEntry, ...]:
    """What a table's folder holds of a measurement; nothing where the file is missing or of another version."""
    try:
        return _File.model_validate_json((folder / f"measured_{name}.json").read_text()).entries
    except (OSError, ValueError):
        return ()


def write_measured(folder: Path, name: str, of: Sequence[tuple[MeasuredEntry, MeasuredValues]]) -> None:
    """Write `measured_<name>.csv` and `.json`, each there whole or not at all; nothing where nothing was measured."""
    if not of:
        return
    rows = [
        {"row": entry.row, "seed": entry.seed, "run": entry.run_id, **line}
        for entry, values in of
        for line in values.lines()
    ]
    write_lines(folder / f"measured_{name}.csv", rows)
    content = _File(entries=tuple(entry for entry, _ in of)).model_dump_json()
    write_atomically(folder / f"measured_{name}.json", (content + "\n").encode())


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV file of rows that all have the columns of the first; nothing where there is none."""
    if not rows:
        return
    cells = [{name: f"{cell:.5g}" if isinstance(cell, float) else cell for name, cell in row.items()} for row in rows]
    write_atomically(path, pd.DataFrame(cells, dtype=object).to_csv(index=False).encode())
