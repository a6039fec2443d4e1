"""Training on two devices: processes of Lightning's DDP, on a processor by gloo."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch.utils.data import DataLoader

from poseur_lib.checkpoints.checkpoint import load_model
from poseur_lib.config import ExperimentConfig, PretextRunConfig
from poseur_lib.config.backbone import LITE0, TimmConfig
from poseur_lib.config.training import PretextConfig
from poseur_lib.data.parts import part_path
from poseur_lib.errors import UserError
from poseur_lib.files import BACKBONE_FILE, CURVE_FILE, LAST_CHECKPOINT, MODEL_FILE, SAFE_FILE
from poseur_lib.models.backbones import build_backbone
from poseur_lib.models.baselines.regression import RegressionHead
from poseur_lib.runtime import Runtime
from poseur_lib.training.batches import Batches
from poseur_lib.training.curve import read_curve
from poseur_lib.training.fit import pretrain, train
from poseur_lib.training.loop import TrainingLoop, run_loop
from poseur_study.runs import ddp
from poseur_study.runs.ddp import JOB_FILE, OUTPUT_FILE, train_on_devices
from tests.study.projects import REPOSITORY
from tests.training.tiny import TINY, tiny_config, write_people


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people") / "data", train=24, val=4)


def quiet() -> ExperimentConfig:
    """Without dropout and noise, which every process draws for itself."""
    return tiny_config(**{"train.epochs": 2, "model.head.dropout": 0.0, "model.head.noise": {"kind": "none"}})


@pytest.mark.slow
def test_two_devices_take_the_steps_of_one_and_learn_alike(people, tmp_path):
    two = Runtime(data=people, device="cpu", devices=2, threads=1, progress=False)
    (tmp_path / "two").mkdir()
    ours = train_on_devices(quiet(), tmp_path / "two", two)
    alone = train(quiet(), tmp_path / "one", Runtime(data=people, device="cpu", threads=1, progress=False))
    assert [(point.step, point.images) for point in ours] == [(point.step, point.images) for point in alone]
    assert [point.loss for point in ours] == pytest.approx([point.loss for point in alone], rel=0.1)
    assert load_model(tmp_path / "two" / MODEL_FILE)[1] == quiet()
    assert not (tmp_path / "two" / JOB_FILE).exists() and not (tmp_path / "two" / OUTPUT_FILE).exists()


@pytest.mark.slow
def test_the_command_says_once_what_both_devices_made(people, tmp_path):
    """Each process has the loss of its own people; the curve has that of all."""
    changes = {**TINY, "pretext": None, "train.people_per_epoch": None}
    sets = [word for name, value in changes.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    command = [sys.executable, "-m", "poseur_study", "train", str(tmp_path / "run"), "--data", str(people), *sets]
    command += ["--profile", "smoke", "--device", "cpu", "--devices", "2"]
    environment = os.environ | IN_SLURM | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    (said,) = [line for line in done.stdout.splitlines() if line.startswith("epoch 1 of 1: loss ")]
    assert done.stdout.count("next: ") == 1
    assert f"loss {read_curve(tmp_path / 'run' / CURVE_FILE)[0].loss:.3f}, " in said


def test_the_curve_s_loss_is_the_mean_over_devices(people, tmp_path, monkeypatch):
    runtime = Runtime(data=people, device="cpu", threads=1)
    (alone,) = train(tiny_config(), tmp_path / "alone", runtime)
    monkeypatch.setattr(SingleDeviceStrategy, "reduce", lambda _, tensor, **__: tensor / 2)  # another has no loss
    (shared,) = train(tiny_config(), tmp_path / "shared", runtime)
    assert shared.loss == pytest.approx(alone.loss / 2)
    assert shared.terms == {name: pytest.approx(value / 2) for name, value in alone.terms.items()}


def test_another_rank_writes_no_weights(tmp_path, monkeypatch):
    """Its batch norms have seen other people: the file would be that of whoever comes last."""
    data = write_people(tmp_path / "data", train=8, val=2)
    for split in ("train", "val"):
        (data / f"parts_{split}2017").mkdir()
        for path in (data / f"{split}2017").iterdir():
            cv2.imwrite(str(part_path(path)), np.ones((96, 72), np.uint8))
    monkeypatch.setattr(TrainingLoop, "global_rank", 1)
    runtime, config = Runtime(data=data, device="cpu", threads=1, safetensors=True), tiny_config()
    first = PretextRunConfig(
        data=config.data, backbone=config.model.backbone, pretext=PretextConfig(epochs=1, global_batch=8)
    )
    assert len(pretrain(first, tmp_path / "first", runtime)) == len(train(config, tmp_path / "run", runtime)) == 1
    left = {path.name for folder in ("first", "run") for path in (tmp_path / folder).iterdir()}
    assert LAST_CHECKPOINT in left and not left & {BACKBONE_FILE, MODEL_FILE, SAFE_FILE}


@pytest.mark.slow
def test_what_went_wrong_on_the_devices_is_said(tmp_path, capsys):
    missing = Runtime(data=tmp_path / "nowhere", device="cpu", devices=2, threads=1, progress=False)
    with pytest.raises(UserError, match=r"training on 2 devices failed: .*nowhere"):
        train_on_devices(quiet(), tmp_path, missing)
    assert "nowhere" in capsys.readouterr().out


@pytest.mark.parametrize(("rank", "gone", "code"), [("0", False, 0), ("0", True, -signal.SIGKILL), ("1", True, 0)])
def test_the_first_process_of_a_notebook_that_is_gone_by_then_trains_nothing(tmp_path, monkeypatch, rank, gone, code):
    """It was killed while torch was imported: whichever process is the parent then lives on. Others have the first."""

    def stop(*_, **__):
        raise StoppedError

    with monkeypatch.context() as patched, pytest.raises(StoppedError):
        patched.setattr(ddp.subprocess, "run", stop)
        train_on_devices(quiet(), tmp_path, Runtime(data=tmp_path, device="cpu", devices=2))
    job = json.loads((tmp_path / JOB_FILE).read_text())
    assert job["starter"] == os.getpid()
    (tmp_path / JOB_FILE).write_text(json.dumps(job | ({"starter": 2**22 + 1} if gone else {})))
    monkeypatch.setattr(ddp, "train", lambda *_: None)
    monkeypatch.setenv("LOCAL_RANK", rank)
    process = multiprocessing.get_context("fork").Process(target=ddp.main, args=(str(tmp_path / JOB_FILE),))
    process.start()
    process.join(60)
    assert process.exitcode == code


@pytest.fixture
def as_on_two_devices(monkeypatch):
    """One process, which is told that there is another: it looks for weights that DDP would wait for."""
    monkeypatch.setattr(Trainer, "world_size", 2)
    monkeypatch.setattr(TrainingLoop, "devices", property(lambda _: 2, lambda *_: None), raising=False)


ON_PYRAMID = {
    "model.backbone": {"kind": "narrow_high_resolution", "width": 8, "weights": "none"},
    "evaluation.curve_every": 9,
}
PRTR = {"kind": "prtr", "embed_dims": 16, "num_heads": 2, "ffn_dims": 16, "decoder_layers": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"train.ema_decay": 0.9},
        {**ON_PYRAMID, "model.head": {"kind": "regression", "flow_hidden": 8}},
        {**ON_PYRAMID, "model.head": PRTR, "evaluation.instance_score": "paper"},
    ],
    ids=["average", "rle", "prtr"],
)
def test_every_weight_that_waits_for_a_gradient_gets_one(people, tmp_path, as_on_two_devices, changes):
    given = {name: value for name, value in TINY.items() if not (name.startswith("model.") and "model.head" in changes)}
    config = ExperimentConfig().with_changes(**{**given, **changes})
    train(config, tmp_path, Runtime(data=people, device="cpu", threads=1))
    assert (tmp_path / MODEL_FILE).exists()


def test_a_weight_that_no_gradient_reaches_is_named(people, tmp_path, as_on_two_devices, monkeypatch):
    monkeypatch.setattr(RegressionHead, "coarsest_alone", False)
    given = {name: value for name, value in TINY.items() if not name.startswith("model.")}
    config = ExperimentConfig().with_changes(**given, **ON_PYRAMID, **{"model.head": {"kind": "regression"}})
    with pytest.raises(
        UserError, match=r"gradient.*network\.backbone\.stage3\.0\.fuse_layers\.0\.1\.0\.weight.* 8 more"
    ):
        train(config, tmp_path, Runtime(data=people, device="cpu", threads=1))


def test_another_number_of_devices_than_was_asked_for_is_an_error(people, tmp_path, monkeypatch):
    monkeypatch.setattr(Trainer, "world_size", 2)
    with pytest.raises(UserError, match="1 devices were asked for, and 2 train"):
        train(tiny_config(), tmp_path, Runtime(data=people, device="cpu", threads=1))


class StoppedError(Exception):
    """Before a step is taken."""


def loop_of(network: torch.nn.Module, folder: Path) -> TrainingLoop:
    """Without data: it is stopped before a step."""
    config = tiny_config()
    return TrainingLoop(
        network=network, loss_of=lambda *_: None, batches=Batches(DataLoader([0]), None, 1, 1), config=config.train,
        run=config, seed=0, measure=lambda _: {}, measure_every=1, last_checkpoint=folder / LAST_CHECKPOINT,
    )  # fmt: skip


IN_SLURM = {
    **{"SLURM_NTASKS": "1", "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train"},
    **{"SLURM_NODEID": "0", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"},
}


def test_inside_a_slurm_job_the_other_processes_are_started_here(tmp_path, monkeypatch):
    """Slurm's own environment would start none, and one process would train on its half of the data."""
    made = []

    def stop(trainer, *_, **__):
        made.append(trainer)
        raise StoppedError

    for name, value in IN_SLURM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Trainer, "fit", stop)
    with pytest.raises(StoppedError):
        run_loop(loop_of(torch.nn.Linear(1, 1), tmp_path), Runtime(data=tmp_path, device="cpu", devices=2))
    (trainer,) = made
    assert isinstance(trainer.strategy.cluster_environment, LightningEnvironment)
    assert trainer.strategy.launcher is not None and trainer.world_size == 2


def test_batch_norms_that_several_gpus_share_keep_their_activations(tmp_path, monkeypatch):
    """timm's batch norm applies the activation that comes after it."""
    network = torch.nn.Sequential(build_backbone(TimmConfig(name=LITE0, weights="none")), torch.nn.Identity())
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -1, 1)
    network.to(memory_format=Runtime.memory_format)  # as training has it, to the last digit
    images, weights = torch.randn(1, 3, 64, 64), dict(network.named_parameters())
    with torch.no_grad():
        before, names = network.eval()(images), list(network.state_dict())
    asked = {}

    def stop(**options):
        asked.update(options)
        raise StoppedError

    monkeypatch.setattr("poseur_lib.training.loop.L.Trainer", stop)
    monkeypatch.setattr(Runtime, "torch_device", torch.device("cuda"))
    loop = loop_of(network, tmp_path)
    with pytest.raises(StoppedError):
        run_loop(loop, Runtime(data=tmp_path, device="cuda", devices=2))
    assert asked["devices"] == 2 and not asked["sync_batchnorm"]  # Lightning's own would lose them
    norms = [one for one in loop.network.modules() if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)]
    assert norms and all(isinstance(one, torch.nn.SyncBatchNorm) for one in norms)
    with torch.no_grad():
        after = loop.network(images)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert list(loop.network.state_dict()) == names
    assert all(one is weights[name] for name, one in loop.network.named_parameters())
