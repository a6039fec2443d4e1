"""Killed workers, killed batches, two batches, a full disk, Ctrl-C, a folder that cannot be written: each one real."""

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from poseur_study.runs import lease
from poseur_study.runs.store import RunState, RunStore
from tests.study.execution.fake_notebook import planned
from tests.study.execution.intruder import files_for
from tests.study.projects import (
    content,
    execute,
    fake_store,
    kill_group,
    lives,
    start_batch,
    wait_for_death,
    wait_for_pid,
    wait_until,
)


@pytest.fixture
def store(tmp_path) -> RunStore:
    return fake_store(tmp_path)


def starts(store: RunStore, seed: int) -> list[str]:
    return (store.path(planned(seed).run_id) / "starts.txt").read_text().split()


def states(store: RunStore, runs: int) -> list[RunState]:
    return [store.state(planned(seed).run_id) for seed in range(runs)]


def worker_of(folder: Path) -> int:
    (path,) = folder.glob("lease.*")
    return json.loads(path.read_text())["pid"]


def test_a_killed_worker_s_run_is_executed_again_from_its_checkpoint(engine, store):
    run = planned(0, sleep_when_fresh=300, die_with_parent=True)
    folder, pids = store.path(run.run_id), []

    def kill() -> None:
        pids.append(wait_for_pid(folder / "kernel.pid"))
        wait_until((folder / "starts.txt").exists, "the run starts")
        os.kill(worker_of(folder), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    assert execute(engine, store, run).states == {run.run_id: RunState.FINISHED}
    killer.join()
    assert starts(store, 0) == ["fresh", "resumed"]
    assert not lives(pids[0])
    assert lease.holder(folder) is None


def test_a_write_that_the_disk_refuses_is_a_clear_error_and_leaves_no_record(engine, store):
    run = planned(0, largest_file=4096)
    outcome = execute(engine, store, run)
    assert outcome.states == {run.run_id: RunState.FAILED}
    assert re.match("the disk is full.*File too large", outcome.problems[run.run_id])
    left = [path.name for path in store.path(run.run_id).iterdir()]
    assert "record.json" not in left and not [name for name in left if name.startswith(".")]


def test_a_full_disk(engine, store):
    store.folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(store.folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a small disk")
    try:
        run = planned(0)
        ballast = store.folder / "ballast"
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while True:
                file.write(bytes(4096))
        os.truncate(ballast, ballast.stat().st_size - 3 * 4096)
        outcome = execute(engine, store, run)
        assert outcome.states == {run.run_id: RunState.FAILED}
        problem = outcome.problems[run.run_id]
        assert problem.startswith("the disk is full, or over its quota: free some of it") and len(problem) < 400
        assert "No space left on device" in problem
        assert store.recorded_state(run.run_id) == RunState.ABSENT
        ballast.unlink()
        assert execute(engine, store, run).states == {run.run_id: RunState.FINISHED}
    finally:
        subprocess.run(["umount", "-l", str(store.folder)], check=True)


@pytest.mark.slow
def test_a_killed_batch_leaves_no_process_and_finished_runs_are_not_touched(store):
    behaviours = json.dumps([{}, {"sleep_when_fresh": 300, "die_with_parent": True}])
    batch = start_batch(store, behaviours)
    wait_until(lambda: states(store, 2) == [RunState.FINISHED, RunState.RUNNING], "one is done, one is running")
    pid = wait_for_pid(store.path(planned(1).run_id) / "kernel.pid")
    wait_until((store.path(planned(1).run_id) / "starts.txt").exists, "the second starts")
    worker = worker_of(store.path(planned(1).run_id))
    batch.send_signal(signal.SIGKILL)
    batch.wait()
    for process in (pid, worker):
        wait_for_death(process)
    assert states(store, 2) == [RunState.FINISHED, RunState.WAITING]
    finished = content(store.path(planned(0).run_id))
    again = start_batch(store, behaviours)
    assert again.wait(240) == 0, again.stderr.read()
    assert content(store.path(planned(0).run_id)) == finished
    assert starts(store, 1) == ["fresh", "resumed"] and states(store, 2) == [RunState.FINISHED] * 2


@pytest.mark.slow
def test_two_batches_on_one_folder_execute_every_run_once(store):
    behaviours = json.dumps([{"sleep": 2}] * 5)
    batches = [start_batch(store, behaviours, "2") for _ in range(2)]
    for batch in batches:
        assert batch.wait(400) == 0, batch.stderr.read()
    assert states(store, 5) == [RunState.FINISHED] * 5
    assert [starts(store, seed) for seed in range(5)] == [["fresh"]] * 5
    assert not list(store.folder.rglob("lease.*"))


@pytest.mark.slow
def test_ctrl_c_ends_the_children_and_says_so_in_one_line(store):
    behaviours = json.dumps([{"sleep_when_fresh": 300}] * 2)
    batch = start_batch(store, behaviours)
    pids = [wait_for_pid(store.path(planned(seed).run_id) / "kernel.pid") for seed in range(2)]
    wait_until(lambda: all((store.path(planned(s).run_id) / "starts.txt").exists() for s in range(2)), "both start")
    kill_group(batch, signal.SIGINT)
    _, error = batch.communicate(timeout=120)
    assert (batch.returncode, error.splitlines()) == (
        130,
        ["poseur: interrupted: what was running is stopped, the same command resumes it"],
    )
    for pid in pids:
        wait_for_death(pid)
    assert states(store, 2) == [RunState.WAITING] * 2
    again = start_batch(store, behaviours)
    assert again.wait(240) == 0, again.stderr.read()
    assert [starts(store, seed) for seed in range(2)] == [["fresh", "resumed"]] * 2


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder that refuses writing: by its mode, and to root, whom no mode stops, by its mount."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("needs to mount a disk that cannot be written to")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_folder_that_cannot_be_written_to_is_one_line(store):
    store.folder.parent.mkdir()
    with read_only(store.folder.parent):
        batch = start_batch(store, "[{}]")
        output, error = batch.communicate(timeout=120)
        assert states(store, 1) == [RunState.ABSENT]
    assert (batch.returncode, output, len(error.splitlines())) == (1, "", 1)
    assert re.match(f"poseur: runs cannot be stored in {re.escape(str(store.folder))}: (Permission|Read-only)", error)


def test_a_running_scheduler_s_workers_do_it(engine, store, tmp_path):
    security = files_for(engine.client.security, tmp_path)
    batch = start_batch(store, "[{}]", "2", engine.client.scheduler.address, str(security))
    _, error = batch.communicate(timeout=240)
    assert batch.returncode == 0, error
    assert states(store, 1) == [RunState.FINISHED]
    assert engine.slots() == 2  # the cluster lives on
