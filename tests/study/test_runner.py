"""Runs that succeed, fail, die and are killed; each is a real child process with a real kernel."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from poseur_lib.study.plan import PlannedRun
from poseur_lib.study.profiles import profile
from poseur_lib.study.record import PARTIAL_FOLDER, write_record
from poseur_lib.study.runner import RunOptions, execute_plan, run_parameters
from poseur_lib.study.store import ERROR_FILE, FAILED_NOTEBOOK_FILE, NOTEBOOK_FILE, RunState, RunStore, claim, release
from tests.study.fake_notebook import make_project, planned
from tests.study.fakes import make_record

REPOSITORY = Path(__file__).resolve().parents[2]
BATCH = """
import sys
from poseur_lib.study.plan import PlannedRun
from poseur_lib.study.runner import RunOptions, execute_plan
from poseur_lib.study.store import RunStore
from pathlib import Path
from tests.study.fake_notebook import planned
runs = sys.argv[1]
run = planned(0, sleep_when_fresh=120, die_with_parent=True)
execute_plan([run], RunStore(Path(runs) / "smoke"), RunOptions("smoke", runs=runs), lambda states: None)
"""


GOOD, ERROR = planned(0), planned(1, error="the loss is nan at step 7")
DEAD_KERNEL, NO_RECORD = planned(2, kill_kernel=True), planned(3, no_record=True)
CUT_OFF, ANOTHERS = planned(4, cut_off=True), planned(5, other_seed=9)
CHILD = replace(planned(6), parents=(ERROR.run_id,))
FAILING = (ERROR, DEAD_KERNEL, NO_RECORD, CUT_OFF, ANOTHERS, CHILD)


def open_store(project: Path, patch: pytest.MonkeyPatch) -> RunStore:
    """A store in a project of its own, in a path with a space."""
    patch.setenv("POSEUR_ROOT", str(make_project(project / "a project")))
    patch.setenv("PYTHONPATH", str(REPOSITORY))
    return RunStore(project / "a project" / "runs" / "smoke")


@pytest.fixture
def store(tmp_path, monkeypatch) -> RunStore:
    return open_store(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def batch(tmp_path_factory) -> Iterator[tuple[RunStore, dict[str, RunState]]]:
    """A batch in which all but one run fail, each in its own way."""
    with pytest.MonkeyPatch.context() as patch:
        store = open_store(tmp_path_factory.mktemp("batch"), patch)
        yield store, execute(store, *FAILING[:-1], GOOD, FAILING[-1])


def execute(store: RunStore, *runs: PlannedRun, limit_epochs: int = 0) -> dict[str, RunState]:
    options = RunOptions("smoke", runs=str(store.folder.parent), workers=2, limit_epochs=limit_epochs)
    return execute_plan(runs, store, options, lambda states: None)


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_failures_do_not_stop_the_others(batch):
    store, states = batch
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
    [(DEAD_KERNEL, ""), (NO_RECORD, "no valid record"), (CUT_OFF, "cut off"), (ANOTHERS, "no valid record")],
    ids=["a kernel that dies", "no record", "a record cut off", "another run's record"],
)
def test_every_cell_may_have_run_and_yet_it_is_no_success(batch, run, reason):
    store, states = batch
    assert states[run.run_id] == RunState.FAILED
    assert reason in store.error(run.run_id)


def test_a_limited_run_is_partial_goes_on_later_and_once_finished_is_not_touched(store):
    assert execute(store, GOOD, limit_epochs=1) == {GOOD.run_id: RunState.PARTIAL}
    assert store.state(GOOD.run_id) == RunState.PARTIAL
    assert execute(store, GOOD) == {GOOD.run_id: RunState.FINISHED}
    assert (store.path(GOOD.run_id) / "starts.txt").read_text().split() == ["fresh", "resumed"]
    before = content(store.folder)
    assert execute(store, GOOD) == {GOOD.run_id: RunState.FINISHED}
    assert content(store.folder) == before
    (store.path(GOOD.run_id) / "model.pt").unlink()
    assert execute(store, GOOD) == {GOOD.run_id: RunState.RECORD_ONLY}


def test_a_run_whose_parent_will_never_be_there_is_given_up(store):
    partial, absent = replace(planned(7), parents=(GOOD.run_id,)), replace(planned(8), parents=("elsewhere",))
    record = make_record(GOOD.config, epochs=1)
    write_record(store.path(GOOD.run_id) / PARTIAL_FOLDER, record, {})
    states = execute(store, GOOD, partial, absent, limit_epochs=1)
    assert states[partial.run_id] == states[absent.run_id] == RunState.FAILED
    assert store.error(partial.run_id) == f"not run: its parent {GOOD.run_id} is partial"
    assert store.error(absent.run_id) == "not run: its parent elsewhere is absent"


def test_a_limit_on_epochs_leaves_the_pretraining_whole():
    experiment = profile("smoke").experiment(0)
    pretraining = replace(GOOD, config=experiment.pretext_run)
    options = RunOptions("smoke", limit_epochs=1)
    assert run_parameters(pretraining, options)["limit_epochs"] == 0
    assert run_parameters(GOOD, options)["limit_epochs"] == 1


def test_a_killed_batch_leaves_no_process_and_its_run_resumes(store):
    runs = str(store.folder.parent)
    batch = subprocess.Popen([sys.executable, "-c", BATCH, runs], cwd=REPOSITORY, env=os.environ.copy())
    folder = store.path(GOOD.run_id)
    pid = int(_await(folder / "kernel.pid", folder / "starts.txt"))
    assert store.state(GOOD.run_id) == RunState.RUNNING
    batch.send_signal(signal.SIGKILL)
    batch.wait()
    _await_death(pid)
    assert store.state(GOOD.run_id) == RunState.WAITING
    assert execute(store, GOOD) == {GOOD.run_id: RunState.FINISHED}
    assert (folder / "starts.txt").read_text().split() == ["fresh", "resumed"]


def test_a_run_is_claimed_once(run_folder):
    run = run_folder / "run"
    assert claim(run)
    assert not claim(run)
    release(run)
    (run / "running.json").write_text(json.dumps({"pid": 2**22 + 1, "started": "1", "host": os.uname().nodename}))
    assert claim(run)


def _await(path: Path, then: Path) -> str:
    for _ in range(2400):
        if path.exists() and then.exists():
            return path.read_text()
        time.sleep(0.1)
    raise AssertionError(f"{path} did not appear")


def _await_death(pid: int) -> None:
    for _ in range(1200):
        status = Path(f"/proc/{pid}/status")
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"process {pid} lives on")
