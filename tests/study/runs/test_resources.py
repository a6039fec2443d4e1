"""Wall time and energy of a run are those of all its attempts, also of one that was killed."""

import json
import threading
import time
from dataclasses import asdict, replace

import pytest
import torch

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.files import BACKBONE_FILE, CURVE_FILE, LAST_CHECKPOINT, MODEL_FILE
from poseur_lib.models.backbones import build_backbone
from poseur_lib.training.curve import CurvePoint, write_curve
from poseur_study.experiments.notebook_parameters import RunSettings
from poseur_study.runs import resources as module
from poseur_study.runs.resources import (
    SPENT_FILE,
    UNKNOWN_COMMIT,
    EnergyMeter,
    EnergyWatch,
    Spent,
    noted,
    spent_before,
)
from poseur_study.runs.run_steps import Measured, open_pretext, record_of, write_run
from tests.training.tiny import write_people


def row(seconds: float) -> CurvePoint:
    return CurvePoint(epoch=1, step=1, images=1, seconds=seconds, loss=1.0, terms={}, part_iou=0.5)


def test_energy_that_one_attempt_cannot_read_is_not_known():
    assert Spent() + Spent(2.0, 3.0) == Spent(2.0, 3.0)
    assert Spent(1.0, 1.0) + Spent(2.0, 3.0) == Spent(3.0, 4.0)
    assert Spent(1.0, None) + Spent(2.0, 3.0) == Spent(2.0, 3.0) + Spent(1.0, None) == Spent(3.0, None)


def test_commits_of_attempts_are_kept_the_last_ones_last():
    first, second = Spent(commits=("a",), dirty=True), Spent(commits=("b",))
    assert first + second == Spent(commits=("a", "b"), dirty=True)
    assert first + second + first == Spent(commits=("b", "a"), dirty=True)
    assert (second + second).commits == ("b",) and not (second + second).dirty


def test_the_power_of_gpus_is_watched_as_long_as_a_meter_is_held(tmp_path, monkeypatch):
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 100\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    before = set(threading.enumerate())
    meters = [EnergyMeter() for _ in range(3)]
    watching = set(threading.enumerate()) - before
    assert len(watching) == 3
    while not all(meter.joules() for meter in meters):
        time.sleep(0.01)
    meters.clear()
    for thread in watching:
        thread.join(10)
    assert not any(thread.is_alive() for thread in watching)


def test_a_gpu_that_cannot_be_read_for_a_while_has_a_gap_that_is_bridged(tmp_path, monkeypatch):
    """Readings ten seconds apart; meanwhile no sum is known, rather than a part of it."""
    monkeypatch.setattr(module, "RAPL", tmp_path)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    watch, now, seen, readings = EnergyWatch(), [0.0], [], [100.0, 100.0, None, None, 200.0]

    def read() -> float | None:
        now[0] += 10
        seen.append(watch.joules())
        if len(readings) == 1:
            watch.ended.set()
        return readings.pop(0)

    monkeypatch.setattr(module, "gpu_watts", read)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    watch.run()
    assert seen == [None, None, 1000.0, None, None] and watch.joules() == 1000 + 150 * 30


def test_counters_of_packages_that_begin_again_are_added_up(tmp_path, monkeypatch):
    def count(microjoules: int) -> None:
        for number, name in enumerate(("package-0", "package-1", "psys")):
            folder = tmp_path / f"intel-rapl:{number}"
            folder.mkdir(exist_ok=True)
            given = {"name": name, "energy_uj": microjoules, "max_energy_range_uj": 10_000_000}
            for file, value in given.items():
                (folder / file).write_text(f"{value}\n")

    monkeypatch.setattr(module, "RAPL", tmp_path)
    monkeypatch.setattr(module, "gpu_watts", lambda: None)
    count(1_000_000)
    meter, read = EnergyMeter(), []
    for microjoules in (9_000_000, 2_000_000, 9_000_000, 2_000_000):
        count(microjoules)
        read.append(meter.joules())
    assert read == [16, 22, 36, 42]
    (tmp_path / "intel-rapl:1" / "energy_uj").unlink()
    assert meter.joules() is None, "a part of the sum is none"


def test_what_was_taken_belongs_to_a_checkpoint(run_folder):
    (run_folder / SPENT_FILE).write_text('{"seconds": 90.0, "joules": null}')
    assert spent_before(run_folder) == Spent()
    (run_folder / LAST_CHECKPOINT).touch()
    assert spent_before(run_folder) == Spent(90.0, None, (UNKNOWN_COMMIT,))  # noted by an earlier version
    for text in ("", "[]", '{"hours": 1}', '{"seconds": "a day"}', '{"seconds": 1.0, "commits": 7}'):
        (run_folder / SPENT_FILE).write_text(text)
        assert spent_before(run_folder) == Spent(0.0, None, (UNKNOWN_COMMIT,))
    noted_by_now = Spent(90.0, 5.0, ("a", "b"), True)
    (run_folder / SPENT_FILE).write_text(json.dumps(asdict(noted_by_now)))
    assert spent_before(run_folder) == noted_by_now


def test_it_took_as_long_as_training_at_least(run_folder):
    """A record that was damaged is made again from `model.pt` and the curve; nothing else is left then."""
    write_curve(run_folder / CURVE_FILE, (row(20.0), row(40.0)))
    assert spent_before(run_folder) == Spent()  # weights of a backbone would be trained again
    (run_folder / MODEL_FILE).touch()
    assert spent_before(run_folder) == Spent(40.0, None, (UNKNOWN_COMMIT,))
    (run_folder / SPENT_FILE).write_text('{"seconds": 30.0, "joules": 5.0, "commits": ["a"], "dirty": false}')
    assert spent_before(run_folder) == Spent(40.0, None, ("a",))  # killed ten seconds after it was noted
    (run_folder / SPENT_FILE).write_text('{"seconds": 50.0, "joules": 5.0, "commits": ["a"], "dirty": false}')
    assert spent_before(run_folder) == Spent(50.0, 5.0, ("a",))
    (run_folder / CURVE_FILE).write_text("[")
    assert spent_before(run_folder) == Spent(50.0, 5.0, ("a",))


def test_it_is_noted_while_work_goes_on_and_after_it_failed(run_folder, monkeypatch):
    monkeypatch.setattr(module, "PERIOD_SECONDS", 0.01)
    with pytest.raises(RuntimeError), noted(run_folder, lambda: Spent(1.0)):
        while not (run_folder / SPENT_FILE).exists():
            time.sleep(0.01)
        raise RuntimeError
    monkeypatch.setattr(module, "PERIOD_SECONDS", 60)
    with noted(run_folder, lambda: Spent(2.0, 0.0, ("a",))):  # it may be killed before the first minute is over
        read = json.loads((run_folder / SPENT_FILE).read_text())
    assert read == {"seconds": 2.0, "joules": 0.0, "commits": ["a"], "dirty": False}
    with noted(run_folder / SPENT_FILE, lambda: Spent(3.0)):  # no folder to write in
        pass
    assert json.loads((run_folder / SPENT_FILE).read_text())["seconds"] == 2.0


def test_the_record_counts_what_the_attempts_before_took(tmp_path):
    data = write_people(tmp_path / "people", train=2, val=1)
    settings = RunSettings(data=str(data), runs=str(tmp_path / "runs"), overrides={"pretext.epochs": 1}, progress=False)
    fresh = open_pretext(settings)
    assert fresh.before == Spent()
    fresh.folder.mkdir(parents=True)
    (fresh.folder / LAST_CHECKPOINT).touch()
    (fresh.folder / SPENT_FILE).write_text('{"seconds": 5000.0, "joules": 70.0}')
    run = replace(open_pretext(settings), opened_at=time.monotonic() - 100)
    torch.manual_seed(0)
    config = run.planned.config
    save_weights(run.folder / BACKBONE_FILE, build_backbone(config.backbone, config.data.input_size), config)
    where = write_run(run, (row(1.0),)).provenance
    assert 5100 <= where.wall_seconds < 5200 and (where.joules is None or where.joules >= 70)
    assert {path.name for path in run.folder.iterdir()} == {BACKBONE_FILE, "record.json"}


def test_the_record_names_the_commits_that_computed(tmp_path, monkeypatch):
    """Each attempt's when it was opened: the checkout goes on while a run is at work."""
    data = write_people(tmp_path / "people", train=2, val=1)
    settings = RunSettings(data=str(data), runs=str(tmp_path / "runs"), overrides={"pretext.epochs": 1}, progress=False)

    def commit(name: str, dirty: bool = False) -> None:
        monkeypatch.setattr("poseur_study.runs.provenance.git_state", lambda: (name, dirty))

    for name in ("a", "b"):
        commit(name, dirty=name == "a")
        run = open_pretext(settings)
        commit("while it ran")
        with noted(run.folder, lambda run=run: run.spent):
            (run.folder / LAST_CHECKPOINT).touch()
    made = record_of(run, (row(0.0),), 1, Measured()).provenance
    assert (made.commit, made.dirty, made.earlier_commits) == ("b", True, ("a",))
    assert made.commit_words == "b + changes, begun with a"
    (run.folder / SPENT_FILE).unlink()
    made = record_of(open_pretext(settings), (row(0.0),), 1, Measured()).provenance
    assert (made.commit, made.dirty, made.earlier_commits) == ("while it ran", False, (UNKNOWN_COMMIT,))
    assert made.commit_words == "while it r, begun with an unknown one"


def test_a_clock_that_is_set_back_takes_no_time_from_a_run(tmp_path, monkeypatch):
    data = write_people(tmp_path / "people", train=2, val=1)
    run = open_pretext(RunSettings(data=str(data), runs=str(tmp_path / "runs"), progress=False))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= run.spent.seconds < 60
