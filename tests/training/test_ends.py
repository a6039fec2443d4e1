"""A training that is ended by a signal, started twice, or refused by the disk: real processes, and a real refusal."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading

import pytest

from poseur_lib.faults import advised, fault_in
from poseur_lib.files import LAST_CHECKPOINT
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import train
from poseur_study.cli.main import explain, main
from poseur_study.runs import lease
from tests.study.projects import REPOSITORY, wait_until
from tests.training.tiny import TINY, tiny_config, write_people


def test_a_training_has_its_folder_alone_and_ends_in_order(tmp_path, capsys):
    data, folder, temporary = write_people(tmp_path / "data", 16, 2), tmp_path / "run", tmp_path / "temporary"
    temporary.mkdir()
    changes = {**TINY, "train.epochs": 5000}
    sets = [word for name, value in changes.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    arguments = ["train", str(folder), "--data", str(data), "--profile", "smoke", "--device", "cpu", *sets]
    arguments += ["--set", "pretext=null", "--set", "train.people_per_epoch=null"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "poseur_study", *arguments], env=environment, cwd=tmp_path, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    wait_until(lambda: (folder / LAST_CHECKPOINT).exists() or process.poll() is not None, "it trains")
    assert main(arguments) == 1
    assert f"{folder} is being trained in by" in capsys.readouterr().err
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=120)
    assert (process.returncode, error.splitlines()[-1]) == (128 + signal.SIGTERM, "poseur: ended by SIGTERM"), error
    left = {path.name for path in folder.iterdir()}
    assert LAST_CHECKPOINT in left and not {name for name in left if "lease" in name or name.startswith(".")}
    assert list(temporary.iterdir()) == []


def test_a_training_whose_folder_was_taken_over_ends(tmp_path, monkeypatch, capsys):
    """By another machine, as this one's disk did not answer for a while. In the background SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    data, folder = write_people(tmp_path / "data", 16, 2), tmp_path / "run"
    changes = {**TINY, "train.epochs": 100_000, "pretext": None, "train.people_per_epoch": None}
    sets = [word for name, value in changes.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.1)

    def take_over() -> None:
        wait_until((folder / LAST_CHECKPOINT).exists, "it trains")
        for path in folder.glob("lease.*"):
            path.unlink()
        owner = {"token": "theirs", "machine": "another", "host": "elsewhere", "pid": 7, "started": "1"}
        (folder / "lease.000009").write_text(json.dumps(owner))

    other = threading.Thread(target=take_over)
    other.start()
    try:
        assert main(["train", str(folder), "--data", str(data), "--profile", "smoke", "--device", "cpu", *sets]) == 1
    finally:
        signal.signal(signal.SIGINT, before)
    other.join()
    error = capsys.readouterr().err
    assert f"{folder} is held by " in error and " now: its lease was lost, this training ends" in error
    assert [path.name for path in folder.glob("lease.*")] == ["lease.000009"]


def test_a_disk_that_refuses_a_checkpoint_keeps_the_last_one_and_nothing_half(tmp_path, monkeypatch):
    data, folder, temporary = write_people(tmp_path / "data", 16, 2), tmp_path / "run", tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    runtime = Runtime(data=data, device="cpu", threads=1)
    config = tiny_config(**{"train.epochs": 3})
    train(config, folder, Runtime(data=data, device="cpu", threads=1, limit_epochs=1))
    kept = (folder / LAST_CHECKPOINT).read_bytes()
    (folder / f".{LAST_CHECKPOINT}.cut-off").write_text("of a process that was killed")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept) // 2, before[1]))
    try:
        with pytest.raises(OSError) as refused:
            train(config, folder, runtime)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert refused.value.errno == errno.EFBIG
    assert explain(refused.value)[0].startswith("poseur: the disk is full, or over its quota: free some of it")
    assert (folder / LAST_CHECKPOINT).read_bytes() == kept
    assert [path.name for path in (*folder.iterdir(), *temporary.iterdir()) if path.name.startswith(".")] == []
    assert list(temporary.iterdir()) == []
    assert len(train(config, folder, runtime)) == 3


BUS_ERROR = (
    "DataLoader worker (pid 71) is killed by signal: Bus error. It is possible that dataloader's workers are out of "
    "shared memory. Please try to raise your shared memory limit."
)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (
            BUS_ERROR,
            "the shared memory (/dev/shm) is full: read images without",
        ),
        ("unable to write to file </torch_71_1_0>: No space left on device (28)", "the shared memory"),
        (
            "RuntimeError: DataLoader worker (pid 71) is killed by signal: Killed. ",
            "a process was killed, as the system",
        ),
        ("DeadKernelError: Kernel died", "a process was killed, as the system does where memory runs"),
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB." + " x" * 999,
            "the memory of the GPU",
        ),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried", "the memory is full"),
        ("OSError: [Errno 24] Too many open files: '/data/1.jpg'", "too many files are open: raise the limit"),
        ("its process was killed by SIGKILL", "a process was killed, as the system does where memory runs"),
        ("its process was killed by SIGBUS", "the shared memory"),
        ("its process was killed by SIGSEGV", "its process was killed by SIGSEGV"),  # it would be so again
        ("ValueError: the loss is nan", "ValueError: the loss is nan"),
    ],
)
def test_what_a_machine_refuses_is_said_with_what_to_do(text, advice):
    assert advised(text).startswith(advice) and len(advised(text)) < 400


@pytest.mark.parametrize(
    "error",
    [
        "unspecified launch failure CUDA kernel errors might be asynchronously reported",
        "the remote procedural call between the MPS server and the MPS client failed",
    ],
)
def test_a_run_that_a_neighbour_on_its_gpu_took_down_is_tried_again(error):
    fault = fault_in(f"AcceleratorError: CUDA error: {error}")
    assert fault is not None and fault.passes and fault.what.startswith("the GPU broke off, as it does for all runs")
    assert fault_in("AcceleratorError: CUDA error: device-side assert triggered") is None
