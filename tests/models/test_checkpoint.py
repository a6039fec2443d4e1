"""Checkpoints: what is written is read again, and every bad file is one clear line."""

import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poseur_lib.checkpoints.checkpoint import load_model, read_weights, save_weights
from poseur_lib.config import NarrowResNetConfig, PretextRunConfig
from poseur_lib.errors import UserError
from poseur_lib.models.backbones import build_backbone
from poseur_lib.models.build import build_model
from tests.training.tiny import tiny_config


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
