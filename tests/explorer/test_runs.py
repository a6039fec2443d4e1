"""The order of the runs: which one is looked into where none is named."""

from typing import Any

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.models.build import build_model
from poseur_study.experiments import tables
from poseur_study.experiments.profiles import profile
from poseur_study.explorer.runs import find_runs
from poseur_study.runs.plan import row_run
from poseur_study.runs.record import BoxMetrics, write_record
from poseur_study.runs.store import RunStore
from tests.study.fakes import FINGERPRINT, make_record
from tests.training.tiny import tiny_config

SILENT = {"model.head.self_attention": False}
HEATMAP = {"model.head": {"kind": "heatmap"}}


def add_run(store: RunStore, seed: int, ap: float, changes: dict[str, Any], weights: bool) -> str:
    """A run with a record that says this AP; its name."""
    config = tiny_config(seed=seed, **changes)
    record = make_record(config)
    others = dict.fromkeys(set(BoxMetrics.model_fields) - {"boxes", "n_people", "AP"})
    metrics = BoxMetrics(boxes=BoxSource.DETECTOR, n_people=1, AP=ap, **others)
    write_record(store.path(record.run_id), record.model_copy(update={"metrics": (metrics,)}), {})
    if weights:
        save_weights(store.path(record.run_id) / "model.pt", build_model(config), config)
    return record.run_id


def test_a_run_with_self_attention_comes_before_a_better_one_without(tmp_path):
    """First what is usable, then what could be, then the rest; of each the best, but where every view has something."""
    expected = [
        (2.0, {}, True), (1.0, {}, True), (9.0, SILENT, True),
        (3.0, {}, False), (8.0, SILENT, False), (9.5, HEATMAP, True),
    ]  # fmt: skip
    order = (5, 2, 4, 1, 3, 0)
    names = {place: add_run(RunStore(tmp_path / "smoke"), place, *expected[place]) for place in order}
    assert [run.run_id for run in find_runs([tmp_path])] == [names[place] for place in range(len(expected))]


def test_a_run_of_a_table_is_called_by_its_first_row(tmp_path):
    """The default model is a row of many tables; what no table asks for is called by its id."""
    (table,) = tables(["1b"])
    planned = row_run(profile("smoke"), table, table.row("with"), 0, FINGERPRINT, {})
    record = make_record(planned.config)
    store = RunStore(tmp_path / "smoke")
    write_record(store.path(record.run_id), record, {})
    other = add_run(store, 0, 1.0, {}, weights=False)
    named = {planned.run_id: "Table 1b, with noise, seed 0", other: other}
    for run in find_runs([tmp_path]):
        assert run.name == named[run.run_id] and run.label.startswith(f"{run.name} · smoke · ")
