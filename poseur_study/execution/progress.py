"""A bar that tells how far a batch is: text, also in a notebook, so that a saved one carries no dead widget.

How long the rest of some work will take, by what this batch has done so far.

How far runs are by the learning curves beside their checkpoints, and how long the rest takes at their pace.
"""

import html
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Thread

from IPython import get_ipython
from IPython.display import HTML, display

from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.store import RunState, RunStore


@dataclass
class TimeLeft:
    """Estimate that is made anew whenever work is done and counts down in between: it never grows for want of news.

    Attributes:
        first: (clock, work done) when the batch began: what was there before says nothing about its speed.
    """

    first: tuple[float, float] | None = None
    done: float = 0.0
    ends_at: float | None = None

    def take(self, now: float, done: float, remaining: float) -> None:
        """Take stock: work done and remaining, in one unit, at a reading of the clock in seconds."""
        if self.first is None:
            self.first, self.done = (now, done), done
        if done > self.done:
            rate = (done - self.first[1]) / max(now - self.first[0], 1e-6)
            self.done, self.ends_at = done, now + remaining / rate

    def text(self, now: float) -> str:
        """`; about 3 min left`, or nothing where nothing is known yet."""
        if self.ends_at is None:
            return ""
        minutes = math.ceil((self.ends_at - now) / 60)
        if minutes > 120:
            return f"; about {round(minutes / 60)} h left"
        return f"; about {minutes} min left" if minutes > 1 else "; about a minute left"


CURVE_FILE = "curve.json"


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


def seconds_left(
    runs: Sequence[PlannedRun], store: RunStore, states: Mapping[str, RunState], work: Mapping[str, float]
) -> float | None:
    """Of training, until the runs that are not done are, at the mean pace of those at work and as many at a time.

    None where no run is at work, or none has finished an epoch. Failed runs are not tried again.

    Args:
        work: of each run, in any unit.
    """
    paces, remaining, at_work = [], 0.0, 0
    for run in runs:
        state = states[run.run_id]
        if state.done or state in (RunState.PARTIAL, RunState.FAILED):
            continue
        found = position(run, store)
        remaining += (1 - found.share) * work[run.run_id]
        if state == RunState.RUNNING:
            at_work += 1
            if found.share and found.seconds:
                paces.append(found.seconds / (found.share * work[run.run_id]))
    return remaining * sum(paces) / len(paces) / at_work if paces else None


REFRESH_SECONDS = 2.0


class PlanProgress:
    """Shows states whenever they change, and the epoch of what is running in between.

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
        self.states: dict[str, RunState] = {}
        self.left = TimeLeft()
        self.ended = Event()
        self.thread = Thread(target=self._refresh, daemon=True)
        self.last = ""
        self.handle = display(_as_text(""), display_id=True) if _in_notebook() else None

    def __enter__(self) -> "PlanProgress":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        self._print(end=True)

    def show(self, states: dict[str, RunState]) -> None:
        """Take new states."""
        self.states = dict(states)
        self._print()

    def line(self) -> str:
        """`runs: 2 done, 1 running (3 of 4 epochs), 0 failed, 1 waiting; about 2 min left`."""
        running = [run for run in self.plan if self.states.get(run.run_id) == RunState.RUNNING]
        at = {run.run_id: position(run, self.store, self.limit_epochs) for run in running}
        self._measure(at)
        done, failed = self._done(), sum(state == RunState.FAILED for state in self.states.values())
        each = [f"{run.config.name}: {at[run.run_id].epochs} of {at[run.run_id].planned} epochs" for run in running]
        shown = f"{len(running)} running" + (f" ({', '.join(each)})" if each else "")
        waiting = len(self.plan) - done - failed - len(running)
        left = self.left.text(time.monotonic()) if done < len(self.plan) else ""
        return f"runs: {done} done, {shown}, {failed} failed, {waiting} waiting{left}"

    def bar(self, width: int = 24) -> str:
        """`[######------]`: runs that are done."""
        full = round(width * self._done() / max(1, len(self.plan)))
        return f"[{'#' * full}{'-' * (width - full)}]"

    def _measure(self, at: Mapping[str, Position]) -> None:
        """Tell the clock how much work is done, epochs of running and interrupted runs included."""
        if not self.states:
            return
        done = remaining = 0.0
        for run in self.plan:
            state, work = self.states.get(run.run_id, RunState.ABSENT), self.work[run.run_id]
            if state.done or state == RunState.PARTIAL:
                done += work
            elif state != RunState.FAILED:
                known = at.get(run.run_id)
                if known is None and state == RunState.WAITING:
                    known = position(run, self.store, self.limit_epochs)
                share = known.share if known else 0.0
                done, remaining = done + share * work, remaining + (1 - share) * work
        self.left.take(time.monotonic(), done, remaining)

    def _done(self) -> int:
        return sum(state.done or state == RunState.PARTIAL for state in self.states.values())

    def _refresh(self) -> None:
        while not self.ended.wait(REFRESH_SECONDS):
            self._print()

    def _print(self, end: bool = False) -> None:
        line = self.line()
        changed, self.last = _without_time(line) != _without_time(self.last), line
        if self.handle is not None:
            self.handle.update(_as_text(f"{self.bar()} {line}"))
        elif sys.stdout.isatty():
            print(f"\r\x1b[K{self.bar()} {line}", end="\n" if end else "", flush=True)
        elif changed:
            print(line, flush=True)


def _without_time(line: str) -> str:
    return line.partition(";")[0]


def _in_notebook() -> bool:
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _as_text(text: str) -> HTML:
    return HTML(f"<pre>{html.escape(text)}</pre>")
