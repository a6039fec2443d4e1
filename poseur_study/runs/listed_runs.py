"""The runs of folders, of every profile: what was trained, how good it is, and whether its weights are there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_study.experiments.profiles import PROFILES
from poseur_study.runs.predictions import BoxSource
from poseur_study.runs.record import Record
from poseur_study.runs.store import RunState, RunStore


@dataclass(frozen=True, eq=False)
class ListedRun:
    """A run of a pose model with a record.

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
    def ap(self) -> float | None:
        """AP with the detector's boxes, else with ground-truth boxes."""
        metrics = self.record.of(BoxSource.DETECTOR) or self.record.of(BoxSource.GROUND_TRUTH)
        return None if metrics is None else metrics.AP


def list_runs(folders: Sequence[Path]) -> list[ListedRun]:
    """The runs with a record below folders of runs, by profile and name."""
    return [run for folder in folders for size in PROFILES for run in _runs_of(RunStore(folder / size.name))]


def _runs_of(store: RunStore) -> list[ListedRun]:
    folders = sorted(store.folder.iterdir()) if store.folder.is_dir() else []
    states = {path.name: store.recorded_state(path.name) for path in folders if path.is_dir()}
    runs = [ListedRun(store, store.record(name), state) for name, state in states.items() if state.done]
    store.remember()
    return [run for run in runs if isinstance(run.record.config, ExperimentConfig)]
