"""Backbones: published sizes, strides, and what is said where ImageNet weights cannot be had."""

from urllib.error import URLError

import pytest
import torch

from poseur_lib.config import NarrowResNetConfig, ResNetConfig
from poseur_lib.errors import UserError
from poseur_lib.models.backbones import build_backbone, map_sizes

TORCHVISION = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
"""Parameters with the classifier of 1000 classes, as torchvision's model pages print them."""


@pytest.mark.parametrize("depth", TORCHVISION)
def test_resnets_have_their_published_size_and_strides(depth):
    with torch.device("meta"):
        backbone = build_backbone(ResNetConfig(depth=depth, weights="none"))
        maps = backbone(torch.empty(1, 3, 256, 192))
    classifier = backbone.channels[-1] * 1000 + 1000
    assert sum(p.numel() for p in backbone.parameters()) == TORCHVISION[depth] - classifier
    assert backbone.channels == ((64, 128, 256, 512) if depth < 50 else (256, 512, 1024, 2048))
    assert [x.shape[1:] for x in maps] == [
        (channels, *size) for channels, size in zip(backbone.channels, map_sizes((256, 192)), strict=True)
    ]


@pytest.mark.parametrize("input_size", [(64, 48), (70, 50), (96, 72), (33, 31)])
def test_map_sizes_are_those_of_the_maps(input_size):
    for config in (NarrowResNetConfig(weights="none"), ResNetConfig(depth=18, weights="none")):
        with torch.device("meta"):
            maps = build_backbone(config)(torch.empty(1, 3, *input_size))
        assert tuple(tuple(x.shape[2:]) for x in maps) == map_sizes(input_size)


def test_narrow_resnet_of_resnet18s_widths_is_resnet18():
    """The same stem, blocks and shortcuts: as many parameters, in the same shapes."""
    narrow = NarrowResNetConfig(widths=(64, 128, 256, 512), blocks=(2, 2, 2, 2), weights="none")
    with torch.device("meta"):
        ours, theirs = build_backbone(narrow), build_backbone(ResNetConfig(depth=18, weights="none"))
    assert [p.shape for p in ours.parameters()] == [p.shape for p in theirs.parameters()]


def test_no_network_for_imagenet_weights(monkeypatch):
    def refused(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refused)
    with pytest.raises(UserError, match=r"ImageNet weights of resnet18 .*no route to host") as e:
        build_backbone(ResNetConfig(depth=18, weights="imagenet"))
    assert "\n" not in str(e.value) and "choose model.backbone.weights" in str(e.value)


def test_imagenet_weights_are_used_where_there_are_any(monkeypatch):
    with torch.random.fork_rng():
        torch.manual_seed(7)
        published = {k: torch.randn_like(v.float()).to(v.dtype) for k, v in _resnet18_state().items()}
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: published)
    backbone = build_backbone(ResNetConfig(depth=18, weights="imagenet"))
    assert all(torch.equal(value, published[name]) for name, value in backbone.state_dict().items())


def _resnet18_state():
    from torchvision.models import resnet18

    return resnet18(weights=None).state_dict()
