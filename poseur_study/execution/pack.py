"""What results are computed from, for runs that were recorded before it was kept."""

from collections.abc import Iterator
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_study.execution.archive import Carried, recorded
from poseur_study.execution.recompute import measured_again
from poseur_study.runs.datasets import DataSet
from poseur_study.runs.record import write_evaluation
from poseur_study.runs.store import RunStore


def pack_runs(runs: Path, profile: str, data: DataSet) -> Iterator[Carried]:
    """Write the evaluation of each finished run of a profile that has none; it must give the record's own numbers.

    Args:
        data: that the runs were made on; others are left out and reported.
    """
    for store, run_id in recorded(runs, [profile]):
        name = f"{profile}/{run_id}"
        if not store.recorded_state(run_id).done:
            yield Carried(name, f"left out: {store.error(run_id)}", wrong=True)
        elif not isinstance(store.record(run_id).config, ExperimentConfig) or store.evaluation(run_id) is not None:
            yield Carried(name, "nothing to do")
        else:
            yield _pack(store, run_id, data)


def _pack(store: RunStore, run_id: str, data: DataSet) -> Carried:
    name, record = f"{store.folder.name}/{run_id}", store.record(run_id)
    try:
        evaluation = measured_again(store.path(run_id), record, data).evaluation
    except UserError as error:
        return Carried(name, f"left out: {error}", wrong=True)
    write_evaluation(store.path(run_id), record, evaluation)
    return Carried(name, "packed")
