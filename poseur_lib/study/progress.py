"""A bar that tells how far a batch is: text, also in a notebook, so that a saved one carries no dead widget."""

import html
import json
import sys
import time
from collections.abc import Sequence
from threading import Event, Thread

from IPython import get_ipython
from IPython.display import HTML, display

from poseur_lib.study.plan import PlannedRun
from poseur_lib.study.store import RunState, RunStore

REFRESH_SECONDS = 2.0
CURVE_FILE = "curve.json"


class PlanProgress:
    """Shows states whenever they change, and the epoch of what is running in between."""

    def __init__(self, plan: Sequence[PlannedRun], store: RunStore) -> None:
        self.plan, self.store = plan, store
        self.states: dict[str, RunState] = {}
        self.started, self.done_before = time.monotonic(), None
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
        if self.done_before is None:
            self.done_before = self._count(done=True)
        self._print()

    def line(self) -> str:
        """`runs: 2 done, 1 running (epoch 3 of 4), 0 failed, 1 waiting; about 2 min left`."""
        running = [run for run in self.plan if self.states.get(run.run_id) == RunState.RUNNING]
        failed = sum(state == RunState.FAILED for state in self.states.values())
        done = self._count(done=True)
        waiting = len(self.plan) - done - failed - len(running)
        epochs = ", ".join(self._epoch(run) for run in running)
        running_text = f"{len(running)} running" + (f" ({epochs})" if epochs else "")
        return f"runs: {done} done, {running_text}, {failed} failed, {waiting} waiting{self._left(done)}"

    def bar(self, width: int = 24) -> str:
        """`[######------]`: runs that are done."""
        full = round(width * self._count(done=True) / max(1, len(self.plan)))
        return f"[{'#' * full}{'-' * (width - full)}]"

    def _count(self, done: bool) -> int:
        enough = [state.done or state == RunState.PARTIAL for state in self.states.values()]
        return sum(one == done for one in enough)

    def _left(self, done: int) -> str:
        new = done - (self.done_before or 0)
        if new <= 0 or done == len(self.plan):
            return ""
        seconds = (time.monotonic() - self.started) / new * (len(self.plan) - done)
        return f"; about {max(1, round(seconds / 60))} min left"

    def _epoch(self, run: PlannedRun) -> str:
        training = run.config.train if run.config.kind == "experiment" else run.config.pretext
        try:
            epochs = len(json.loads((self.store.path(run.run_id) / CURVE_FILE).read_text()))
        except (OSError, ValueError):
            epochs = 0
        return f"{run.config.name}: {epochs} of {training.epochs} epochs"

    def _refresh(self) -> None:
        while not self.ended.wait(REFRESH_SECONDS):
            self._print()

    def _print(self, end: bool = False) -> None:
        line = self.line()
        changed, self.last = line != self.last, line
        if self.handle is not None:
            self.handle.update(_as_text(f"{self.bar()} {line}"))
        elif sys.stdout.isatty():
            print(f"\r\x1b[K{self.bar()} {line}", end="\n" if end else "", flush=True)
        elif changed:
            print(line, flush=True)


def _in_notebook() -> bool:
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _as_text(text: str) -> HTML:
    return HTML(f"<pre>{html.escape(text)}</pre>")
