"""The folder of runs of one profile: the state that each is in, and the list of those with a record.

A record that was verified and has not been written to since is not read again for each look: a thousand need not be.
What is remembered of it is the inode, size, modification and change time of its files, and the version of the code that
verified it. Whoever needs a record's content reads and verifies it all the same, once a process.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from poseur_lib.checkpoints.recorded import altered
from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.files import LAST_CHECKPOINT, MODEL_FILE, WEIGHTS_FILES, read_regular, write_atomically
from poseur_study.experiments.profiles import PROFILES
from poseur_study.runs import lease
from poseur_study.runs.evaluation_file import EVALUATION_FILE, RunEvaluation
from poseur_study.runs.provenance import CodeCache
from poseur_study.runs.record import (
    IMPORTED_FILE,
    PARTIAL_FOLDER,
    PREDICTIONS_FILE,
    RECORD_FILE,
    LoadedRecord,
    Record,
    load_record,
    read_damaged,
    read_evaluation,
    read_record,
)

MEMORY_FILE = ".verified.json"
MAX_TEXT = 2**24
JUDGES = (
    "poseur_lib/checkpoints/recorded.py",
    "poseur_lib/config",
    "poseur_study/runs/run_id.py",
    "poseur_study/runs/record.py",
    "poseur_study/runs/predictions.py",
    "poseur_study/runs/evaluation_file.py",
    "poseur_study/runs/defaults_v1.json",
)

Signature = list[list[int] | None]


class VerifiedRecords:
    """The verified records below a folder; `save` keeps what is known for the next process."""

    def __init__(self, folder: Path) -> None:
        self.known = CodeCache(folder / MEMORY_FILE, *JUDGES)
        self.read: dict[str, tuple[Signature, Record, dict[str, str]]] = {}
        self.whole: dict[str, Signature] = {}
        self.save = self.known.save

    def holds(self, folder: Path, run_id: str) -> bool:
        """True if `folder` has a valid record of this very run, and results of it that are whole."""
        signature = _signature(folder)
        if signature[0] is None:
            return False
        key = f"{run_id} in {folder.name}"
        if self.known.get(key) == signature:
            return True
        with suppress(UserError):
            record = self.record(folder)
            if record.run_id == run_id and (folder.name == PARTIAL_FOLDER or not record.partial):
                if not self.damaged_results(folder):
                    self.known[key] = signature
                return True
        return False

    def damaged(self, weights: Path, again: bool = False) -> str:
        """What is wrong with the weights of a recorded run, one line; "" if they are those of the record.

        They are read once, and again when they have changed; those that other runs start from once a process.

        Args:
            again: read them, whatever is known.
        """
        memory = self.known if weights.name == MODEL_FILE else self.whole
        key, stamps = (
            f"{weights.name} in {weights.parent.name}",
            [_stamp(weights), _stamp(weights.parent / RECORD_FILE)],
        )
        if not again and memory.get(key) == stamps:
            return ""
        if not (problem := altered(weights)):
            memory[key] = stamps
        return problem

    def record(self, folder: Path) -> Record:
        """The record of `folder`, verified once a process and again whenever its files have changed.

        The files beside a record that was verified before are not unpacked again: who takes their content does that.

        Raises:
            UserError: it is missing, cut off or altered, or neither predictions nor evaluation are whole.
        """
        return self._look(folder)[0]

    def damaged_results(self, folder: Path) -> dict[str, str]:
        """Which of predictions and evaluation are damaged and count as none, the other being whole, and how.

        Raises:
            UserError: as of `record`.
        """
        return self._look(folder)[1]

    def _look(self, folder: Path) -> tuple[Record, dict[str, str]]:
        signature, known = _signature(folder), self.read.get(str(folder))
        if known is None or known[0] != signature:
            whole = self.known.get(f"{folder.name} in {folder.name}") == signature
            found = (read_record(folder, beside=False), {}) if whole else read_damaged(folder)
            known = self.read[str(folder)] = signature, *found
        return known[1], known[2]

    def forget(self) -> None:
        """Read every record again at the next look."""
        for memory in (self.known, self.read, self.whole):
            memory.clear()


@cache
def verified_records(folder: Path) -> VerifiedRecords:
    """One memory a folder and process."""
    return VerifiedRecords(folder)


def _signature(folder: Path) -> Signature:
    return [_stamp(folder / name) for name in (RECORD_FILE, PREDICTIONS_FILE, EVALUATION_FILE)]


def _stamp(path: Path) -> list[int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


ERROR_FILE = "error.txt"
NOTEBOOK_FILE = "notebook.ipynb"
EXPLORER_TABLE = "explorer"
"""In the place of a table's number: where the attention explorer's notebook lies."""
RESULT_FILE = "result.json"
FAILED_NOTEBOOK_FILE = "failed.ipynb"


class RunState(StrEnum):
    """What a person who looks for a run finds."""

    ABSENT = "absent"
    WAITING = "waiting"  # started once and cut off: it resumes from its checkpoint
    PARTIAL = "partial"  # trained for fewer epochs than it is made of (--limit-epochs)
    RUNNING = "running"
    FAILED = "failed"
    CORRUPT = "corrupt"  # a record is there that was altered or cut off: it counts as none
    FINISHED = "finished"
    RECORD_ONLY = "record only"  # finished; the weights are gone, or damaged: they count as none

    @property
    def done(self) -> bool:
        """True if the run's record is there: it is never trained again."""
        return self in (RunState.FINISHED, RunState.RECORD_ONLY)

    @property
    def wrong(self) -> bool:
        """True if someone has to look at it."""
        return self in (RunState.FAILED, RunState.CORRUPT)


@dataclass(frozen=True)
class RunStore:
    """Runs of one profile: `folder/<run id>/`."""

    folder: Path

    def path(self, run_id: str) -> Path:
        """The folder of a run, there or not."""
        return self.folder / run_id

    def table_folder(self, number: str) -> Path:
        """Where a table's executed notebook and results lie."""
        return self.folder / "tables" / number

    def state(self, run_id: str) -> RunState:
        """The state of a run."""
        path = self.path(run_id)
        recorded = self.recorded_state(run_id)
        if recorded == RunState.FINISHED:
            return recorded
        if lease.holder(path) is not None:
            return RunState.RUNNING
        if recorded.done:
            return recorded
        if (path / ERROR_FILE).exists():
            return RunState.FAILED
        if (path / RECORD_FILE).exists():
            return RunState.CORRUPT
        if recorded == RunState.ABSENT and (path / LAST_CHECKPOINT).exists():
            return RunState.WAITING
        return recorded

    def recorded_state(self, run_id: str) -> RunState:
        """What the run's records alone say: finished, record only, partial or absent."""
        path = self.path(run_id)
        if self.verified.holds(path, run_id):
            whole = [
                name for name in WEIGHTS_FILES if (path / name).exists() and not self.verified.damaged(path / name)
            ]
            return RunState.FINISHED if whole else RunState.RECORD_ONLY
        return RunState.PARTIAL if self.verified.holds(path / PARTIAL_FOLDER, run_id) else RunState.ABSENT

    @property
    def verified(self) -> VerifiedRecords:
        """Which records were verified: `save` keeps it for the next process, `forget` has all verified again."""
        return verified_records(self.folder)

    def error(self, run_id: str) -> str | None:
        """Why the run failed, one line; or what is wrong with the record that is there."""
        path = self.path(run_id)
        if (path / ERROR_FILE).exists():
            return last_line(path / ERROR_FILE)
        if (path / RECORD_FILE).exists() and not self.verified.holds(path, run_id):
            try:
                found = read_record(path).run_id
                if found == run_id:
                    return f"record {path / RECORD_FILE} is of fewer epochs than the run has"
                return f"record {path / RECORD_FILE} is that of another run: {found}"
            except UserError as error:
                return str(error)
        return None

    def damaged_weights(self, run_id: str, again: bool = False) -> str:
        """What is wrong with a recorded run's weights, one line that names the file and both digests; "" if nothing is.

        Args:
            again: read them, also where they are known and have not been written to since.
        """
        there = [self.path(run_id) / name for name in WEIGHTS_FILES if (self.path(run_id) / name).exists()]
        return next(filter(None, (self.verified.damaged(path, again) for path in there)), "")

    def damaged_results(self, run_id: str) -> dict[str, str]:
        """Which of a finished run's predictions and evaluation are damaged and count as none, and how."""
        return self.verified.damaged_results(self.path(run_id))

    def imported(self, run_id: str) -> dict[str, str]:
        """Where the record of a run came from: `source`, `sha256`, `date` as `IMPORTED_FILE` has them, or nothing."""
        try:
            found = json.loads(read_regular(self.path(run_id) / IMPORTED_FILE, MAX_TEXT))
            return {name: str(found[name]) for name in ("source", "sha256", "date")}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {"source": "an unknown archive", "sha256": "", "date": "an unknown date"}

    def record(self, run_id: str) -> Record:
        """The verified record of a finished run. Raises UserError where it is missing or altered."""
        return self.verified.record(self.path(run_id))

    def load(self, run_id: str) -> LoadedRecord:
        """The verified record and predictions of a finished run. Raises UserError where they are not here."""
        return load_record(self.path(run_id))

    def has_predictions(self, run_id: str) -> bool:
        """True if the predictions of a finished run are here and whole, not only what its results are computed from."""
        return (self.path(run_id) / PREDICTIONS_FILE).exists() and PREDICTIONS_FILE not in self.damaged_results(run_id)

    def evaluation(self, run_id: str) -> RunEvaluation | None:
        """What a finished run's results are computed from; None where its predictions alone are here and whole."""
        record = self.record(run_id)
        return None if EVALUATION_FILE in self.damaged_results(run_id) else read_evaluation(self.path(run_id), record)

    def partial(self, run_id: str) -> Record:
        """The record of a run that was limited to some epochs."""
        return self.verified.record(self.path(run_id) / PARTIAL_FOLDER)


def last_line(path: Path) -> str:
    """The last line of an error that was noted."""
    return next(reversed(failure_text(path).strip().splitlines()), "no message")


def failure_text(path: Path) -> str:
    """An error that was noted, or why it cannot be read."""
    try:
        return read_regular(path, MAX_TEXT).decode(errors="replace")
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"


def note_failure(folder: Path, message: str, notebook: Path | None) -> None:
    """Keep a run's error and the notebook that shows it where a person looks first."""
    write_atomically(folder / ERROR_FILE, (message.rstrip() + "\n").encode())
    if notebook is not None and notebook.exists():
        os.replace(notebook, folder / FAILED_NOTEBOOK_FILE)


def clear_failure(folder: Path) -> None:
    """Forget an earlier failure, before the run is tried again."""
    for name in (ERROR_FILE, FAILED_NOTEBOOK_FILE):
        (folder / name).unlink(missing_ok=True)


def set_damaged_record_aside(folder: Path) -> None:
    """Move a record that does not verify out of the way: the run is made again, and the evidence stays."""
    if (folder / RECORD_FILE).exists():
        set_aside(folder / RECORD_FILE)


def set_aside(path: Path) -> Path:
    """Move a damaged file out of the way, to `record.damaged.json` or the first such name that is free."""
    numbers = ("", *range(2, 1000))
    names = (path.with_name(f"{path.stem}.damaged{number}{path.suffix}") for number in numbers)
    free = next(name for name in names if not name.exists())
    path.rename(free)
    return free


@dataclass(frozen=True, eq=False)
class ListedRun:
    """A run of a pose model with a record.

    Attributes:
        state: FINISHED has weights; of RECORD_ONLY they are gone.
    """

    store: RunStore
    record: Record
    state: RunState

    @property
    def run_id(self) -> str:
        """Its name."""
        return self.record.run_id

    @property
    def profile(self) -> str:
        """The size of the study that it is of."""
        return self.record.provenance.profile

    @property
    def ap(self) -> float | None:
        """AP with the detector's boxes, else with ground-truth boxes."""
        metrics = self.record.of(BoxSource.DETECTOR) or self.record.of(BoxSource.GROUND_TRUTH)
        return None if metrics is None else metrics.AP


def list_runs(folders: Sequence[Path]) -> list[ListedRun]:
    """The runs with a record below folders of runs, by profile and name."""
    return [run for folder in folders for size in PROFILES for run in runs_of(RunStore(folder / size.name))]


def runs_of(store: RunStore) -> list[ListedRun]:
    """The runs of a pose model with a record in one folder, by name."""
    folders = sorted(store.folder.iterdir()) if store.folder.is_dir() else []
    states = {path.name: store.recorded_state(path.name) for path in folders if path.is_dir()}
    runs = [ListedRun(store, store.record(name), state) for name, state in states.items() if state.done]
    store.verified.save()
    return [run for run in runs if isinstance(run.record.config, ExperimentConfig)]
