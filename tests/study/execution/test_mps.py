"""Runs that share a GPU get an MPS: started once, ended however the batch ends, and another's is left alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from poseur_study.execution import mps
from poseur_study.execution.cluster import open_engine
from poseur_study.execution.mps import LOGS, PIPES, shared_gpus
from poseur_study.execution.run_job import RunOptions
from tests.study.execution.fake_mps import put_in, told
from tests.study.projects import REPOSITORY, mind_ctrl_c, wait_until


@pytest.fixture
def fake(tmp_path, monkeypatch) -> Path:
    put_in(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_MPS", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    monkeypatch.delenv(PIPES, raising=False)
    monkeypatch.setattr(mps, "CLIENT", "")
    return tmp_path


@pytest.fixture
def said() -> list[str]:
    return []


def seen() -> tuple[str, str]:
    return os.environ["CUDA_VISIBLE_DEVICES"], os.environ.get(PIPES, "none")


def test_it_is_started_once_and_ends_with_the_batch(fake, said):
    with shared_gpus("2", said.append) as added:
        folder = Path(added[PIPES])
        assert added == {PIPES: str(folder), LOGS: str(folder)} and told(fake) == ["start"]
    assert told(fake) == ["start", "quit"] and not folder.exists()
    assert said == ["runs share GPUs by MPS, started for this batch"]
    assert "sees all" in (fake / "told").read_text()  # GPUs have the same numbers to it and to the runs


def test_its_socket_has_a_short_path_and_outlives_the_temporary_folder_of_a_batch(fake, tmp_path, monkeypatch):
    """A section of the GPU's benchmark has its own, which goes as soon as the section is stopped."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with shared_gpus("2") as added:
        assert Path(added[PIPES]).parent == Path("/tmp")


def test_it_ends_after_an_exception(fake):
    with pytest.raises(KeyError), shared_gpus("2"):
        raise KeyError("disk")
    assert told(fake) == ["start", "quit"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_a_batch_that_is_killed(fake, number):
    command = [sys.executable, "-m", "tests.study.execution.fake_mps", "wait"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, start_new_session=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, preexec_fn=mind_ctrl_c,
    ) as batch:  # fmt: skip
        assert batch.stdout.readline() == "runs share GPUs by MPS, started for this batch\n"
        folder = Path(batch.stdout.readline().split()[0])
        os.killpg(batch.pid, number)
        batch.wait()
    wait_until(lambda: not folder.exists(), "the daemon's folder goes")
    assert told(fake) == ["start", "quit"]


def test_one_that_was_running_is_used_and_left_running(fake, said, monkeypatch):
    (fake / "default" / "alive").touch()
    with shared_gpus("2", said.append) as added:
        assert added == {}
    (fake / "chosen").mkdir()
    monkeypatch.setenv(PIPES, str(fake / "chosen"))
    with shared_gpus("2", said.append) as added:
        assert added == {}
    (fake / "chosen" / "alive").touch()
    with shared_gpus("2", said.append) as added:
        assert added == {}
    assert told(fake) == []
    assert said == [
        "runs share GPUs by the MPS that was running; it is left running",
        f"runs share GPUs without MPS: none answers at {fake / 'chosen'}, as {PIPES} says",
        f"runs share GPUs by the MPS that was running at {fake / 'chosen'}, as {PIPES} says; it is left running",
    ]


def test_without_one_the_reason_is_said(fake, said, monkeypatch):
    monkeypatch.setenv("FAKE_REFUSAL", "not allowed here")
    with shared_gpus("2", said.append) as added:
        assert added == {}
    monkeypatch.delenv("FAKE_REFUSAL")
    monkeypatch.setattr(mps, "CLIENT", "raise SystemExit('CUDA error 805')")
    with shared_gpus("2", said.append) as added:
        assert added == {} and told(fake) == ["start", "quit"]
    monkeypatch.setenv("PATH", "/nowhere")
    with shared_gpus("2", said.append) as added:
        assert added == {}
    assert said == [
        "runs share GPUs without MPS: not allowed here",
        "runs share GPUs without MPS: CUDA error 805",
        "runs share GPUs without MPS: there is no nvidia-cuda-mps-control here",
    ]


def test_workers_that_share_a_gpu_are_clients_and_others_are_not(fake, capsys):
    with open_engine(RunOptions("smoke", workers=3, device="cuda", runs_per_gpu=2)) as engine:
        slots = sorted(engine.client.run(seen).values())
        (folder,) = {pipes for _, pipes in slots}
        assert [gpu for gpu, _ in slots] == ["2", "2", "5"] and Path(folder, "alive").exists()
    assert told(fake) == ["start", "quit"]
    with open_engine(RunOptions("smoke", workers=2, device="cuda", runs_per_gpu=2)) as engine:
        assert sorted(engine.client.run(seen).values()) == [("2", "none"), ("5", "none")]
    assert told(fake) == ["start", "quit"]
    assert capsys.readouterr().out == "runs share GPUs by MPS, started for this batch\n"
