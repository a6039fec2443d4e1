"""The folder of runs of one profile, and the state that each is in."""

import json
import os
import socket
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from poseur_lib.errors import UserError
from poseur_lib.study.atomic import write_atomically
from poseur_lib.study.record import PARTIAL_FOLDER, RECORD_FILE, LoadedRecord, Record, load_record, read_record

CLAIM_FILE = "running.json"
ERROR_FILE = "error.txt"
NOTEBOOK_FILE = "notebook.ipynb"
RESULT_FILE = "result.json"
FAILED_NOTEBOOK_FILE = "failed.ipynb"
LAST_CHECKPOINT = "last.ckpt"
WEIGHTS_FILES = ("model.pt", "backbone.pt")


class RunState(StrEnum):
    """What a person who looks for a run finds."""

    ABSENT = "absent"
    WAITING = "waiting"  # started once and cut off: it resumes from its checkpoint
    PARTIAL = "partial"  # trained for fewer epochs than it is made of (--limit-epochs)
    RUNNING = "running"
    FAILED = "failed"
    FINISHED = "finished"
    RECORD_ONLY = "record only"  # finished; the weights are gone

    @property
    def done(self) -> bool:
        """True if the run's record is there: it is never trained again."""
        return self in (RunState.FINISHED, RunState.RECORD_ONLY)


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
        """The state of a run; a record that does not verify counts as none."""
        path = self.path(run_id)
        recorded = self.recorded_state(run_id)
        if recorded.done:
            return recorded
        if claim_is_alive(path / CLAIM_FILE):
            return RunState.RUNNING
        if (path / ERROR_FILE).exists():
            return RunState.FAILED
        if recorded == RunState.ABSENT and (path / LAST_CHECKPOINT).exists():
            return RunState.WAITING
        return recorded

    def recorded_state(self, run_id: str) -> RunState:
        """What the run's records alone say: finished, record only, partial or absent."""
        path = self.path(run_id)
        if self._recorded(path, run_id):
            there = any((path / name).exists() for name in WEIGHTS_FILES)
            return RunState.FINISHED if there else RunState.RECORD_ONLY
        return RunState.PARTIAL if self._recorded(path / PARTIAL_FOLDER, run_id) else RunState.ABSENT

    def error(self, run_id: str) -> str | None:
        """Why the run failed, one line; or what is wrong with the record that is there."""
        path = self.path(run_id)
        if (path / ERROR_FILE).exists():
            lines = [line for line in (path / ERROR_FILE).read_text().splitlines() if line.strip()]
            return lines[-1] if lines else "no message"
        if (path / RECORD_FILE).exists():
            try:
                read_record(path)
            except UserError as error:
                return str(error)
        return None

    def record(self, run_id: str) -> Record:
        """The verified record of a finished run. Raises UserError where it is missing or altered."""
        return read_record(self.path(run_id))

    def load(self, run_id: str) -> LoadedRecord:
        """The verified record and predictions of a finished run."""
        return load_record(self.path(run_id))

    def partial(self, run_id: str) -> Record:
        """The record of a run that was limited to some epochs."""
        return read_record(self.path(run_id) / PARTIAL_FOLDER)

    def _recorded(self, folder: Path, run_id: str) -> bool:
        if not (folder / RECORD_FILE).exists():
            return False
        try:
            return read_record(folder).run_id == run_id
        except UserError:
            return False


def claim(folder: Path) -> bool:
    """Take a run for this process; False if a living process has it."""
    path = folder / CLAIM_FILE
    folder.mkdir(parents=True, exist_ok=True)
    owner = json.dumps({"pid": os.getpid(), "started": _started(os.getpid()), "host": socket.gethostname()})
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".claim.")
    with os.fdopen(handle, "w") as file:
        file.write(owner)
    try:
        return _link(temporary, path) or (not claim_is_alive(path) and _link_anew(temporary, path))
    finally:
        os.unlink(temporary)


def release(folder: Path) -> None:
    """Give a claimed run back."""
    (folder / CLAIM_FILE).unlink(missing_ok=True)


def claim_is_alive(path: Path) -> bool:
    """True if the process that claimed the run lives; one on another host is taken to."""
    try:
        owner = json.loads(path.read_text())
    except FileNotFoundError:
        return False
    except ValueError:
        return False
    if owner["host"] != socket.gethostname():
        return True
    return _started(owner["pid"]) == owner["started"]


def note_failure(folder: Path, message: str, notebook: Path | None) -> None:
    """Keep a run's error and the notebook that shows it where a person looks first."""
    write_atomically(folder / ERROR_FILE, (message.rstrip() + "\n").encode())
    if notebook is not None and notebook.exists():
        os.replace(notebook, folder / FAILED_NOTEBOOK_FILE)


def clear_failure(folder: Path) -> None:
    """Forget an earlier failure, before the run is tried again."""
    for name in (ERROR_FILE, FAILED_NOTEBOOK_FILE):
        (folder / name).unlink(missing_ok=True)


def _link(temporary: str, path: Path) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    return True


def _link_anew(temporary: str, path: Path) -> bool:
    path.unlink(missing_ok=True)
    return _link(temporary, path)


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks after boot: a pid that is used again has another."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rsplit(")", 1)[1].split()[19]
