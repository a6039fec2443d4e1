"""Wall time and energy of a run are those of all its attempts, also of one that was killed."""

import json
import threading
import time
from dataclasses import replace

import pytest
import torch

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.files import BACKBONE_FILE, LAST_CHECKPOINT
from poseur_lib.models.backbones import build_backbone
from poseur_lib.training.curve import CurvePoint
from poseur_study.experiments.notebook_parameters import RunSettings
from poseur_study.runs import resources as module
from poseur_study.runs.resources import SPENT_FILE, EnergyMeter, Spent, noted, spent_before
from poseur_study.runs.run_steps import open_pretext, write_run
from tests.training.tiny import write_people


def test_energy_that_one_attempt_cannot_read_is_not_known():
    assert Spent() + Spent(2.0, 3.0) == Spent(2.0, 3.0)
    assert Spent(1.0, 1.0) + Spent(2.0, 3.0) == Spent(3.0, 4.0)
    assert Spent(1.0, None) + Spent(2.0, 3.0) == Spent(2.0, 3.0) + Spent(1.0, None) == Spent(3.0, None)


def test_the_power_of_gpus_is_watched_as_long_as_a_meter_is_held(tmp_path, monkeypatch):
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 100\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(module, "GPU_PERIOD_SECONDS", 0.01)
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


def test_what_was_taken_belongs_to_a_checkpoint(run_folder):
    (run_folder / SPENT_FILE).write_text('{"seconds": 90.0, "joules": null}')
    assert spent_before(run_folder) == Spent()
    (run_folder / LAST_CHECKPOINT).touch()
    assert spent_before(run_folder) == Spent(90.0, None)
    for text in ("", "[]", '{"hours": 1}'):
        (run_folder / SPENT_FILE).write_text(text)
        assert spent_before(run_folder) == Spent(0.0, None)


def test_it_is_noted_while_work_goes_on_and_after_it_failed(run_folder, monkeypatch):
    monkeypatch.setattr(module, "PERIOD_SECONDS", 0.01)
    with pytest.raises(RuntimeError), noted(run_folder, lambda: Spent(1.0)):
        while not (run_folder / SPENT_FILE).exists():
            time.sleep(0.01)
        raise RuntimeError
    with noted(run_folder, lambda: Spent(2.0)):
        monkeypatch.setattr(module, "PERIOD_SECONDS", 60)
    assert json.loads((run_folder / SPENT_FILE).read_text()) == {"seconds": 2.0, "joules": 0.0}
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
    run = replace(open_pretext(settings), opened_at=time.time() - 100)
    torch.manual_seed(0)
    config = run.planned.config
    save_weights(run.folder / BACKBONE_FILE, build_backbone(config.backbone, config.data.input_size), config)
    row = CurvePoint(epoch=1, step=1, images=1, seconds=1.0, loss=1.0, terms={}, part_iou=0.5)
    where = write_run(run, (row,)).provenance
    assert 5100 <= where.wall_seconds < 5200 and (where.joules is None or where.joules >= 70)
    assert {path.name for path in run.folder.iterdir()} == {BACKBONE_FILE, "record.json"}
