"""Every GPU gets a worker of its own, which sees no other."""

import os

import pytest

from poseur_lib.data.device_images import RUNS_PER_GPU
from poseur_lib.errors import UserError
from poseur_study.execution import cluster, run_job
from poseur_study.execution.batch import Batch
from poseur_study.execution.cluster import open_engine
from poseur_study.execution.run_job import RunOptions, run_parameters
from poseur_study.execution.slots import share_of, slot_environments, visible_gpus
from tests.study.execution.fake_batch import NoWork, fake_batch
from tests.study.execution.fake_notebook import planned
from tests.study.projects import fake_store


def seen() -> str:
    return os.environ["CUDA_VISIBLE_DEVICES"]


@pytest.fixture
def four_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2,5,GPU-8a")


def test_one_slot_a_gpu_or_a_group_of_them(four_gpus):
    assert visible_gpus() == ("0", "2", "5", "GPU-8a")
    dealt = [slot["CUDA_VISIBLE_DEVICES"] for slot in slot_environments(0, "auto", 1)]
    assert dealt == ["0", "2", "5", "GPU-8a"]
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in slot_environments(0, "cuda", 2)] == ["0,2", "5,GPU-8a"]
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in slot_environments(0, "cuda", 3)] == ["0,2,5"]
    assert len(slot_environments(3, "auto", 1)) == 3
    assert slot_environments(5, "cpu", 2) == [{}] * 5


def test_runs_that_share_a_gpu_are_dealt_out_in_turn(four_gpus):
    dealt = [slot["CUDA_VISIBLE_DEVICES"] for slot in slot_environments(6, "auto", 1, runs_per_gpu=2)]
    assert dealt == ["0", "2", "5", "GPU-8a", "0", "2"]
    shared = slot_environments(0, "auto", 2, runs_per_gpu=3)
    assert len(shared) == 6
    assert shared[0] == {"CUDA_VISIBLE_DEVICES": "0,2", "CUDA_DEVICE_ORDER": "PCI_BUS_ID", RUNS_PER_GPU: "3"}
    with pytest.raises(UserError, match="9 runs at a time with 1 GPUs each, 2 sharing them, need 5 GPUs, there are 4"):
        slot_environments(9, "auto", 1, runs_per_gpu=2)
    with pytest.raises(UserError, match="--runs-per-gpu 2: there is no GPU"):
        slot_environments(0, "cpu", 1, runs_per_gpu=2)
    assert len(slot_environments(0, "auto", 1, runs_per_gpu=48)) == 4 * 48
    with pytest.raises(UserError, match="--runs-per-gpu 49: NVIDIA's MPS lets 48 processes share a GPU at most"):
        slot_environments(0, "auto", 1, runs_per_gpu=49)


def test_processors_are_dealt_out_among_the_processes_that_train():
    assert share_of(2, 2, gpus=False) == (1, 0) and share_of(8, 2, gpus=False) == (4, 0)
    assert share_of(16, 1, gpus=False) == (0, 0) and share_of(16, 1, gpus=True) == (0, 8)
    assert share_of(16, 4, gpus=True) == (1, 3) and share_of(64, 4, gpus=True) == (8, 8)
    assert share_of(4, 16, gpus=True) == (1, 0)
    assert share_of(16, 4, gpus=True, loader_workers=0) == (4, 0)
    assert share_of(4, 2, gpus=False, loader_workers=3) == (1, 3)


def test_runs_on_all_gpus_share_the_processors(four_gpus, monkeypatch):
    """By default, each was told to take all of them."""
    monkeypatch.setattr(run_job, "cpu_count", lambda: 16)

    def told(**how) -> tuple[int, int]:
        parameters = run_parameters(planned(0), RunOptions("smoke", **how).with_share())
        return parameters["threads"], parameters["loader_workers"]

    assert told(workers=0) == (1, 3) and told(workers=0, devices=2) == (1, 3) and told(workers=2) == (1, 7)
    assert told(workers=1) == (0, 8) and told(workers=0, runs_per_gpu=4) == (1, 0)
    assert told(workers=0, loader_workers=0) == (4, 0) and told(workers=0, threads=2) == (2, 3)
    assert told(workers=0, device="cpu") == (0, 0) and told(workers=4, device="cpu") == (4, 0)
    assert told(scheduler="tls://far:1", workers=0) == (0, 0)
    assert told(scheduler="tls://far:1", workers=2, loader_workers=4) == (1, 4)


def test_a_batch_deals_out_processors_before_it_starts(four_gpus, monkeypatch, tmp_path):
    told = []
    monkeypatch.setattr(run_job, "cpu_count", lambda: 16)

    def refuse(options: RunOptions) -> None:
        told.append((options.threads, options.loader_workers))
        raise UserError("enough")

    monkeypatch.setattr(cluster, "open_engine", refuse)
    monkeypatch.setattr(Batch, "work", NoWork)
    monkeypatch.setattr(Batch, "_sharing", lambda self, options, *_: options)
    with pytest.raises(UserError, match="enough"):
        fake_batch(fake_store(tmp_path), [{}]).execute(RunOptions("smoke", workers=0))
    assert told == [(1, 3)]


@pytest.mark.parametrize(("gpus", "share"), [(0, (0, 0)), (1, (0, 7))])
def test_a_slurm_job_deals_out_its_own_processors(tmp_path, gpus, share):
    (tmp_path / "jobs.yaml").write_text(f"cpus: 8\ngpus: {gpus}\n")
    options = RunOptions("smoke", slurm=tmp_path / "jobs.yaml").with_share()
    assert (options.threads, options.loader_workers) == share


def test_too_few_gpus(four_gpus):
    with pytest.raises(UserError, match="3 runs at a time with 2 GPUs each need 6 GPUs, there are 4"):
        slot_environments(3, "auto", 2)


@pytest.mark.parametrize("given", ["", "-1"])
def test_no_gpu(monkeypatch, given):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert slot_environments(0, "auto", 1) == [{}]


def test_workers_see_their_gpus_alone(four_gpus):
    with open_engine(RunOptions("smoke", workers=2, device="cuda", devices=2)) as engine:
        assert engine.slots() == 2
        assert set(engine.client.run(seen).values()) == {"0,2", "5,GPU-8a"}
        futures = [engine.submit(seen) for _ in range(4)]
        while engine.wait(futures, 10) != set(futures):
            pass
        assert {future.result() for future in futures} <= {"0,2", "5,GPU-8a"}
