"""Execution of one notebook in a child process, in a folder of its own per attempt, and what is kept of it.

What a table's notebook shows replaces the table's earlier results only when all of it is there.
"""

import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from poseur_lib.faults import advised, fault_in
from poseur_lib.files import write_atomically
from poseur_study.experiments.notebook_parameters import check_parameters
from poseur_study.runs.heartbeat import CHILD_FLAG, LEASE_VARIABLE, Stopped, heartbeat, run_child, until_stopped
from poseur_study.runs.lease import Lease, is_held, waiting_lease
from poseur_study.runs.origin import keep_notebook
from poseur_study.runs.project import RESULTS_VARIABLE, ROOT_VARIABLE, notebook_path, project_root
from poseur_study.runs.store import RESULT_FILE, RunState, clear_failure, note_failure

OUTPUT_FILE = "output.txt"
RETRIES = 3
"""Of a run whose kernel was killed: as many as dask gives one whose worker was."""
SLURM = "SLURM_"
"""Lightning takes a process with these for one of several that srun started; a run's is alone in its job."""


@dataclass(frozen=True)
class Attempt:
    """What came of executing a notebook; exit code 0 is necessary for success and not sufficient."""

    folder: Path
    exit_code: int = 0
    said: str = ""

    @property
    def notebook(self) -> Path:
        """The executed copy, as far as it got."""
        return self.folder / "notebook.ipynb"

    @property
    def results(self) -> Path:
        """Where a table's notebook leaves its results."""
        return self.folder / "results"

    @property
    def last_output(self) -> str:
        """The end of what the child printed, without terminal colours."""
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.said)

    @property
    def problem(self) -> str | None:
        """Why the child ended before its time, one line; None if every cell ran."""
        if self.exit_code == 0:
            return None
        if self.exit_code < 0:
            return f"its process was killed by {signal.Signals(-self.exit_code).name}"
        lines = self.last_output.strip().splitlines()
        return lines[-1] if lines else f"exit code {self.exit_code}"


@dataclass(frozen=True)
class Outcome:
    """What came of a run, or of a table (by its number).

    Attributes:
        state: RUNNING if another process has it, WAITING if it was stopped.
        problem: why it failed or was stopped, one line.
    """

    state: RunState
    problem: str | None = None


def failure(folder: Path, message: str, notebook: Path | None = None) -> Outcome:
    """A failure, noted in the folder of a run or table; where even that cannot be written, the outcome says so.

    The message's last line is the reason; where it is a fault of the machine, what to do about it is added.
    """
    *before, last = [line for line in message.strip().splitlines() if line.strip()] or ["no message"]
    reason = advised(last)
    try:
        note_failure(folder, "\n".join([*before, reason]), notebook)
    except OSError as error:
        return Outcome(RunState.FAILED, f"{reason} (not noted in {folder}: {error.strerror})")
    return Outcome(RunState.FAILED, reason)


def execute_and_keep(
    name: str,
    parameters: dict[str, Any],
    folder: Path,
    wrong: Callable[[Attempt], str | None] = lambda _: None,
    held: Lease | None = None,
    threads: int = 0,
    project: str = "",
) -> Outcome:
    """Execute a notebook for a folder; what it made replaces what is there once all of it is made.

    Args:
        wrong: what is wrong although every cell ran; None if nothing is.
        held: the folder's lease, kept alive meanwhile; None where no other process comes into question.
        threads, project: see `execute_notebook`.

    Raises:
        UserError: there is no such notebook, or it has no such parameter.
        Stopped: the batch was stopped, or the lease lost.
    """
    with nullcontext(Event()) if held is None else heartbeat(held) as lost:
        for retries_left in reversed(range(1 + RETRIES)):
            attempt = execute_notebook(name, parameters, folder / "attempts", threads, held, project)
            if held is not None and (lost.is_set() or not is_held(held.key)):
                raise Stopped
            problem = attempt.problem or wrong(attempt)
            fault = fault_in(problem or "")
            if fault is None or not fault.passes:
                break
            if retries_left:
                shutil.rmtree(attempt.folder, ignore_errors=True)
        if problem is not None:
            return failure(folder, f"{attempt.last_output}\n{problem}", attempt.notebook)
        results = attempt.results.iterdir() if attempt.results.is_dir() else ()
        for path in sorted(results, key=lambda path: path.name == RESULT_FILE):  # the result comes last
            os.replace(path, folder / path.name)
        keep_notebook(attempt.notebook, folder)
        clear_failure(folder)
        shutil.rmtree(folder / "attempts", ignore_errors=True)
    return Outcome(RunState.FINISHED)


@dataclass(frozen=True)
class TableJob:
    """A table's notebook, to be executed once its runs are settled: done, or failed.

    Attributes:
        folder: of the table's results.
        needs: ids of its runs.
        project: the folder that holds `notebooks/`.
        alone: it measures speed: nothing else is at work meanwhile.
    """

    number: str
    notebook: str
    folder: Path
    needs: frozenset[str]
    parameters: dict[str, Any]
    threads: int = 0
    project: str = ""
    alone: bool = False


def execute_table(job: TableJob) -> Outcome:
    """Execute a table's notebook, after another batch that is at it; FINISHED, FAILED, or WAITING if stopped.

    The outcome of one that was stopped has a problem too, for whoever does not try it again.
    """
    try:
        with waiting_lease(job.folder, until_stopped()) as held:
            how = (_no_results, held, job.threads, job.project)
            return execute_and_keep(job.notebook, job.parameters, job.folder, *how)
    except Stopped:
        return Outcome(RunState.WAITING, "stopped, or taken over by another process: the same command tries again")
    except Exception as error:
        return failure(job.folder, f"{type(error).__name__}: {error}")


def _no_results(attempt: Attempt) -> str | None:
    there = (attempt.results / RESULT_FILE).exists()
    return None if there else "every cell ran, but there are no results: none were written"


def execute_notebook(
    name: str, parameters: dict[str, Any], attempts: Path, threads: int, held: Lease | None = None, project: str = ""
) -> Attempt:
    """Execute a source notebook with checked parameters; blocks until its child process ends.

    Args:
        attempts: a folder; this attempt gets a new one in it.
        threads: of each library's pool in the child; 0 leaves them as they are.
        held: the lease that the child works under: it writes no record once that is lost.
        project: the folder that holds `notebooks/`; "": as this process finds it.

    Raises:
        UserError: there is no such notebook, or it has no such parameter.
        Stopped: the batch was stopped, or the lease lost.
    """
    root = Path(project) if project else project_root()
    notebook = notebook_path(name, root)
    check_parameters(notebook, parameters)
    attempt = Attempt(_new_folder(attempts))
    job = {"notebook": str(notebook), "output": str(attempt.notebook), "parameters": parameters, "folder": str(root)}
    command = [sys.executable, "-m", "poseur_study.execution.papermill_child", str(attempt.folder / "job.json")]
    environment = _environment(root, threads, held) | {RESULTS_VARIABLE: str(attempt.results)}
    with tempfile.TemporaryDirectory(prefix="poseur-kernel-") as private:  # the child may be killed, and leave its file
        job["connection"] = f"{private}/kernel.json"
        environment |= own_kernel(private)
        write_atomically(attempt.folder / "job.json", json.dumps(job, indent=1).encode())
        return Attempt(attempt.folder, *run_child(command, attempt.folder / OUTPUT_FILE, environment))


def own_kernel(folder: str) -> dict[str, str]:
    """Environment variables by which a kernel is this environment's, and runs none of its user's start-up files."""
    return {"IPYTHONDIR": folder, "JUPYTER_PREFER_ENV_PATH": "1"}


def _environment(root: Path, threads: int, held: Lease | None) -> dict[str, str]:
    added = {CHILD_FLAG: "1", ROOT_VARIABLE: str(root), "PYTHONHASHSEED": "0"}
    added["PYTHONPATH"] = os.pathsep.join(part for part in (str(root), os.environ.get("PYTHONPATH", "")) if part)
    if threads:
        added |= {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS")}
    if held is not None:
        added[LEASE_VARIABLE] = held.key
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SLURM)}
    return kept | added


def _new_folder(attempts: Path) -> Path:
    attempts.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(path.name) for path in attempts.iterdir() if path.name.isdigit()), default=0)
    folder = attempts / f"{number:03d}"
    folder.mkdir()
    return folder
