"""Execution of a table's notebook: what it shows replaces the table's earlier results only when all of it is there."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poseur_study.execution.papermill_job import Attempt, execute_notebook
from poseur_study.execution.run_job import Outcome, failure
from poseur_study.runs import lease
from poseur_study.runs.heartbeat import Stopped, heartbeat
from poseur_study.runs.store import NOTEBOOK_FILE, RESULT_FILE, RunState, clear_failure


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
        with lease.waiting_lease(job.folder) as held, heartbeat(held) as lost:
            attempts = job.folder / "attempts"
            attempt = execute_notebook(job.notebook, job.parameters, attempts, job.threads, held, job.project)
            if lost.is_set() or not lease.is_held(held.key):
                raise Stopped
            return _conclude(job.folder, attempt)
    except Stopped:
        return Outcome(RunState.WAITING, "stopped, or taken over by another process: the same command tries again")
    except Exception as error:
        return failure(job.folder, f"{type(error).__name__}: {error}", None)


def _conclude(folder: Path, attempt: Attempt) -> Outcome:
    problem = attempt.problem
    if problem is None and not (attempt.results / RESULT_FILE).exists():
        problem = "every cell ran, but there are no results: none were written"
    if problem is not None:
        return failure(folder, f"{attempt.last_output}\n{problem}", attempt.notebook)
    for path in sorted(attempt.results.iterdir(), key=lambda path: path.name == RESULT_FILE):  # the result comes last
        os.replace(path, folder / path.name)
    os.replace(attempt.notebook, folder / NOTEBOOK_FILE)
    clear_failure(folder)
    shutil.rmtree(folder / "attempts", ignore_errors=True)
    return Outcome(RunState.FINISHED)
