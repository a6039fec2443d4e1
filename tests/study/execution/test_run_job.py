"""Runs that succeed, fail, die and are killed; each is a real child process with a real kernel."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from poseur_study.execution.papermill_job import RETRIES
from poseur_study.execution.run_job import RunOptions, run_parameters
from poseur_study.execution.scheduler import Schedule
from poseur_study.experiments.profiles import profile
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.record import PARTIAL_FOLDER, write_record
from poseur_study.runs.store import ERROR_FILE, FAILED_NOTEBOOK_FILE, NOTEBOOK_FILE, RunState, RunStore, note_failure
from tests.study.execution.fake_notebook import planned, planned_pretraining
from tests.study.fakes import make_record
from tests.study.projects import content, execute, fake_store

GOOD, ERROR = planned(0), planned(1, error="the loss is nan at step 7")
DEAD_KERNEL, NO_RECORD = planned(2, kill_kernel_times=99), planned(3, no_record=True)
CUT_OFF, ANOTHERS = planned(4, cut_off=True), planned(5, other_seed=9)
CHILD = replace(planned(6), parents=(ERROR.run_id,))
FAILING = (ERROR, DEAD_KERNEL, NO_RECORD, CUT_OFF, ANOTHERS, CHILD)


@pytest.fixture(scope="module")
def batch(engine, tmp_path_factory) -> tuple[RunStore, Schedule]:
    """A batch in which all but one run fail, each in its own way."""
    store = fake_store(tmp_path_factory.mktemp("batch"))
    return store, execute(engine, store, *FAILING[:-1], GOOD, FAILING[-1])


@pytest.fixture
def store(tmp_path) -> RunStore:
    return fake_store(tmp_path)


def finished(store: RunStore, run: PlannedRun) -> Path:
    """Make a run finished as if it had been executed; its weights."""
    write_record(store.path(run.run_id), make_record(run.config), {})
    weights = store.path(run.run_id) / ("model.pt" if run.config.kind == "experiment" else "backbone.pt")
    weights.touch()
    return weights


def test_failures_do_not_stop_the_others(batch):
    store, states = batch[0], batch[1].states
    assert states == {GOOD.run_id: RunState.FINISHED} | {run.run_id: RunState.FAILED for run in FAILING}
    assert states == {run_id: store.state(run_id) for run_id in states}
    executed = json.loads((store.path(GOOD.run_id) / NOTEBOOK_FILE).read_text())
    assert any(GOOD.run_id in "".join(cell["source"]) for cell in executed["cells"])
    assert not (store.path(GOOD.run_id) / "attempts").exists()


def test_a_failure_is_found_where_one_looks(batch):
    store, _ = batch
    folder = store.path(ERROR.run_id)
    assert (folder / ERROR_FILE).read_text().rstrip().endswith("RuntimeError: the loss is nan at step 7")
    assert store.error(ERROR.run_id) == "RuntimeError: the loss is nan at step 7"
    assert "the loss is nan" in (folder / FAILED_NOTEBOOK_FILE).read_text()
    assert store.error(CHILD.run_id) == f"not run: its parent {ERROR.run_id} failed"


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (DEAD_KERNEL, "a process was killed, as the system does where memory runs out"),
        (NO_RECORD, "no valid record"),
        (CUT_OFF, "cut off"),
        (ANOTHERS, "no valid record"),
    ],
    ids=["a kernel that dies", "no record", "a record cut off", "another run's record"],
)
def test_every_cell_may_have_run_and_yet_it_is_no_success(batch, run, reason):
    store, states = batch[0], batch[1].states
    assert states[run.run_id] == RunState.FAILED
    assert reason in store.error(run.run_id)


def test_a_killed_kernel_is_started_again_and_not_for_ever(engine, store, batch):
    run = planned(0, kill_kernel_times=RETRIES)
    assert execute(engine, store, run).states == {run.run_id: RunState.FINISHED}
    assert (store.path(run.run_id) / "starts.txt").read_text().split() == ["fresh"] + ["resumed"] * RETRIES
    starts = (batch[0].path(DEAD_KERNEL.run_id) / "starts.txt").read_text().split()
    assert starts == ["fresh"] + ["resumed"] * RETRIES
    assert len((batch[0].path(DEAD_KERNEL.run_id) / ERROR_FILE).read_text().splitlines()[-1]) < 400


def test_a_limited_run_is_partial_goes_on_later_and_once_finished_is_not_touched(engine, store):
    assert execute(engine, store, GOOD, limit_epochs=1).states == {GOOD.run_id: RunState.PARTIAL}
    assert store.state(GOOD.run_id) == RunState.PARTIAL
    assert execute(engine, store, GOOD).states == {GOOD.run_id: RunState.FINISHED}
    assert (store.path(GOOD.run_id) / "starts.txt").read_text().split() == ["fresh", "resumed"]
    before = content(store.folder)
    assert execute(engine, store, GOOD).states == {GOOD.run_id: RunState.FINISHED}
    assert content(store.folder) == before
    (store.path(GOOD.run_id) / "model.pt").unlink()
    assert execute(engine, store, GOOD).states == {GOOD.run_id: RunState.RECORD_ONLY}


def test_a_run_whose_parent_will_never_be_there_is_given_up(engine, store):
    partial, absent = replace(planned(7), parents=(GOOD.run_id,)), replace(planned(8), parents=("elsewhere",))
    record = make_record(GOOD.config, epochs=1)
    write_record(store.path(GOOD.run_id) / PARTIAL_FOLDER, record, {})
    states = execute(engine, store, GOOD, partial, absent, limit_epochs=1).states
    assert states[partial.run_id] == states[absent.run_id] == RunState.FAILED
    assert store.error(partial.run_id) == f"not run: its parent {GOOD.run_id} is partial"
    assert store.error(absent.run_id) == "not run: its parent elsewhere is absent"


def test_a_limit_on_epochs_leaves_the_pretraining_whole():
    experiment = profile("smoke").experiment(0)
    pretraining = replace(GOOD, config=experiment.pretext_run)
    options = RunOptions("smoke", limit_epochs=1)
    assert run_parameters(pretraining, options)["limit_epochs"] == 0
    assert run_parameters(GOOD, options)["limit_epochs"] == 1


def test_a_failed_run_is_tried_again_only_when_asked(engine, store):
    run = planned(0, error_when_fresh="no memory left")
    assert execute(engine, store, run).states == {run.run_id: RunState.FAILED}
    again = execute(engine, store, run)
    assert again.states == {run.run_id: RunState.FAILED}
    assert again.problems[run.run_id].startswith("RuntimeError: no memory left (failed before; --retry-failed")
    assert (store.path(run.run_id) / "starts.txt").read_text().split() == ["fresh"]
    assert execute(engine, store, run, retry_failed=True).states == {run.run_id: RunState.FINISHED}
    assert not (store.path(run.run_id) / ERROR_FILE).exists()


def test_a_child_given_up_for_its_parent_runs_by_itself_once_that_is_there(engine, store):
    parent = planned(0)
    child = replace(planned(1), parents=(parent.run_id,))
    note_failure(store.path(parent.run_id), "no memory left", None)
    assert set(execute(engine, store, parent, child).states.values()) == {RunState.FAILED}
    assert set(execute(engine, store, parent, child, retry_failed=True).states.values()) == {RunState.FINISHED}


def test_pretraining_whose_weights_are_gone_is_made_again_for_whom_it_is_needed_only(engine, store):
    pretraining = planned_pretraining()
    first, second = (replace(planned(seed), parents=(pretraining.run_id,)) for seed in (0, 1))
    finished(store, pretraining).unlink()
    curve = store.path(pretraining.run_id) / "curve.json"
    curve.write_text("[]")
    finished(store, first)
    before = content(store.folder)
    assert execute(engine, store, pretraining, first).states[pretraining.run_id] == RunState.RECORD_ONLY
    assert content(store.folder) == before
    done = execute(engine, store, pretraining, first, second).states
    assert set(done.values()) == {RunState.FINISHED}
    assert not curve.exists(), "the first training's would count as progress of the second"
    executed = {path.parent.name for path in store.folder.glob("*/starts.txt")}
    assert executed == {pretraining.run_id, second.run_id}


def test_pretraining_that_fails_while_it_is_made_again_keeps_its_record(engine, store):
    pretraining = planned_pretraining()
    write_record(store.path(pretraining.run_id), make_record(pretraining.config), {})
    child = replace(planned(0), parents=(pretraining.run_id,))
    failing = replace(pretraining, changes={"pretext": True, "error_when_fresh": "no memory left"})
    assert set(execute(engine, store, failing, child).states.values()) == {RunState.FAILED}
    assert store.recorded_state(pretraining.run_id) == RunState.RECORD_ONLY
    assert "failed before" in execute(engine, store, failing, child).problems[pretraining.run_id]
    assert set(execute(engine, store, failing, child, retry_failed=True).states.values()) == {RunState.FINISHED}


@pytest.mark.parametrize(
    "damage", [lambda text: text[: len(text) // 2], lambda text: text.replace('"epochs": 6', '"epochs": 7')]
)
def test_a_damaged_record_is_shown_made_again_and_kept(engine, store, damage):
    finished(store, GOOD)
    record = store.path(GOOD.run_id) / "record.json"
    damaged = damage(record.read_text())
    record.write_text(damaged)
    assert store.state(GOOD.run_id) == RunState.CORRUPT
    assert "record.json" in store.error(GOOD.run_id)
    assert execute(engine, store, GOOD).states == {GOOD.run_id: RunState.FINISHED}
    assert (store.path(GOOD.run_id) / "record.damaged.json").read_text() == damaged
