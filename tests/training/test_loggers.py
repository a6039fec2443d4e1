"""Numbers of a training in a logger's file, and the trained model as safetensors."""

import csv
import importlib.util
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import WandbLogger

from poseur_lib.checkpoints.checkpoint import load_model, read_file, save_weights
from poseur_lib.checkpoints.origin import trained_on_generated
from poseur_lib.errors import UserError
from poseur_lib.predict.predictor import Poseur
from poseur_lib.runtime import Runtime
from poseur_lib.training import fit, loop
from poseur_lib.training.curve import read_curve
from poseur_lib.training.fit import train
from poseur_study.cli.main import main
from tests.predict.conftest import write_checkpoint
from tests.training.tiny import TINY, tiny_config, write_people


def test_a_csv_file_has_the_losses_and_the_curve(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "STEPS_BETWEEN", 2)
    data, folder = write_people(tmp_path / "data", train=24, val=4), tmp_path / "run"

    changes = [
        part for name, value in {**TINY, "train.epochs": 2}.items() for part in ("--set", f"{name}={json.dumps(value)}")
    ]
    given = ["train", str(folder), "--data", str(data), "--device", "cpu", "--threads", "1", "--profile", "paper"]
    assert main([*given, *changes]) == 0
    (file,) = folder.glob("logs/*/metrics.csv")
    rows = list(csv.DictReader(file.open()))
    assert [int(row["step"]) for row in rows if row["loss"]] == [2, 4, 6], "the optimiser's steps, three an epoch"
    measured = [row for row in rows if row["epoch_loss"]]
    curve = read_curve(folder / "curve.json")
    assert [float(row["epoch_loss"]) for row in measured] == pytest.approx([point.loss for point in curve])
    assert [int(row["step"]) for row in measured] == [point.step for point in curve] == [3, 6]
    rate = tiny_config().train.learning_rate
    of_last_steps = [rate * (1 + math.cos(math.pi * step / 6)) / 2 for step in (2, 5)]
    assert [float(row["learning_rate"]) for row in measured] == pytest.approx(of_last_steps)
    ours, theirs = (load_model(folder / name)[0].state_dict() for name in ("model.pt", "model.safetensors"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours) and ours.keys() == theirs.keys()


def test_a_training_that_was_ended_between_its_files_gets_both(tmp_path, monkeypatch):
    """model.pt comes last, and says that all is there; an ended training that was asked for one file has that one."""
    runtime, folder = Runtime(data=write_people(tmp_path / "data", 8, 2), device="cpu", threads=1), tmp_path / "run"
    ours, theirs = folder / "model.pt", folder / "model.safetensors"

    def save_one(path, *arguments):
        save_weights(path, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(fit, "save_weights", save_one)
        train(tiny_config(), folder, replace(runtime, safetensors=True))
    assert theirs.exists() and not ours.exists()
    theirs.unlink()
    train(tiny_config(), folder, runtime)
    assert ours.exists() and not theirs.exists()
    train(tiny_config(), folder, replace(runtime, safetensors=True))
    expected, found = (read_file(path) for path in (ours, theirs))
    weights = [content.pop("state_dict") for content in (expected, found)]
    assert found == expected and all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("per_device", [8, 4, 2])
def test_a_step_logs_its_own_loss_once_however_many_batches_it_takes(tmp_path, monkeypatch, per_device):
    monkeypatch.setattr(loop, "STEPS_BETWEEN", 2)
    recorder, totals = Recorder(), []
    monkeypatch.setattr(loop, "training_logger", lambda name, folder: recorder)
    detached = loop.detached
    monkeypatch.setattr(loop, "detached", lambda losses: totals.append(losses.total.item()) or detached(losses))
    data = write_people(tmp_path / "data", 32, 1)
    train(tiny_config(), tmp_path / "run", Runtime(data=data, device="cpu", threads=1, batch_per_device=per_device))
    steps = np.reshape(totals, (4, -1)).mean(1)
    assert [line["loss"] for line in recorder.logged if "loss" in line] == pytest.approx(steps[[1, 3]])


class Recorder(WandbLogger):
    """W&B's logger without W&B: what is logged, until its run ends."""

    name = version = save_dir = None

    def __init__(self):
        self.logged, self.ended = [], 0

    @property
    def experiment(self):
        return SimpleNamespace(finish=self.finish)

    def finish(self):
        self.ended += 1

    def log_hyperparams(self, params):
        assert not self.logged

    def log_metrics(self, metrics, step=None):
        assert not self.ended
        self.logged.append(metrics)

    def finalize(self, status):
        pass


def test_a_run_of_wandb_ends_with_its_training(tmp_path, monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(loop, "training_logger", lambda name, folder: recorder)
    config, runtime = tiny_config(), Runtime(data=write_people(tmp_path / "data", 8, 2), device="cpu")
    train(config, tmp_path / "run", runtime)
    assert recorder.ended == 1 and len(recorder.logged) == config.train.epochs


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_logger_that_is_not_installed_is_named_before_anything_is_read(tmp_path, monkeypatch, capsys, name):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda asked: None if asked == name else find(asked))
    with pytest.raises(UserError, match=f"logger {name}: the package is not installed: pip install {name}"):
        Runtime(data=tmp_path / "nowhere", logger=name)
    assert main(["train", str(tmp_path), "--data", str(tmp_path), "--logger", f"{name}s"]) == 1
    assert f"unknown logger '{name}s': did you mean '{name}'?" in capsys.readouterr().err


def test_safetensors_hold_what_a_checkpoint_holds(tmp_path):
    """Shared layers have one tensor under several names."""
    path = write_checkpoint(tmp_path / "m.safetensors", generated_data=True, **{"model.head.share_layers": True})
    assert trained_on_generated(path) and not trained_on_generated(write_checkpoint(tmp_path / "other.safetensors"))
    poseur = Poseur.from_pretrained(path, device="cpu", fast=False)
    assert poseur.config.model.head.share_layers and poseur.caution
    assert path.stat().st_mode == write_checkpoint(tmp_path / "m.pt").stat().st_mode  # as the umask has it
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"m\.safetensors is cut off or no safetensors file"):
        read_file(path)
