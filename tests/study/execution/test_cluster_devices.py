"""Every GPU gets a worker of its own, which sees no other."""

import os

import pytest

from poseur_lib.errors import UserError
from poseur_study.execution.cluster import open_engine
from poseur_study.execution.run_job import RunOptions
from poseur_study.execution.slots import slot_environments, visible_gpus


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
    assert len(slot_environments(0, "auto", 2, runs_per_gpu=3)) == 6
    with pytest.raises(UserError, match="9 runs at a time with 1 GPUs each, 2 sharing them, need 5 GPUs, there are 4"):
        slot_environments(9, "auto", 1, runs_per_gpu=2)
    with pytest.raises(UserError, match="--runs-per-gpu 2: there is no GPU"):
        slot_environments(0, "cpu", 1, runs_per_gpu=2)


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
