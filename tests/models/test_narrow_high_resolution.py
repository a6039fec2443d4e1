"""The stand-ins for HRNet and HRFormer, and backbones that end before res5 or with the finest map alone."""

import pytest
import torch

from poseur_lib.config import ExperimentConfig, HRFormerConfig, HRNetConfig, NarrowHighResolutionConfig
from poseur_lib.errors import UserError
from poseur_lib.models.backbones import build_backbone
from poseur_lib.models.build import build_model

SMALL_HEAD = {"embed_dims": 32, "num_heads": 2, "ffn_dims": 32, "norm_groups": 4, "decoder_layers": 1}


@pytest.mark.parametrize("block", ["residual", "transformer"])
def test_three_maps_and_every_weight_learns(block: str) -> None:
    net = build_backbone(NarrowHighResolutionConfig(block=block, width=8, weights="none"), (64, 48))
    maps = net(torch.randn(2, 3, 64, 48))
    assert [tuple(x.shape[1:]) for x in maps] == [(8, 16, 12), (16, 8, 6), (32, 4, 3)]
    assert net.channels == (8, 16, 32)
    sum((x * torch.randn_like(x)).sum() for x in maps).backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("block", ["residual", "transformer"])
def test_the_finest_map_alone_leaves_no_weight_unused(block: str) -> None:
    net = build_backbone(NarrowHighResolutionConfig(block=block, width=8, outputs="finest", weights="none"), (64, 48))
    (finest,) = net(torch.randn(2, 3, 64, 48))
    assert net.channels == (8,)
    (finest * torch.randn_like(finest)).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize(
    ("config", "millions"),
    [  # published sizes of the heatmap networks, whose last layer has less than 2,000 weights
        (HRNetConfig(width=32, outputs="finest", weights="none"), 28.5),
        (HRNetConfig(width=48, outputs="finest", weights="none"), 63.6),
        (HRFormerConfig(variant="tiny", outputs="finest"), 2.5),
        (HRFormerConfig(variant="base", outputs="finest"), 43.2),
    ],
)
def test_the_finest_map_alone_has_the_published_size(config: HRNetConfig | HRFormerConfig, millions: float) -> None:
    count = sum(parameter.numel() for parameter in build_backbone(config).parameters())
    assert round(count / 1e6, 1) == millions


def test_a_size_that_the_strides_do_not_divide_is_named() -> None:
    with pytest.raises(UserError, match=r"60x48.*narrow_hrnet8.*16"):
        build_backbone(NarrowHighResolutionConfig(width=8), (60, 48))


def test_poseur_takes_the_levels_that_are_there() -> None:
    changes = {
        "data.input_size": (64, 48),
        "model.backbone": {"kind": "narrow_high_resolution", "width": 8, "weights": "none"},
        **{f"model.head.{name}": value for name, value in SMALL_HEAD.items()},
    }
    with pytest.raises(UserError, match="res5: the backbone gives res2, res3, res4 only"):
        build_model(ExperimentConfig().with_changes(**changes))
    levels = {"model.head.feature_levels": ("res2", "res3", "res4")}
    model = build_model(ExperimentConfig().with_changes(**changes, **levels))
    assert model(torch.randn(1, 3, 64, 48)).keypoints.shape == (1, 17, 2)


@pytest.mark.parametrize("block", ["residual", "transformer"])
def test_weights_of_finer_maps_are_those_that_the_coarsest_one_does_not_depend_on(block: str) -> None:
    net = build_backbone(NarrowHighResolutionConfig(block=block, width=8, weights="none"), (64, 48))
    net(torch.randn(2, 3, 64, 48))[-1].square().sum().backward()
    unreached = {name for name, parameter in net.named_parameters() if parameter.grad is None}
    finer = {id(parameter) for parameter in net.of_finer_maps()}
    assert unreached and unreached == {name for name, one in net.named_parameters() if id(one) in finer}


def test_where_one_map_leaves_a_backbone_none_is_finer() -> None:
    with torch.device("meta"):
        nets = [build_backbone(HRNetConfig(outputs=which, weights="none")) for which in ("finest", "classification")]
    assert [net.of_finer_maps() for net in nets] == [(), ()]
