"""What was measured with the weights of a table's runs, as it lies in the table's folder: JSON, and CSV for people."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from poseur_lib.config.base import Frozen
from poseur_lib.files import write_atomically
from poseur_study.analysis.effect import Effect
from poseur_study.analysis.interval import Sample, estimate


class MeasuredValues(Frozen):
    """What a measurement finds about one run; its subclasses say what that is.

    Attributes:
        VERSION: of the measurement; it is raised whenever what the measurement computes changes.
    """

    VERSION: ClassVar[int] = 1

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
    def sample(self) -> Sample:
        """As numbers, NaN where it is not defined."""
        return Sample.of(np.array([math.nan if one is None else one for one in (self.value, *self.draws)]))

    def __sub__(self, other: "StoredSample") -> "StoredSample":
        """The difference, resample by resample."""
        value, *draws = self.sample.array - other.sample.array
        return StoredSample.of(value, draws)

    def percent_of(self, whole: "StoredSample") -> "StoredSample":
        """Per cent of another number, resample by resample; not defined where that is 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            value, *draws = 100 * self.sample.array / whole.sample.array
        return StoredSample.of(value, draws)


def sample_series(samples: Mapping[tuple[object, ...], Sample], by: Sequence[str]) -> pd.Series:
    """Samples by the keys and the seed, which is the last of them."""
    index = pd.MultiIndex.from_tuples(list(samples), names=[*by, "seed"])
    return pd.Series(list(samples.values()), index=index, dtype=object)


def over_seeds(samples: pd.Series, n_images: int) -> pd.DataFrame:
    """The mean over seeds of samples, with its interval: value, low, high, seeds, and all that as an `Effect`.

    The interval is that of a claim that a notebook measures, so that a number has one, wherever it stands.

    Args:
        samples: `StoredSample` or `Sample`, by an index of which one level is `seed`; a line for each of the others.
    """
    others = [name for name in samples.index.names if name != "seed"]
    groups = samples.dropna().groupby(others, observed=True, sort=False)
    found = {key[0] if len(others) == 1 else key: _effect(of, n_images) for key, of in groups}
    lines = [(np.nan, np.nan, np.nan, 0, None) if one is None else (one.value, one.low, one.high, one.n_seeds, one)
             for one in found.values()]  # fmt: skip
    kinds = {"value": float, "low": float, "high": float, "seeds": int, "estimate": object}
    index = samples.index.droplevel("seed")[:0] if not found else pd.Index(list(found))
    return pd.DataFrame(lines, columns=list(kinds), index=index).astype(kinds).rename_axis(others)


def _effect(samples: pd.Series, n_images: int) -> Effect | None:
    found = estimate([one.sample if isinstance(one, StoredSample) else one for one in samples], n_images)
    return None if found is None else Effect.of(found)


class MeasuredEntry(Frozen):
    """One run's values, and what they were measured on and by.

    Attributes:
        settings: all that the values depend on beside the run and the data set.
        version: of the measurement (`MeasuredValues.VERSION`).
        values: of a `MeasuredValues`.
    """

    row: str
    seed: int
    run_id: str
    data_fingerprint: str
    settings: dict[str, Any]
    version: int
    values: dict[str, Any]

    def is_of(self, run_id: str, data_fingerprint: str, settings: Mapping[str, Any]) -> bool:
        """True if they were measured of this very run, data set and settings."""
        return (self.run_id, self.data_fingerprint, self.settings) == (run_id, data_fingerprint, dict(settings))


class _File(Frozen):
    entries: tuple[MeasuredEntry, ...]


def read_measured(folder: Path, name: str) -> tuple[MeasuredEntry, ...]:
    """What a table's folder holds of a measurement; nothing where the file is missing or of another version."""
    try:
        return _File.model_validate_json((folder / f"measured_{name}.json").read_text(encoding="utf-8")).entries
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
    write_atomically(folder / f"measured_{name}.csv", as_csv(rows, digits=".5g").encode())
    content = _File(entries=tuple(entry for entry, _ in of)).model_dump_json()
    write_atomically(folder / f"measured_{name}.json", (content + "\n").encode())


def as_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None, digits: str = ".3f") -> str:
    """Rows as a CSV file, numbers that are not whole with so many digits, what is missing left empty.

    Args:
        columns: needed where there may be no row.
    """
    table = pd.DataFrame(list(rows), columns=columns, dtype=object)
    shown = table.map(lambda cell: f"{cell:{digits}}" if isinstance(cell, float) else str(cell), na_action="ignore")
    return shown.to_csv(index=False, lineterminator="\n")
