"""Fine-tuning: weights of another run as a start, a frozen backbone, and a run that is resumed by another recipe."""

import pytest
import torch

from poseur_lib.checkpoints.checkpoint import load_model, read_weights
from poseur_lib.checkpoints.initial import checkpoint_sha256, initial_model, initialise
from poseur_lib.checkpoints.origin import trained_on_generated
from poseur_lib.checkpoints.released_convert import save_released
from poseur_lib.config import ExperimentConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.errors import UserError
from poseur_lib.models.build import build_model
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import train
from poseur_lib.training.folder import train_in_folder
from poseur_study.cli.main import main
from tests.training.tiny import tiny_config, write_people


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), train=24, val=4)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The folder of a run."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    train_in_folder(tiny_config(), folder, Runtime(data=data, device="cpu", threads=1))
    return folder


def state(folder):
    return load_model(folder / "model.pt")[0].state_dict()


def command(folder, data, *more) -> int:
    return main(["train", str(folder), "--data", str(data), "--device", "cpu", "--threads", "1", *map(str, more)])


def test_with_no_step_to_take_the_weights_are_those_it_starts_from(data, trained, tmp_path, capsys):
    still = {"train.learning_rate": 1e-30, "train.warmup_start_lr": 1e-31, "train.weight_decay": 0.0}
    config = tiny_config(seed=5, initial_sha256=checkpoint_sha256(trained), **still)
    train(config, tmp_path / "run", Runtime(data=data, device="cpu", threads=1), initial=trained)
    before, after = state(trained), state(tmp_path / "run")
    learned = [name for name, value in before.items() if value.is_floating_point() and "running" not in name]
    assert all(torch.equal(before[name], after[name]) for name in learned)
    assert f"{len(before)} of {len(before)} tensors are loaded (backbone " in capsys.readouterr().out


def test_a_frozen_backbone_keeps_weights_and_statistics_and_the_head_learns(data, trained, tmp_path):
    assert command(tmp_path / "run", data, "--init", trained, "--freeze", "backbone") == 0
    before, after = state(trained), state(tmp_path / "run")
    same = {name: torch.equal(before[name], after[name]) for name in before}
    assert all(kept for name, kept in same.items() if name.startswith("backbone."))
    assert not any(kept for name, kept in same.items() if name.startswith("head.") and name.endswith("sigma.2.weight"))
    config = ExperimentConfig.model_validate_json((tmp_path / "run" / "config.json").read_text())
    assert config.initial_sha256 == checkpoint_sha256(trained) and config.train.freeze == "backbone"
    assert config.model.head == tiny_config().model.head, "the checkpoint's own configuration"


def test_another_keypoint_set_takes_what_fits_and_says_the_rest(data, trained):
    model = build_model(tiny_config(**{"data.keypoint_set": "mpii16"}))
    done = initialise(model, initial_model(trained)[0].state_dict())
    new = [name for name in done.new if " (" in name]
    assert new and all("16" in name or "32" in name for name in new)
    assert len(done.loaded) + len(done.new) == len(model.state_dict()) and not done.left
    assert "new, from random weights: " in done.text("model.pt")


def test_a_run_that_is_not_at_its_end_gives_its_last_weights(data, trained, tmp_path):
    config = tiny_config(**{"train.epochs": 2})
    train(config, tmp_path / "run", Runtime(data=data, device="cpu", threads=1, limit_epochs=1))
    model, found = initial_model(tmp_path / "run")
    assert found == config
    last = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, last[f"network.{name}"]) for name, value in model.state_dict().items())
    averaged = tiny_config(**{"train.epochs": 2, "train.ema_decay": 0.5})
    train(averaged, tmp_path / "average", Runtime(data=data, device="cpu", threads=1, limit_epochs=1))
    last = torch.load(tmp_path / "average" / "last.ckpt", weights_only=True)["state_dict"]
    model, _ = initial_model(tmp_path / "average")
    assert all(torch.equal(value, last[f"average.module.{name}"]) for name, value in model.state_dict().items())


def test_a_run_on_generated_people_says_so_before_its_end(data, tmp_path, monkeypatch):
    monkeypatch.setattr(CocoPeople, "generated", True)
    config = tiny_config(**{"train.epochs": 2})
    train(config, tmp_path / "run", Runtime(data=data, device="cpu", threads=1, limit_epochs=1))
    last = tmp_path / "run" / "last.ckpt"
    assert trained_on_generated(last) and read_weights(last)["generated_data"] is True
    assert main(["convert", str(last), str(tmp_path / "model.pt")]) == 0 and trained_on_generated(tmp_path / "model.pt")


def test_a_released_file_starts_a_model(tmp_path):
    config = ExperimentConfig().with_changes(**{"model.backbone.weights": "none", "model.backbone.depth": 50})
    source, other = build_model(config), build_model(config)
    save_released(tmp_path / "released.pth", source, config)
    model, _ = initial_model(tmp_path / "released.pth", (256, 192))
    done = initialise(other, model.state_dict())
    assert not done.new and all(torch.equal(a, b) for a, b in zip(other.parameters(), source.parameters(), strict=True))


def test_what_fits_nothing_is_refused(trained):
    with pytest.raises(UserError, match=r"the checkpoint fits nothing of this model: it has layer\.weight"):
        initialise(build_model(tiny_config()), {"layer.weight": torch.zeros(3)})


def test_other_weights_than_the_configuration_names_are_refused(data, trained, tmp_path):
    config = tiny_config(initial_sha256="0" * 64)
    with pytest.raises(UserError, match=f"SHA-256 {'0' * 64}, and none is given"):
        train(config, tmp_path / "run", Runtime(data=data, device="cpu", threads=1))
    with pytest.raises(UserError, match=f"has {checkpoint_sha256(trained)}"):
        train(config, tmp_path / "run", Runtime(data=data, device="cpu", threads=1), initial=trained)


def test_another_learning_rate_in_the_same_folder_says_how_to_go_on(data, trained, tmp_path, capsys):
    slower = ("--set", "train.learning_rate=1e-4", "--init", trained)
    assert command(trained, data, *slower) == 1
    said = capsys.readouterr().err
    assert (
        "train.learning_rate 0.001, now 0.0001" in said and f"with --init {trained} it starts from the weights" in said
    )
    assert command(tmp_path / "slower", data, *slower) == 0


def test_an_input_size_that_would_be_ignored_is_refused(data, trained, tmp_path, capsys):
    plain = ("--set", "pretext=null", "--set", "model.backbone.weights=none")
    for more in (plain, ("--init", trained, "--profile", "smoke")):
        assert command(tmp_path / "run", data / "absent", "--input-size", "256x192", *more) == 1
        assert "--set 'data.input_size=[256,192]' says it" in capsys.readouterr().err
    assert command(tmp_path / "run", data / "absent", "--input-size", "256", *plain) == 1
    assert "size '256': give HEIGHTxWIDTH" in capsys.readouterr().err
