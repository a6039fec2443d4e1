"""Checkpoints: what is written is read again, and every bad file is one clear line."""

import json
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poseur_lib.checkpoints.checkpoint import FORMAT, NETWORK, load_model, read_weights, save_weights
from poseur_lib.checkpoints.released_load import load_released
from poseur_lib.config import NarrowResNetConfig, PretextRunConfig
from poseur_lib.errors import UserError
from poseur_lib.models.backbones import build_backbone
from poseur_lib.models.build import build_model
from poseur_study.cli.main import main
from tests.training.tiny import tiny_config, write_people


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_model(tiny_config())


@pytest.fixture
def checkpoint(model, tmp_path):
    save_weights(tmp_path / "model.pt", model, tiny_config())
    return tmp_path / "model.pt"


def test_round_trip(model, checkpoint):
    loaded, config = load_model(checkpoint)
    assert config == tiny_config() and not loaded.training
    theirs = loaded.state_dict()
    assert all(torch.equal(value, theirs.pop(name)) for name, value in model.state_dict().items()) and not theirs
    assert [path.name for path in checkpoint.parent.iterdir()] == ["model.pt"], "no partial file stays"


def test_imagenet_weights_are_not_fetched_again_to_load_a_trained_model(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refused)
    backbone = {"kind": "resnet", "depth": 18, "weights": "none"}
    trained = build_model(tiny_config(**{"model.backbone": backbone}))
    config = tiny_config(**{"model.backbone": {**backbone, "weights": "imagenet"}})
    save_weights(tmp_path / "model.pt", trained, config)
    assert load_model(tmp_path / "model.pt")[1] == config


def assert_one_line(path: Path, says: str):
    with pytest.raises(UserError, match=says) as error:
        load_model(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_missing_file(tmp_path):
    assert_one_line(tmp_path / "model.pt", "no such checkpoint")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_cut_off_file(checkpoint, share):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(share * len(content))])
    assert_one_line(checkpoint, "model.pt is ")


class Harmful:
    """Runs code when it is unpickled by a reader that allows it."""

    def __reduce__(self):
        return (Path.touch, (Path("harmed"),))


def test_pickles_that_run_code_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pt"
    torch.save({"format": "poseur_lib 1", "config": "{}", "state_dict": Harmful()}, path)
    assert_one_line(path, "could run code")
    path.write_bytes(pickle.dumps(Harmful()))
    assert_one_line(path, "model.pt is ")
    assert not (tmp_path / "harmed").exists()


@given(st.binary(max_size=80))
def test_any_bytes_are_one_clear_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"bytes\.pt is "):
        read_weights(path)


def test_files_of_other_projects(tmp_path, model):
    torch.save(model.state_dict(), tmp_path / "model.pt")
    assert_one_line(tmp_path / "model.pt", "not a checkpoint of this project")


def test_a_backbone_is_no_model(tmp_path):
    config = PretextRunConfig(backbone=NarrowResNetConfig(weights="none"))
    save_weights(tmp_path / "backbone.pt", build_backbone(config.backbone), config)
    assert_one_line(tmp_path / "backbone.pt", "holds no model that this version can build: kind")


def test_weights_of_another_configuration(tmp_path, model):
    save_weights(tmp_path / "model.pt", model, tiny_config(**{"model.head.decoder_layers": 3}))
    assert_one_line(tmp_path / "model.pt", "weights and configuration do not fit")


def with_weight(checkpoint: Path, value, name: str = "backbone.stem.0.weight") -> Path:
    content = torch.load(checkpoint)
    content["state_dict"][name] = value(content["state_dict"][name])
    torch.save(content, checkpoint)
    return checkpoint


WEIGHTS = {
    "values of .* are NaN or infinite": lambda weight: weight.index_fill(0, torch.tensor([0]), float("nan")),
    "1 of .* values of .* are NaN or infinite": lambda weight: weight.double().index_put(
        (torch.tensor([0]),) * 4, torch.tensor(1e300, dtype=torch.float64)
    ),
    "has values of type int64, and float32 is expected": lambda weight: weight.long(),
    "has values of type complex64, and float32": lambda weight: weight.to(torch.complex64),
    "is no plain tensor": lambda weight: weight.to_sparse(),
    "1 mis-shaped": lambda weight: weight[:1],
    "is no tensor": lambda weight: weight.tolist(),
}


@pytest.mark.parametrize("says", WEIGHTS)
def test_weights_that_are_none_are_refused_by_load_convert_and_export_alike(checkpoint, tmp_path, capsys, says):
    with_weight(checkpoint, WEIGHTS[says])
    assert_one_line(checkpoint, says)
    for arguments in (["convert", checkpoint, tmp_path / "to.pt"],
                      ["export", tmp_path / "to.onnx", "--checkpoint", checkpoint]):  # fmt: skip
        assert main([str(argument) for argument in arguments]) == 1
        assert re.search(says, capsys.readouterr().err)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_a_negative_variance_is_refused_by_load_convert_and_export_alike(checkpoint, tmp_path, capsys):
    name = next(name for name in read_weights(checkpoint)["state_dict"] if name.endswith("running_var"))
    with_weight(checkpoint, lambda variance: variance.index_fill(0, torch.tensor([1]), -0.5), name)
    assert_one_line(checkpoint, says := f"{name} has the value -0.5, and a variance is not negative")
    for arguments in (["convert", checkpoint, tmp_path / "to.pt"],
                      ["export", tmp_path / "to.onnx", "--checkpoint", checkpoint]):  # fmt: skip
        assert main([str(argument) for argument in arguments]) == 1
        assert says in capsys.readouterr().err
    with_weight(checkpoint, torch.zeros_like, name)
    load_model(checkpoint)


def test_weights_that_give_no_numbers_are_named_by_evaluate(checkpoint, tmp_path, capsys):
    """Each is finite, and their sums are not."""
    data = write_people(tmp_path / "people", 1, 1)
    with_weight(checkpoint, lambda weight: torch.full_like(weight, 3e38))
    arguments = ["evaluate", "--checkpoint", checkpoint, "--data", data, "--device", "cpu", "--plain", "--no-flip"]
    assert main([str(argument) for argument in arguments]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith(f"poseur: {checkpoint}: the model's predictions: keypoints[0, ") and line.endswith("is nan")


def test_half_precision_is_the_same_weights(model, checkpoint):
    loaded, _ = load_model(with_weight(checkpoint, lambda weight: weight.half()))
    name = "backbone.stem.0.weight"
    assert torch.equal(loaded.state_dict()[name], model.state_dict()[name].half().float())


def test_what_training_goes_on_from_is_a_checkpoint_too(model, tmp_path):
    state = {f"{NETWORK}{name}": value for name, value in model.state_dict().items()}
    run = {"run": tiny_config().model_dump_json(), "state_dict": state, "epoch": 3, "curve": [], "best": np.float64(2)}
    torch.save(run, tmp_path / "last.ckpt")
    for loaded, config in (load_model(tmp_path / "last.ckpt"), load_released(tmp_path / "last.ckpt")):
        assert config == tiny_config()
        assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_a_configuration_that_asks_for_too_much_gets_no_memory(model, tmp_path):
    wide = tiny_config().model_dump(mode="json")
    wide["model"]["head"] |= {"embed_dims": 2**15, "ffn_dims": 2**16, "decoder_layers": 900, "norm_groups": 8}
    content = {"format": FORMAT, "config": json.dumps(wide), "state_dict": model.state_dict()}
    torch.save(content, tmp_path / "model.pt")
    assert_one_line(tmp_path / "model.pt", "its configuration asks for .* weights, more than")
    wide["model"]["head"]["decoder_layers"] = 10**9
    torch.save(content | {"config": json.dumps(wide)}, tmp_path / "model.pt")
    assert_one_line(tmp_path / "model.pt", "decoder_layers = 1000000000: input should be less than or equal to 1000")


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.pt")
    assert_one_line(tmp_path / "model.pt", "not a regular file")
