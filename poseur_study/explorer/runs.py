"""The runs that a person can look into."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from poseur_lib.checkpoints.checkpoint import trained_model
from poseur_lib.config.heads import PoseurConfig
from poseur_lib.errors import UserError
from poseur_study.execution.retrain import NEW_RUNS
from poseur_study.experiments import tables
from poseur_study.experiments.profiles import profile
from poseur_study.explorer.attention.open_model import OpenModel, has_queries
from poseur_study.runs.plan import plan
from poseur_study.runs.project import below_root
from poseur_study.runs.store import ListedRun, RunState, list_runs


class ExplorableRun(ListedRun):
    """A run with a record, and what can be done with it."""

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
    def name(self) -> str:
        """The first row of the tables that it is of, such as "Table 1b, with noise, seed 0"; of others the run's id."""
        provenance = self.record.provenance
        rows = planned_rows(self.profile, self.record.config.seed, provenance.data_fingerprint)
        return rows.get(self.run_id, self.run_id)

    @property
    def label(self) -> str:
        """One line to choose it by."""
        ap = "no AP" if self.ap is None else f"AP {self.ap:.1f}"
        again = " (trained again)" if self.store.folder.parent.name == NEW_RUNS else ""
        return f"{self.name} · {self.profile} · {ap}{again} · {self.status}"

    def open(self) -> OpenModel:
        """Its model, if it is usable. Raises UserError where the weights are cut off."""
        model = trained_model(self.store.path(self.run_id), self.record.config)
        return OpenModel(f"run {self.run_id}", model, self.record.config, self.run_id, self.profile)


@cache
def planned_rows(profile_name: str, seed: int, fingerprint: str) -> dict[str, str]:
    """What the tables call their runs of a seed on a data set, by run id: of several rows, the first."""
    return {run.run_id: run.name for run in plan(profile(profile_name), tables(), [seed], fingerprint, {})}


def find_runs(folders: Sequence[Path]) -> tuple[ExplorableRun, ...]:
    """The runs with a record below folders of runs, in the order in which one would look into them.

    Those that can be looked into come first, then those that could be trained again; of each, those with self-attention
    first, and of these the best AP.
    """

    def order(run: ExplorableRun) -> tuple[bool, bool, bool, float]:
        head = run.record.config.model.head
        attends = isinstance(head, PoseurConfig) and head.self_attention
        return not run.usable, not run.trainable, not attends, -(run.ap or 0)

    return tuple(sorted((ExplorableRun(run.store, run.record, run.state) for run in list_runs(folders)), key=order))


def run_named(runs: Sequence[ExplorableRun], run_id: str) -> ExplorableRun:
    """The run of that name, one with weights where it is there twice.

    Raises:
        UserError: there is none.
    """
    for run in runs:
        if run.run_id == run_id:
            return run
    raise UserError(f"run {run_id!r} is not there; there are: {', '.join(run.run_id for run in runs) or 'none'}")


def runs_to_explore(runs: str) -> tuple[ExplorableRun, ...]:
    """The runs in a notebook's folder of runs, and in the one where runs are trained again, as `find_runs` has them."""
    return find_runs(tuple(dict.fromkeys((below_root(runs), below_root(NEW_RUNS)))))
