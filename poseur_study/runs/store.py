"""The folder of runs of one profile, and the state that each is in."""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from poseur_lib.errors import UserError
from poseur_lib.files import write_atomically
from poseur_study.runs import lease
from poseur_study.runs.record import PARTIAL_FOLDER, RECORD_FILE, LoadedRecord, Record, load_record, read_record
from poseur_study.runs.verified import verified_records

ERROR_FILE = "error.txt"
NOTEBOOK_FILE = "notebook.ipynb"
RESULT_FILE = "result.json"
FAILED_NOTEBOOK_FILE = "failed.ipynb"
DAMAGED_RECORD_FILE = "record.damaged.json"
LAST_CHECKPOINT = "last.ckpt"
WEIGHTS_FILES = ("model.pt", "backbone.pt")


class RunState(StrEnum):
    """What a person who looks for a run finds."""

    ABSENT = "absent"
    WAITING = "waiting"  # started once and cut off: it resumes from its checkpoint
    PARTIAL = "partial"  # trained for fewer epochs than it is made of (--limit-epochs)
    RUNNING = "running"
    FAILED = "failed"
    CORRUPT = "corrupt"  # a record is there that was altered or cut off: it counts as none
    FINISHED = "finished"
    RECORD_ONLY = "record only"  # finished; the weights are gone

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
        verified = verified_records(self.folder)
        if verified.holds(path, run_id):
            there = any((path / name).exists() for name in WEIGHTS_FILES)
            return RunState.FINISHED if there else RunState.RECORD_ONLY
        return RunState.PARTIAL if verified.holds(path / PARTIAL_FOLDER, run_id) else RunState.ABSENT

    def remember(self) -> None:
        """Keep which records were verified, so that the next process need not read them all."""
        verified_records(self.folder).save()

    def forget(self) -> None:
        """Verify every record in full at the next look."""
        verified_records(self.folder).forget()

    def error(self, run_id: str) -> str | None:
        """Why the run failed, one line; or what is wrong with the record that is there."""
        path = self.path(run_id)
        if (path / ERROR_FILE).exists():
            lines = [line for line in (path / ERROR_FILE).read_text().splitlines() if line.strip()]
            return lines[-1] if lines else "no message"
        if (path / RECORD_FILE).exists() and not verified_records(self.folder).holds(path, run_id):
            try:
                found = read_record(path).run_id
                return f"record {path / RECORD_FILE} is that of another run: {found}"
            except UserError as error:
                return str(error)
        return None

    def failed_notebook(self, run_id: str) -> Path | None:
        """The notebook that shows the error of a failed run, where one was executed."""
        path = self.path(run_id) / FAILED_NOTEBOOK_FILE
        return path if path.exists() else None

    def record(self, run_id: str) -> Record:
        """The verified record of a finished run. Raises UserError where it is missing or altered."""
        return verified_records(self.folder).record(self.path(run_id))

    def load(self, run_id: str) -> LoadedRecord:
        """The verified record and predictions of a finished run."""
        return load_record(self.path(run_id))

    def partial(self, run_id: str) -> Record:
        """The record of a run that was limited to some epochs."""
        return verified_records(self.folder).record(self.path(run_id) / PARTIAL_FOLDER)


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
        os.replace(folder / RECORD_FILE, folder / DAMAGED_RECORD_FILE)


def require_writable(folder: Path) -> None:
    """Check that runs can be stored, before any starts.

    Raises:
        UserError: the folder cannot be made or written to.
    """
    try:
        write_atomically(folder / ".writable", b"")
        (folder / ".writable").unlink()
    except OSError as error:
        raise UserError(f"runs cannot be stored in {folder}: {error.strerror}") from None
