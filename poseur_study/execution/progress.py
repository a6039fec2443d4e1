"""How far the runs of a batch are, by the learning curves beside their checkpoints, and how long the rest takes."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from poseur_lib.files import CURVE_FILE, read_regular
from poseur_lib.progress import ProgressLine, duration
from poseur_lib.training.position import TrainingPosition, read_position
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.store import RunState, RunStore


@dataclass(frozen=True)
class Position:
    """Where a run is: epochs trained of those planned, the seconds that they took, and what the next one has."""

    epochs: int
    planned: int
    seconds: float
    now: TrainingPosition | None = None

    @property
    def share(self) -> float:
        """Of the training, 0 to 1."""
        return min(1.0, max(self.epochs / self.planned, 0.0 if self.now is None else self.now.share))

    @property
    def words(self) -> str:
        """`epoch 2 of 3, step 310 of 809, 1 min left`; without an epoch under way `2 of 3 epochs`."""
        return f"{self.epochs} of {self.planned} epochs" if self.now is None else self.now.words


def position(run: PlannedRun, store: RunStore, limit_epochs: int = 0) -> Position:
    """A run's position; nothing is trained where there is no curve, or none that can be read.

    Args:
        limit_epochs: where the batch stops training; 0: at the end. Pretraining has no limit.
    """
    if run.config.kind != "experiment":
        planned = run.config.pretext.epochs
    else:
        planned = min(run.config.train.epochs, limit_epochs or run.config.train.epochs)
    try:
        curve = json.loads(read_regular(store.path(run.run_id) / CURVE_FILE))
        epochs, seconds = len(curve), curve[-1]["seconds"] if curve else 0.0
    except (OSError, ValueError, KeyError, TypeError):
        epochs, seconds = 0, 0.0
    now = read_position(store.path(run.run_id))
    return Position(epochs, planned, seconds, now if now is not None and now.epochs == planned else None)


def training_seconds_left(
    runs: Sequence[PlannedRun], store: RunStore, states: Mapping[str, RunState], work: Mapping[str, float]
) -> float | None:
    """Of training, until the runs that are not done are, at the mean pace of those at work and as many at a time.

    None where no run is at work, or none has finished an epoch. Failed runs are not tried again.

    Args:
        work: of each run, in any unit.
    """
    seconds_per_work, remaining, at_work = [], 0.0, 0
    for run in runs:
        state = states[run.run_id]
        if state.done or state in (RunState.PARTIAL, RunState.FAILED):
            continue
        found = position(run, store)
        remaining += (1 - found.share) * work[run.run_id]
        if state == RunState.RUNNING:
            at_work += 1
            if found.epochs and found.seconds:  # without the epoch under way, whose seconds no curve has
                trained = found.epochs / found.planned
                seconds_per_work.append(found.seconds / (trained * work[run.run_id]))
    return remaining * sum(seconds_per_work) / len(seconds_per_work) / at_work if seconds_per_work else None


class PlanProgress:
    """What runs, in words, and what of the plan is done; a line for each run that ends where there is no terminal.

    Args:
        work: of each run, in any unit, by its id; default: all runs are alike.
        limit_epochs: where the batch stops training; 0: at the end. Pretraining has no limit.
    """

    def __init__(
        self,
        plan: Sequence[PlannedRun],
        store: RunStore,
        work: Mapping[str, float] | None = None,
        limit_epochs: int = 0,
    ) -> None:
        self.plan, self.store, self.limit_epochs = plan, store, limit_epochs
        self.work = {run.run_id: (work or {}).get(run.run_id, 1.0) for run in plan}
        self.line = ProgressLine(sys.stdout)
        self._started: float | None = None
        self._before = self._done = 0.0
        self._left = ""

    def __enter__(self) -> "PlanProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()

    def show(self, states: Mapping[str, RunState]) -> None:
        """Take the states, and look how far the runs are that have begun."""
        at = {run.run_id: self._position(run, states[run.run_id]) for run in self.plan if run.run_id in states}
        done = sum(at[run_id].share * self.work[run_id] for run_id in at)
        total = sum(self.work[run_id] for run_id in at if states[run_id] != RunState.FAILED)
        now = time.monotonic()
        if self._started is None:  # what was done before says nothing about the speed
            self._started, self._before, self._done = now, done, done
        if done > self._done:  # time does not grow by waiting
            self._done = done
            self._left = f"{duration((total - done) * (now - self._started) / (done - self._before))} left"
        counts = self._counts(states)
        running = [
            f"{run.name}: {at[run.run_id].words}" for run in self.plan if states.get(run.run_id) == RunState.RUNNING
        ]
        more = f" (and {len(running) - 1} more)" if len(running) > 1 else ""
        whole = ", ".join(filter(None, (counts, self._left)))
        self.line.show("; ".join([*(one + more for one in running[:1]), whole]), news=counts)

    def _position(self, run: PlannedRun, state: RunState) -> Position:
        if state.done or state == RunState.PARTIAL:
            return Position(1, 1, 0.0)
        begun = state in (RunState.RUNNING, RunState.WAITING)
        return position(run, self.store, self.limit_epochs) if begun else Position(0, 1, 0.0)

    def _counts(self, states: Mapping[str, RunState]) -> str:
        """`4 of 10 runs done, 1 failed`."""
        done = sum(state.done or state == RunState.PARTIAL for state in states.values())
        failed = sum(state == RunState.FAILED for state in states.values())
        return f"{done} of {len(self.plan)} runs done" + (f", {failed} failed" if failed else "")
