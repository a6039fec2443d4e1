"""The runs that a person can choose from: what was trained, how good it is, and whether its weights are there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_lib.explore.models import OpenModel, has_queries, require_queries
from poseur_lib.study.predictions_file import BoxSource
from poseur_lib.study.profiles import PROFILES
from poseur_lib.study.record import Record
from poseur_lib.study.roots import below_root
from poseur_lib.study.row_models import NEW_RUNS
from poseur_lib.study.store import RunState, RunStore
from poseur_lib.study.weights import trained_model


@dataclass(frozen=True, eq=False)
class ListedRun:
    """A run with a record.

    Attributes:
        state: FINISHED has weights; of RECORD_ONLY they are gone.
    """

    store: RunStore
    record: Record
    state: RunState

    @property
    def run_id(self) -> str:
        """Its name."""
        return self.record.run_id

    @property
    def profile(self) -> str:
        """The size of the study that it is of."""
        return self.record.provenance.profile

    @property
    def usable(self) -> bool:
        """True if it can be looked into now."""
        return self.state == RunState.FINISHED and has_queries(self.record.config)

    @property
    def trainable(self) -> bool:
        """True if it could be looked into, were its weights there."""
        return not self.usable and has_queries(self.record.config)

    @property
    def status(self) -> str:
        """What can be done with it, for a person."""
        if not has_queries(self.record.config):
            return f"{self.record.config.model.head.kind}: no keypoint queries to look into"
        return "ready" if self.usable else "only the record is left: train again"

    @property
    def ap(self) -> float | None:
        """AP with the detector's boxes, else with ground-truth boxes."""
        metrics = self.record.of(BoxSource.DETECTOR) or self.record.of(BoxSource.GROUND_TRUTH)
        return None if metrics is None else metrics.AP

    @property
    def label(self) -> str:
        """One line to choose it by."""
        ap = "no AP" if self.ap is None else f"AP {self.ap:.1f}"
        again = " (trained again)" if self.store.folder.parent.name == NEW_RUNS else ""
        return f"{self.profile} · {ap} · {self.run_id}{again} · {self.status}"

    def open(self) -> OpenModel:
        """Its model.

        Raises:
            UserError: the weights are gone or cut off, or the model has no queries.
        """
        require_queries(self.record.config, f"run {self.run_id}")
        if self.state != RunState.FINISHED:
            raise UserError(f"run {self.run_id}: only the record is left, its weights are gone; train it again")
        model = trained_model(self.store.path(self.run_id), self.record.config)
        return OpenModel(f"run {self.run_id}", model, self.record.config, self.run_id)


def find_runs(folders: Sequence[Path]) -> tuple[ListedRun, ...]:
    """The runs with a record below folders of runs: those that can be looked into first, the best AP first."""
    stores = [RunStore(folder / size.name) for folder in folders for size in PROFILES]
    found = [run for store in stores for run in _runs_of(store)]
    return tuple(sorted(found, key=lambda run: (not run.usable, not has_queries(run.record.config), -(run.ap or 0))))


def run_named(runs: Sequence[ListedRun], run_id: str) -> ListedRun:
    """The run of that name, one with weights where it is there twice.

    Raises:
        UserError: there is none.
    """
    named = [run for run in runs if run.run_id == run_id]
    if not named:
        raise UserError(f"run {run_id!r} is not there; there are: {', '.join(run.run_id for run in runs) or 'none'}")
    return named[0]


def _runs_of(store: RunStore) -> list[ListedRun]:
    folders = sorted(store.folder.iterdir()) if store.folder.is_dir() else []
    states = {path.name: store.recorded_state(path.name) for path in folders if path.is_dir()}
    runs = [ListedRun(store, store.record(name), state) for name, state in states.items() if state.done]
    store.remember()
    return [run for run in runs if isinstance(run.record.config, ExperimentConfig)]


def runs_folders(runs: str) -> tuple[Path, ...]:
    """The folder of runs of a notebook, and the one where runs are trained again."""
    return tuple(dict.fromkeys((below_root(runs), below_root(NEW_RUNS))))
