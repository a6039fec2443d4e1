"""Execution of a table's notebook: what it shows replaces the table's earlier results only when all of it is there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poseur_study.execution.papermill_job import Attempt, Outcome, execute_and_keep, failure
from poseur_study.runs import lease
from poseur_study.runs.heartbeat import Stopped
from poseur_study.runs.store import RESULT_FILE, RunState


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
        with lease.waiting_lease(job.folder) as held:
            return execute_and_keep(job.notebook, job.parameters, held, _no_results, job.threads, job.project)
    except Stopped:
        return Outcome(RunState.WAITING, "stopped, or taken over by another process: the same command tries again")
    except Exception as error:
        return failure(job.folder, f"{type(error).__name__}: {error}")


def _no_results(attempt: Attempt) -> str | None:
    there = (attempt.results / RESULT_FILE).exists()
    return None if there else "every cell ran, but there are no results: none were written"
