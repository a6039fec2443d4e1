"""SIGTERM and SIGHUP, sent to real processes: they end as by Ctrl-C, and nothing stays behind."""

import json
import signal
import subprocess
import sys

import pytest

from poseur_study.runs.store import RunState
from tests.study.execution.fake_notebook import planned
from tests.study.projects import (
    REPOSITORY,
    fake_store,
    kill_group,
    start_batch,
    wait_for_death,
    wait_for_pid,
    wait_until,
)


@pytest.fixture(autouse=True)
def heard():
    """Tests that were started by nohup ignore SIGHUP, and so would every process that they start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("to_all", [False, True], ids=["the batch alone", "all its processes"])
def test_a_batch_ends_in_order(tmp_path, monkeypatch, number, to_all):
    store, temporary = fake_store(tmp_path), tmp_path / "temporary files"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(temporary))
    batch = start_batch(store, json.dumps([{"sleep_when_fresh": 300}]), "1")
    folder = store.path(planned(0).run_id)
    kernel = wait_for_pid(folder / "kernel.pid")
    wait_until((folder / "starts.txt").exists, "the run starts")
    assert list(temporary.rglob("kernel*.json"))
    (kill_group if to_all else subprocess.Popen.send_signal)(batch, number)
    _, error = batch.communicate(timeout=120)
    said = f"poseur: ended by {number.name}: what was running is stopped, the same command resumes it"
    assert (batch.returncode, error.splitlines()) == (128 + number, [said])
    wait_for_death(kernel)
    assert store.state(planned(0).run_id) == RunState.WAITING
    assert not list(store.folder.rglob("lease.*"))
    assert [path for path in temporary.rglob("*") if path.suffix == ".json" or "poseur" in path.name] == []


def test_a_signal_that_is_ignored_stays_ignored_and_a_second_changes_nothing(tmp_path):
    source = """
import signal, sys, time
from poseur_study.runs.signals import ends_in_order, received
signal.signal(signal.SIGHUP, signal.SIG_IGN)
try:
    with ends_in_order():
        signal.raise_signal(signal.SIGHUP)
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            print("in order", flush=True)
except KeyboardInterrupt:
    print("lives on")
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert (done.stdout, done.returncode) == ("in order\n", -signal.SIGTERM), done.stderr
