"""How far runs are by the learning curves beside their checkpoints, and how long the rest takes at their pace."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.store import RunState, RunStore

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
