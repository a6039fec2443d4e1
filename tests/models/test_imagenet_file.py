"""The file that ImageNet weights were read from, with the hub's revision."""

import hashlib

import huggingface_hub
import pytest
import torch

from poseur_lib.config.backbone import HRNetConfig, HRNetStemConfig, MobileNetV2Config, ResNetConfig, ViTConfig
from poseur_lib.models.backbones.imagenet_file import starting_weights

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub's cache; returns what puts a file into it, as a download of the branch `main` does."""
    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))

    def put(repository, file, content):
        folder = cache / f"models--{repository.replace('/', '--')}"
        (folder / "snapshots" / REVISION).mkdir(parents=True)
        (folder / "snapshots" / REVISION / file).write_bytes(content)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text(REVISION)
        return hashlib.sha256(content).hexdigest()

    return put


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize(
    ("config", "repository"),
    [(HRNetConfig(width=48), "timm/hrnet_w48.ms_in1k"), (ViTConfig(), "timm/vit_base_patch16_224.mae")],
)
def test_timm_s_weights_are_named_with_their_revision(hub, config, repository, file):
    assert starting_weights(config) is None
    digest = hub(repository, file, b"weights")
    assert starting_weights(config) == (f"{repository}@{REVISION}/{file}", digest)
    assert starting_weights(config.with_changes(weights="none")) is None


@pytest.mark.parametrize(
    ("config", "file"),
    [(ResNetConfig(), "resnet50-0676ba61.pth"), (MobileNetV2Config(), "mobilenet_v2-b0353104.pth")],
)
def test_torchvision_s_weights_are_named(tmp_path, monkeypatch, config, file):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert starting_weights(config) is None
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / file).write_bytes(b"weights")
    assert starting_weights(config) == (file, hashlib.sha256(b"weights").hexdigest())


def test_a_backbone_without_imagenet_weights_names_none():
    assert starting_weights(HRNetStemConfig()) is None
