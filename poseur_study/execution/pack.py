"""What results are computed from, for runs that were recorded before it was kept."""

from collections.abc import Iterator
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.execution.archive import Carried, recorded
from poseur_study.runs.datasets import DataSet
from poseur_study.runs.evaluate import run_evaluation
from poseur_study.runs.record import write_evaluation
from poseur_study.runs.run_steps import metrics_of
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
    name, loaded = f"{store.folder.name}/{run_id}", store.load(run_id)
    record, config = loaded.record, loaded.record.config
    if record.provenance.data_fingerprint != data.fingerprint:
        where = f"made on data set {record.provenance.data_fingerprint}, the one here is {data.fingerprint}"
        return Carried(name, f"left out: {where}", wrong=True)
    split = config.evaluation.split
    people = data.val if split == "val" else CocoPeople(data.root, split, data.val.keypoints)
    evaluation = run_evaluation(people, loaded.predictions, config)
    at_truth = record.of(BoxSource.GROUND_TRUTH)
    found = metrics_of(evaluation, at_truth and at_truth.mean_oks)
    if (found.metrics, found.strata) != (record.metrics, record.strata):
        return Carried(name, "left out: its predictions do not give the record's numbers on this data set", wrong=True)
    write_evaluation(store.path(run_id), record, evaluation)
    return Carried(name, "packed")
