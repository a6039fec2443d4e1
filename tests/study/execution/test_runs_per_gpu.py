"""`--runs-per-gpu auto`: what limits the number, when doubling it ends, and a measurement with made-up readings."""

from dataclasses import replace
from pathlib import Path

import pytest

from poseur_lib.errors import UserError
from poseur_study.cli.options import AUTO, parse_runs_per_gpu
from poseur_study.execution import runs_per_gpu
from poseur_study.execution.cost_estimate import Work
from poseur_study.execution.run_job import RunOptions
from poseur_study.execution.runs_per_gpu import (
    Probed,
    doubled,
    free_mib,
    images_mib,
    most_runs,
    picked_runs_per_gpu,
    probes,
)
from tests.study.execution.fake_batch import fake_batch
from tests.study.projects import fake_store
from tests.training.tiny import write_people

GPU, CPU = RunOptions("smoke"), RunOptions("smoke", device="cpu")
NO_DATA = Path("nowhere")
ROOM = {"free": 80_000, "memory": 1_000, "processors": 64, "runs": 100}
SMI = """#!/bin/sh
echo "$@" >> "{folder}/asked"
head -n 1 "{folder}/free"
sed -i 1d "{folder}/free"
"""


def put_smi(folder: Path, *readings: str) -> None:
    """An nvidia-smi that gives these readings, one after another."""
    (folder / "free").write_text("".join(f"{one}\n" for one in readings))
    program = folder / "nvidia-smi"
    program.write_text(SMI.format(folder=folder))
    program.chmod(0o755)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A machine of one GPU and 8 processors, without MPS."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setattr(runs_per_gpu, "cpu_count", lambda: 8)
    monkeypatch.setattr(runs_per_gpu, "PROBE_SECONDS", 0.01)
    return tmp_path


@pytest.mark.parametrize(
    "less, expected",
    [({}, 48), ({"memory": 10_000}, 7), ({"memory": 90_000}, 1), ({"processors": 6}, 6), ({"runs": 3}, 3)],
)
def test_memory_processors_and_runs_limit_the_number(less, expected):
    assert most_runs(**ROOM | less) == expected


@pytest.mark.parametrize(
    "speeds, most, expected",
    [
        ({1: 100, 2: 190, 4: 300, 8: 310}, 16, 4),
        ({1: 100, 2: 105}, 16, 1),
        ({1: 100, 2: 190, 3: 250}, 3, 3),
        ({1: 100}, 1, 1),
        ({1: 100, 2: 190}, 4, 2),  # no more memory for 4
    ],
)
def test_the_number_doubles_while_all_together_get_faster(speeds, most, expected):
    known = {1: speeds[1]}

    def measure(number: int) -> float:
        if number not in speeds:
            raise UserError("out of memory")
        return speeds[number]

    assert doubled(known, measure, most) == expected
    assert known == speeds


def test_auto_says_what_it_measured(here, smoke_config, monkeypatch):
    put_smi(here, "20000", "16000")
    monkeypatch.setattr(runs_per_gpu, "PROBE", "tests.study.execution.fake_probe")
    said: list[str] = []
    assert picked_runs_per_gpu(smoke_config, 9, GPU, NO_DATA, said.append) == 4
    assert said[1:] == [
        "runs per GPU: 4 (1: 50 people/s, 2: 100 people/s, 4: 200 people/s; 4,000 MiB a run, 20,000 free; 4 at most)"
    ]
    assert "--id=3 --query-gpu=memory.free" in (here / "asked").read_text()


def test_images_on_the_gpu_take_room(here, smoke_config, monkeypatch):
    put_smi(here, "20000", "16000", "20000", "16000", "20000", "16000")
    monkeypatch.setattr(runs_per_gpu, "PROBE", "tests.study.execution.fake_probe")
    monkeypatch.setattr(runs_per_gpu, "images_mib", lambda config, data: int(data.name))
    said: list[str] = []
    picked = [picked_runs_per_gpu(smoke_config, 9, GPU, Path(images), said.append) for images in ("4000", "10001")]
    assert picked == [2, 4] and "8,000 MiB a run" in said[1]  # those that take more than half are not put there
    assert picked_runs_per_gpu(smoke_config, 9, replace(GPU, data_on_device="no"), Path("4000"), said.append) == 4


def test_bytes_of_a_data_sets_images(tmp_path, smoke_config):
    data = write_people(tmp_path / "data", train=60, val=3)
    expected = (60 + 3) * 3 * 96 * 72 >> 20
    config = smoke_config.with_changes(**{"evaluation.split": "val"})
    assert images_mib(config, data) == expected == 1
    assert images_mib(config, tmp_path / "not made yet") == 0


def test_auto_without_a_measurement_is_one_run(here, smoke_config, monkeypatch):
    said: list[str] = []
    assert picked_runs_per_gpu(smoke_config, 1, GPU, NO_DATA, said.append) == 1
    assert picked_runs_per_gpu(smoke_config, 9, CPU, NO_DATA, said.append) == 1
    put_smi(here, "No devices were found")
    assert picked_runs_per_gpu(smoke_config, 9, GPU, NO_DATA, said.append) == 1
    put_smi(here, "20000")
    monkeypatch.setattr(runs_per_gpu, "PROBE", "tests.no_such_probe")
    assert picked_runs_per_gpu(smoke_config, 9, GPU, NO_DATA, said.append) == 1
    said = [line for line in said if "MPS" not in line]
    assert said[:2] == ["runs per GPU: 1, as there is one run to make", "runs per GPU: 1, as there is no GPU"]
    assert "free memory of GPU 3: invalid literal" in said[2] and "1 at a time" in said[3]


def test_free_memory_without_nvidia_smi(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="nvidia-smi does not tell the free memory of GPU 0"):
        free_mib("0")


def test_a_probe_trains_a_configuration(here, smoke_config):
    """The real one, on the processor: it goes on until its input ends."""
    environment = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    with probes(
        1, Probed(smoke_config.with_changes(**{"train.global_batch": 4}), ("32", "auto"), environment)
    ) as speed:
        assert speed > 1


@pytest.mark.parametrize("given, expected", [("1", 1), ("16", 16), ("auto", AUTO)])
def test_number_or_auto(given, expected):
    assert parse_runs_per_gpu(given) == expected


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5", "²", ""])
def test_neither_number_nor_auto(given):
    with pytest.raises(UserError, match=f"--runs-per-gpu '{given}': give a number from 1, or auto"):
        parse_runs_per_gpu(given)


class HeavierBySeed(Work):
    """Work of runs, of which the last seed's is the most; nothing is counted."""

    def __init__(self) -> None:
        pass

    def per_image(self, run) -> float:
        return 1.0 + run.seed


def test_a_batch_measures_the_heaviest_of_its_missing_runs(tmp_path, monkeypatch):
    batch = fake_batch(fake_store(tmp_path), [{}, {}, {}])
    measured = []
    monkeypatch.setattr(
        runs_per_gpu, "picked_runs_per_gpu", lambda config, runs, *_: measured.append((config.seed, runs)) or 4
    )
    ids = [run.run_id for run in batch.runs]
    options = RunOptions("smoke", runs_per_gpu=AUTO)
    assert batch._sharing(options, HeavierBySeed(), ids[:2]).runs_per_gpu == 4
    assert measured == [(1, 2)]
    assert batch._sharing(options, HeavierBySeed(), []).runs_per_gpu == 1
    assert batch._sharing(replace(options, runs_per_gpu=3), HeavierBySeed(), ids).runs_per_gpu == 3
