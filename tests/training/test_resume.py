"""A run that was cut off and resumed equals one that was not, weight by weight."""

import gc
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch

from poseur_lib.config import ExperimentConfig
from poseur_lib.config.training import PretextConfig
from poseur_lib.errors import UserError
from poseur_lib.runtime import Runtime
from poseur_lib.training.batches import steps_of_epoch
from poseur_lib.training.curve import read_curve
from poseur_lib.training.fit import pose_loss, train
from tests.study.fakes import flip_bits
from tests.training.tiny import tiny_config, write_people


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), train=24, val=4)


def weights(folder) -> dict[str, torch.Tensor]:
    return torch.load(folder / "model.pt", weights_only=True)["state_dict"]


KILLED_AFTER_TWO_EPOCHS = """
import os, signal, sys
from pathlib import Path
from poseur_lib.config import ExperimentConfig
from poseur_lib.training import fit, loop
from poseur_lib.runtime import Runtime

save = loop.TrainingLoop._save
def save_and_die(self):
    save(self)
    if len(self.curve) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
loop.TrainingLoop._save = save_and_die
config, data, folder, workers, on_device = sys.argv[1:]
config = ExperimentConfig.model_validate_json(config)
runtime = Runtime(data=Path(data), device="cpu", threads=1, loader_workers=int(workers), data_on_device=on_device)
fit.train(config, Path(folder), runtime)
"""


@pytest.mark.parametrize(("loader_workers", "on_device"), [(0, "no"), (2, "no"), (2, "yes")])
def test_a_killed_run_resumes_bitwise_equal(data, tmp_path, loader_workers, on_device):
    config = tiny_config(**{"train.epochs": 4, "model.head.dropout": 0.1, "evaluation.curve_every": 2})
    runtime = Runtime(data=data, device="cpu", threads=1, loader_workers=loader_workers, data_on_device=on_device)
    unbroken = train(config, tmp_path / "unbroken", runtime)
    arguments = (config.model_dump_json(), str(data), str(tmp_path / "resumed"), str(loader_workers), on_device)
    killed = subprocess.run([sys.executable, "-c", KILLED_AFTER_TWO_EPOCHS, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(read_curve(tmp_path / "resumed" / "curve.json")) == 2
    limited = train(config, tmp_path / "resumed", replace(runtime, limit_epochs=3))
    assert len(limited) == 3 and not (tmp_path / "resumed" / "model.pt").exists()
    resumed = train(config, tmp_path / "resumed", runtime)
    a, b = ([point.model_copy(update={"seconds": 0.0}) for point in curve] for curve in (resumed, unbroken))
    assert a == b
    ours, theirs = weights(tmp_path / "resumed"), weights(tmp_path / "unbroken")
    assert ours.keys() == theirs.keys()
    different = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    assert not different


@pytest.mark.parametrize("on_device", ["no", "yes"])
def test_no_reading_process_outlives_its_training(data, tmp_path, on_device):
    runtime = Runtime(data=data, device="cpu", threads=1, loader_workers=2, data_on_device=on_device)
    gc.disable()  # which would end them, five seconds each
    before = set(active_children())
    try:
        train(tiny_config(**{"train.epochs": 2}), tmp_path, runtime)
        assert set(active_children()) <= before
    finally:
        gc.enable()


def test_seeds_differ(data, tmp_path):
    runtime = Runtime(data=data, device="cpu", threads=1)
    for seed in (0, 1):
        train(tiny_config(seed=seed), tmp_path / str(seed), runtime)
    ours, theirs = weights(tmp_path / "0"), weights(tmp_path / "1")
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_damaged_checkpoint_is_one_clear_error(data, tmp_path):
    """torch.load takes flipped bits of a value for values, and says of other damage what names no file."""
    config, runtime = tiny_config(**{"train.epochs": 2}), Runtime(data=data, device="cpu", threads=1)
    train(config, tmp_path, replace(runtime, limit_epochs=1))
    checkpoint = tmp_path / "last.ckpt"
    content = checkpoint.read_bytes()
    with zipfile.ZipFile(checkpoint) as archive:
        pickled = next(one.header_offset for one in archive.infolist() if one.filename.endswith("data.pkl"))
        size = archive.start_dir + 20  # of its first part as stored, which zipfile does not look at
    flip_bits(checkpoint)
    assert torch.load(checkpoint, weights_only=True)["epoch"] == 0
    flipped = [checkpoint.read_bytes(), *(_flipped(content, at) for at in (pickled + 264, size))]
    for damaged in (*flipped, content[:-1], content[: len(content) // 2], b"", b"not a checkpoint" * 100):
        checkpoint.write_bytes(damaged)
        with pytest.raises(UserError) as error:
            train(config, tmp_path, runtime)
        assert str(error.value) == f"{checkpoint} is cut off or damaged: delete it, and training starts anew"
    checkpoint.unlink()
    assert len(train(config, tmp_path, replace(runtime, limit_epochs=1))) == 1


def _flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_damage_between_training_and_record_is_one_clear_error(data, tmp_path):
    config, runtime = tiny_config(), Runtime(data=data, device="cpu", threads=1)
    curve = train(config, tmp_path, runtime)
    model, last, drawn = (tmp_path / name for name in ("model.pt", "last.ckpt", "curve.json"))
    whole, text = model.read_bytes(), drawn.read_bytes()
    for way in ("goes on from last.ckpt", "starts anew"):
        for damaged in (partial(flip_bits, model), partial(model.write_bytes, whole[: len(whole) // 2])):
            damaged()
            with pytest.raises(UserError) as error:
                train(config, tmp_path, runtime)
            assert str(error.value) == f"{model} is cut off or damaged: delete it, and training {way}"
            model.write_bytes(whole)
        drawn.write_bytes(text[: len(text) // 2])
        if last.exists():  # it has the curve
            assert train(config, tmp_path, runtime) == curve
            assert drawn.read_bytes() == text
            last.unlink()
    with pytest.raises(UserError) as error:
        train(config, tmp_path, runtime)
    assert str(error.value).startswith(f"{drawn}: not valid JSON at line ")
    assert str(error.value).endswith(f"; last.ckpt, which has it too, is gone: delete {drawn} to train anew")
    drawn.write_bytes(text)
    assert train(config, tmp_path, runtime) == curve


@pytest.mark.parametrize("change", [{"train.learning_rate": 0.01}, {"model.head.decoder_layers": 3}])
def test_a_checkpoint_of_another_configuration_is_refused(data, tmp_path, change):
    """It would train on, and the weights would be stored under a configuration that they do not come from."""
    runtime = Runtime(data=data, device="cpu", threads=1)
    train(tiny_config(**{"train.epochs": 2}), tmp_path, replace(runtime, limit_epochs=1))
    part = next(iter(change)).split(".")[0]
    with pytest.raises(UserError, match=rf"last\.ckpt is of a run with another {part}:"):
        train(tiny_config(**{"train.epochs": 2, **change}), tmp_path, runtime)


def test_a_limit_that_is_behind_what_is_trained_gives_what_is_there(data, tmp_path, capsys):
    config, runtime = tiny_config(**{"train.epochs": 3, "train.warmup_steps": 9}), Runtime(data=data, threads=1)
    two = train(config, tmp_path, replace(runtime, limit_epochs=2))
    assert len(two) == 2 and capsys.readouterr().err.count("train.warmup_steps=9 of 9") == 1
    assert train(config, tmp_path, replace(runtime, limit_epochs=1)) == two
    assert len(train(config, tmp_path, runtime)) == 3
    (tmp_path / "model.pt").unlink()
    assert len(train(config, tmp_path, replace(runtime, limit_epochs=1))) == 3 and (tmp_path / "model.pt").exists()


def test_a_loss_that_is_not_finite_stops_the_run(data, tmp_path, monkeypatch):
    config, runtime = tiny_config(**{"train.epochs": 3}), Runtime(data=data, device="cpu", threads=1)
    train(config, tmp_path, replace(runtime, limit_epochs=1))

    def poisoned(model, batch, **supervision):
        losses = pose_loss(model, batch, **supervision)
        terms = {**losses.terms, "layer_1": losses.terms["layer_1"] * float("nan")}
        return losses._replace(total=losses.total * float("nan"), terms=terms)

    monkeypatch.setattr("poseur_lib.training.fit.pose_loss", poisoned)
    with pytest.raises(UserError, match=r"loss term 'layer_1' is nan at step 3; last good checkpoint: .*last\.ckpt"):
        train(config, tmp_path, runtime)
    monkeypatch.undo()
    assert len(train(config, tmp_path, runtime)) == 3


def test_too_few_people_for_a_batch(data, tmp_path):
    with pytest.raises(UserError, match=r"24 people has no batch of train\.global_batch 32"):
        train(tiny_config(**{"train.global_batch": 32}), tmp_path, Runtime(data=data, device="cpu", threads=1))
    said = (
        r"29 people has .* of pretext\.global_batch 32: --set pretext\.global_batch=29 or less, or pretext\.people_per_"
    )
    with pytest.raises(UserError, match=said):
        steps_of_epoch(PretextConfig(), 29, knobs="pretext")
    assert steps_of_epoch(PretextConfig(people_per_epoch=32), 29, knobs="pretext") == 1


def test_split_batch():
    runtime = Runtime(data=Path(), devices=2, batch_per_device=32)
    assert runtime.split_batch(256) == (32, 4)
    assert Runtime(data=Path()).split_batch(256) == (256, 1)
    with pytest.raises(UserError, match="100 is no multiple of 2 devices x 32"):
        runtime.split_batch(100)


def test_tiny_config_is_a_configuration():
    assert ExperimentConfig.model_validate_json(tiny_config().model_dump_json()) == tiny_config()


def test_a_trained_model_is_never_trained_again(data, tmp_path):
    config, runtime = tiny_config(), Runtime(data=data, device="cpu", threads=1)
    curve = train(config, tmp_path, runtime)
    (tmp_path / "last.ckpt").unlink()
    before = (tmp_path / "model.pt").read_bytes()
    assert train(config, tmp_path, replace(runtime, data=tmp_path / "gone")) == curve
    assert (tmp_path / "model.pt").read_bytes() == before


@pytest.mark.parametrize("first", [torch.contiguous_format, torch.channels_last])
def test_a_run_goes_on_where_weights_lie_otherwise_in_memory(tmp_path, monkeypatch, first):
    """As from a processor to a GPU and back: the moments of AdamW belong to the same weights as before."""
    data = write_people(tmp_path / "data", train=16, val=4)
    config, runtime = tiny_config(**{"train.epochs": 3}), Runtime(data=data, device="cpu", threads=1)
    plain = train(config, tmp_path / "plain", runtime)
    then = torch.channels_last if first == torch.contiguous_format else torch.contiguous_format
    monkeypatch.setattr(Runtime, "memory_format", first)
    train(config, tmp_path / "moved", replace(runtime, limit_epochs=1))
    monkeypatch.setattr(Runtime, "memory_format", then)
    moved = train(config, tmp_path / "moved", runtime)
    assert [point.loss for point in moved] == pytest.approx([point.loss for point in plain], rel=1e-5)
