"""Execution of a plan: runs whose parents are there, some at a time; one that fails does not stop the others.

The engine is a `concurrent.futures.Executor`: a thread per run waits for its child process.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poseur_lib.config import PretextRunConfig
from poseur_lib.study.notebook_job import Attempt, execute_notebook
from poseur_lib.study.plan import PlannedRun
from poseur_lib.study.store import NOTEBOOK_FILE, RunState, RunStore, claim, clear_failure, note_failure, release

POLL_SECONDS = 2.0


@dataclass(frozen=True)
class RunOptions:
    """How a plan is executed; nothing of it but `limit_epochs` changes what a run is."""

    profile: str
    data: str = ""
    runs: str = "runs"
    device: str = "auto"
    precision: str = "32"
    limit_epochs: int = 0
    workers: int = 1

    @property
    def threads(self) -> int:
        """Threads of a run's process: one where several runs share the machine, else torch's own choice."""
        return 1 if self.workers > 1 else 0

    def limit(self, run: PlannedRun) -> int:
        """The limit on a run's epochs; pretraining has none, because other runs start from its last weights."""
        return 0 if isinstance(run.config, PretextRunConfig) else self.limit_epochs


Report = Callable[[dict[str, RunState]], None]


def execute_plan(
    runs: Sequence[PlannedRun],
    store: RunStore,
    options: RunOptions,
    report: Report,
    engine: Executor | None = None,
) -> dict[str, RunState]:
    """Execute what is missing and return the state of every run.

    Args:
        report: called with all states whenever one changes.
        engine: default: `options.workers` threads.
    """
    states = {run.run_id: store.state(run.run_id) for run in runs}
    waiting = [run for run in runs if not satisfied(run, store, options)]
    running: dict[Future[RunState], str] = {}
    with engine or ThreadPoolExecutor(options.workers) as executor:
        while waiting or running:
            for run in list(waiting):
                if len(running) < options.workers and _decided(run, waiting, states, running, executor, store, options):
                    waiting.remove(run)
            report(states)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                states[running.pop(future)] = future.result()
    report(states)
    return states


def satisfied(run: PlannedRun, store: RunStore, options: RunOptions) -> bool:
    """True if a run is done, or with a limit on epochs has been trained that far."""
    state, limit = store.recorded_state(run.run_id), options.limit(run)
    if state == RunState.PARTIAL and limit:
        return store.partial(run.run_id).epochs >= limit
    return state.done


def execute_run(run: PlannedRun, store: RunStore, options: RunOptions) -> RunState:
    """Execute one run to its end, or wait for the process that has it already."""
    folder = store.path(run.run_id)
    while not claim(folder):
        time.sleep(POLL_SECONDS)
    try:
        if store.state(run.run_id).done:
            return store.state(run.run_id)
        clear_failure(folder)
        attempt = execute_notebook(run.notebook, run_parameters(run, options), folder / "attempts", options.threads)
        return _conclude(run, attempt, store, options)
    except Exception as error:
        note_failure(folder, f"{type(error).__name__}: {error}", None)
        return RunState.FAILED
    finally:
        release(folder)


def run_parameters(run: PlannedRun, options: RunOptions) -> dict[str, Any]:
    """What the batch tells a run's notebook."""
    return {
        "profile": options.profile,
        "overrides": run.changes,
        "seed": run.seed,
        "data": options.data,
        "runs": options.runs,
        "run_id": run.run_id,
        "limit_epochs": options.limit(run),
        "device": options.device,
        "precision": options.precision,
        "threads": options.threads,
        "progress": False,
    }


def _decided(
    run: PlannedRun,
    waiting: Sequence[PlannedRun],
    states: dict[str, RunState],
    running: dict[Future[RunState], str],
    executor: Executor,
    store: RunStore,
    options: RunOptions,
) -> bool:
    """Start `run` if its parents are there, give it up if one will never be; False while one is still to come."""
    parents = {parent: states.get(parent) or store.state(parent) for parent in run.parents}
    to_come = {one.run_id for one in waiting} | set(running.values())
    missing = [parent for parent, state in parents.items() if not state.done]
    lost = [parent for parent in missing if parent not in to_come]
    if lost:
        state = parents[lost[0]]
        what = "failed" if state == RunState.FAILED else f"is {state.value}"
        note_failure(store.path(run.run_id), f"not run: its parent {lost[0]} {what}", None)
        states[run.run_id] = RunState.FAILED
        return True
    if missing:
        return False
    states[run.run_id] = RunState.RUNNING
    running[executor.submit(execute_run, run, store, options)] = run.run_id
    return True


def _conclude(run: PlannedRun, attempt: Attempt, store: RunStore, options: RunOptions) -> RunState:
    """Success is exit code 0 and a valid record of this very run."""
    folder = store.path(run.run_id)
    problem = _problem(run, attempt, store, options)
    if problem is not None:
        note_failure(folder, f"{attempt.last_output}\n{problem}", attempt.notebook)
        return RunState.FAILED
    os.replace(attempt.notebook, folder / NOTEBOOK_FILE)
    shutil.rmtree(Path(folder / "attempts"), ignore_errors=True)
    return store.recorded_state(run.run_id)


def _problem(run: PlannedRun, attempt: Attempt, store: RunStore, options: RunOptions) -> str | None:
    if attempt.exit_code != 0:
        lines = attempt.last_output.strip().splitlines()
        return lines[-1] if lines else f"exit code {attempt.exit_code}"
    state = store.recorded_state(run.run_id)
    if state.done:
        return None
    if state != RunState.PARTIAL:
        reason = store.error(run.run_id) or "none was written"
        return f"every cell ran, but there is no valid record: {reason}"
    epochs = store.partial(run.run_id).epochs
    if not options.limit(run) or epochs < options.limit(run):
        return f"the record has {epochs} epochs only"
    return None
