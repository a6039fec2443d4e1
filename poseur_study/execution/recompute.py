"""Metrics computed again from what a record keeps: a digest says that it is whole, not that its numbers are true."""

from collections.abc import Sequence
from functools import cache
from math import isclose
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.files import file_sha256
from poseur_lib.progress import duration
from poseur_study.experiments.profiles import profile as size_named
from poseur_study.released_checkpoints.sizes import FOLDER
from poseur_study.runs.datasets import DataSet, known_data, open_data
from poseur_study.runs.evaluation_file import EVALUATION_FILE, to_bytes
from poseur_study.runs.record import (
    PREDICTIONS_FILE,
    RECORD_FILE,
    Record,
    load_record,
    read_evaluation,
    write_evaluation,
)
from poseur_study.runs.run_steps import Measured, measure, metrics_of
from poseur_study.runs.store import RunStore

TOLERANCE = 1e-4
"""Of points, and of a mean OKS: processors differ in the last bits, and one person more or less moves AP by more."""
SECONDS_A_MEGABYTE = 200.0
"""Of `evaluation.xz`, on one core: it grows with people and boxes, as matching and that of each stratum do."""


def measured_again(folder: Path, record: Record, data: DataSet) -> Measured:
    """What a record's predictions are worth on the data set that they were made for; that is what the record says.

    Raises:
        UserError: it is not, or this is another data set.
    """
    made_on = record.provenance.data_fingerprint
    if made_on != data.fingerprint:
        raise UserError(f"made on data set {made_on}, the one here is {data.fingerprint}")
    people = data.split(record.config.evaluation.split)
    found = measure(people, load_record(folder).predictions, record.config)
    _require_same(record, found, "its predictions give")
    return found


def _require_same(record: Record, found: Measured, what: str) -> None:
    """Raises UserError with the first number that is another one than the record's."""
    for rows, computed in ((record.metrics, found.metrics), (record.strata, found.strata)):
        if len(rows) != len(computed):
            raise UserError(f"{what} {len(computed)} rows of numbers, its record has {len(rows)}")
        for row, other in zip(rows, computed, strict=True):
            for name, value in row:
                there = getattr(other, name)
                if not _same(value, there):
                    raise UserError(f"{what} {name} {_shown(there)} ({row.boxes}), its record says {_shown(value)}")


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=0, abs_tol=TOLERANCE)
    return one == other


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


class Recomputation:
    """The check of records that are imported: their numbers follow from their predictions.

    Where predictions or the data set are not to be had, they follow from `evaluation.xz` at least. What was recomputed
    once is remembered with the store's verified records, so that an import that was interrupted goes on.

    Args:
        waiting: folders of the runs.
        data: folder of the data set of them all; "": each profile's own, generated where it is not there.
    """

    def __init__(self, waiting: Sequence[Path], data: str, runs: Path) -> None:
        self.waiting, self.given, self.runs = waiting, data, runs
        self._data = cache(self._open)

    def cost(self) -> list[str]:
        """What it will take, before it begins."""
        known = [one for one in self.waiting if (one / EVALUATION_FILE).exists() or (one / PREDICTIONS_FILE).exists()]
        names = dict.fromkeys(one.parent.name for one in known if (one / PREDICTIONS_FILE).exists())
        sizes = [_bytes(one / EVALUATION_FILE) or _bytes(one / PREDICTIONS_FILE) / 10 for one in known]
        about = duration(SECONDS_A_MEGABYTE * sum(sizes) / 1e6)
        lines = [f"recomputing the numbers of {len(known)} runs, about {about} (--no-recompute leaves it out)"]
        for name in names if self.given == "" else ():
            size = size_named(name) if name != FOLDER else None
            if size is not None and size.people is not None:
                lines += filter(None, [known_data(size, "", self.runs / name).note.partition(";")[0]])
        return lines * bool(known)

    def __call__(self, store: RunStore, folder: Path, record: Record) -> str:
        """Check a record in a folder, and say how if that was not from its predictions.

        Raises:
            UserError: its numbers do not follow.
        """
        if not isinstance(record.config, ExperimentConfig):
            return ""
        kept = read_evaluation(folder, record)
        reason = self._problem(folder, record)
        if not reason:
            return self._from_predictions(store, folder, record)
        if kept is None:
            return f"not recomputed: {reason}"
        at_truth = record.of(BoxSource.GROUND_TRUTH)
        _require_same(record, metrics_of(kept, at_truth and at_truth.mean_oks), f"its {EVALUATION_FILE} gives")
        return f"not recomputed from predictions ({reason}), only from its {EVALUATION_FILE}"

    def _problem(self, folder: Path, record: Record) -> str:
        if not (folder / PREDICTIONS_FILE).exists():
            return "they are not in the archive"
        data, made_on = self._data_of(folder, record), record.provenance.data_fingerprint
        if isinstance(data, str):
            return data
        return "" if data.fingerprint == made_on else f"made on data set {made_on}, the one here is {data.fingerprint}"

    def _from_predictions(self, store: RunStore, folder: Path, record: Record) -> str:
        key, said, evaluation = f"recomputed {record.run_id}", "", folder / EVALUATION_FILE
        known = store.verified.known.get(key)
        if known is not None and known == _digests(folder):
            return ""
        data = self._data_of(folder, record)
        assert isinstance(data, DataSet)
        found = measured_again(folder, record, data).evaluation
        assert found is not None and record.predictions_sha256 is not None
        if not evaluation.is_file() or evaluation.read_bytes() != to_bytes(found, record.predictions_sha256):
            write_evaluation(folder, record, found)
            said = f"{EVALUATION_FILE} is written anew, from the predictions"
        store.verified.known[key] = _digests(folder)
        store.verified.save()
        return said

    def _data_of(self, folder: Path, record: Record) -> DataSet | str:
        """The data set that a record's people are of, or why there is none."""
        return self._data(folder.parent.name, record.config.data.keypoints_name)

    def _open(self, name: str, keypoints: str) -> DataSet | str:
        try:
            return open_data(size_named("paper" if name == FOLDER else name), self.given, keypoints=keypoints)
        except UserError as error:
            return str(error)


def _digests(folder: Path) -> list[str]:
    return [file_sha256(folder / name) for name in (RECORD_FILE, EVALUATION_FILE) if (folder / name).exists()]


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
