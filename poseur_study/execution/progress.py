"""How far the runs of a batch are, by the learning curves beside their checkpoints, and how long the rest takes."""

import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from poseur_lib.files import CURVE_FILE
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.store import RunState, RunStore


@dataclass(frozen=True)
class Position:
    """Where a run is: epochs trained of those planned, and the seconds that they took."""

    epochs: int
    planned: int
    seconds: float

    @property
    def share(self) -> float:
        """Of the training, 0 to 1."""
        return min(1.0, self.epochs / self.planned)


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
        curve = json.loads((store.path(run.run_id) / CURVE_FILE).read_text())
        return Position(len(curve), planned, curve[-1]["seconds"] if curve else 0.0)
    except (OSError, ValueError, KeyError, TypeError):
        return Position(0, planned, 0.0)


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
            if found.share and found.seconds:
                seconds_per_work.append(found.seconds / (found.share * work[run.run_id]))
    return remaining * sum(seconds_per_work) / len(seconds_per_work) / at_work if seconds_per_work else None


class PlanProgress:
    """A bar of the work that is done, with the states of the runs; a line for each change where there is no terminal.

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
        self.terminal = sys.stdout.isatty()
        self.bar: tqdm | None = None

    def __enter__(self) -> "PlanProgress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def show(self, states: Mapping[str, RunState]) -> None:
        """Take the states, and look how far the runs are that have begun."""
        at = {run.run_id: self._position(run, states[run.run_id]) for run in self.plan if run.run_id in states}
        done = sum(at[run_id].share * self.work[run_id] for run_id in at)
        total = sum(self.work[run_id] for run_id in at if states[run_id] != RunState.FAILED)
        if self.bar is None:  # what was done before says nothing about the speed
            layout = "{bar:24} {remaining} left, {desc}"
            file = sys.stdout if self.terminal else io.StringIO()
            self.bar = tqdm(initial=done, total=total, file=file, bar_format=layout, miniters=0, mininterval=0)
        line, before, self.bar.total = self._line(states, at), self.bar.desc, total
        self.bar.set_description_str(line, refresh=False)
        if done > self.bar.n:
            self.bar.update(done - self.bar.n)
        if self.terminal:
            self.bar.refresh()
        elif line != before:
            print(f"{line}, {self._time_left()} left", flush=True)

    def _position(self, run: PlannedRun, state: RunState) -> Position:
        if state.done or state == RunState.PARTIAL:
            return Position(1, 1, 0.0)
        begun = state in (RunState.RUNNING, RunState.WAITING)
        return position(run, self.store, self.limit_epochs) if begun else Position(0, 1, 0.0)

    def _line(self, states: Mapping[str, RunState], at: Mapping[str, Position]) -> str:
        """`runs: 2 done, 1 running (Table 1b, with noise, seed 0: 3 of 4 epochs), 0 failed, 1 waiting`."""
        running = [run for run in self.plan if states.get(run.run_id) == RunState.RUNNING]
        done = sum(state.done or state == RunState.PARTIAL for state in states.values())
        failed = sum(state == RunState.FAILED for state in states.values())
        each = [f"{run.name}: {at[run.run_id].epochs} of {at[run.run_id].planned} epochs" for run in running]
        shown = f"{len(running)} running" + (f" ({', '.join(each)})" if each else "")
        return f"runs: {done} done, {shown}, {failed} failed, {len(self.plan) - done - failed - len(running)} waiting"

    def _time_left(self) -> str:
        """`02:30`, as the bar has it; `?` where nothing was done yet."""
        rate = self.bar.format_dict["rate"]
        return tqdm.format_interval((self.bar.total - self.bar.n) / rate) if rate else "?"
