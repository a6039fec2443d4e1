"""HRNet, HRFormer, ViT, MobileNetV2 and timm's models: interface, sizes that fit, weights, training."""

import pytest
import timm
import torch
from torch.nn.functional import interpolate

from poseur_lib.config import (
    ExperimentConfig,
    HRFormerConfig,
    HRNetConfig,
    MobileNetV2Config,
    TimmConfig,
    ViTConfig,
)
from poseur_lib.errors import UserError
from poseur_lib.models.backbones import build_backbone, map_sizes
from poseur_lib.models.backbones.hrformer import WindowAttention
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseTargets

PYRAMIDS = [
    HRFormerConfig(variant="tiny"),
    MobileNetV2Config(weights="none"),
    TimmConfig(name="convnext_atto", weights="none"),
    TimmConfig(name="swin_s3_tiny_224", weights="none"),
    TimmConfig(name="maxvit_rmlp_pico_rw_256", weights="none"),
]


@pytest.mark.parametrize("config", PYRAMIDS, ids=lambda config: config.name)
def test_pyramids_have_their_channels_and_sizes(config):
    size = (64, 96)
    backbone = build_backbone(config, size).eval()
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, *size))
    expected = [(c, *hw) for c, hw in zip(backbone.channels, map_sizes(size), strict=True)]
    assert [tuple(x.shape[1:]) for x in maps] == expected


@pytest.mark.parametrize("config", [HRNetConfig(weights="none"), HRFormerConfig(variant="tiny")], ids=str)
def test_fusion_needs_multiples_of_32(config):
    with pytest.raises(UserError, match=rf"input size 256x200 does not fit {config.name}: .* multiples of 32"):
        build_backbone(config, (256, 200))
    if config.name == "hrformer_tiny":
        with pytest.raises(UserError, match="input size 48x64 does not fit hrformer_tiny"):
            build_backbone(config)(torch.zeros(1, 3, 48, 64))


def test_the_model_of_a_configuration_checks_its_input_size():
    with pytest.raises(UserError, match="input size 250x192 does not fit hrnet_w32"):
        build_model(
            ExperimentConfig().with_changes(
                **{"data.input_size": [250, 192], "model.backbone": {"kind": "hrnet", "weights": "none"}}
            )
        )


def test_vit_is_made_for_one_size():
    with pytest.raises(UserError, match=r"input size 250x192 does not fit vit_base: .* multiples of 16"):
        build_backbone(ViTConfig(weights="none"), (250, 192))
    with torch.device("meta"):
        backbone = build_backbone(ViTConfig(weights="none"), (32, 48))
        (x,) = backbone(torch.zeros(1, 3, 32, 48))
        assert x.shape == (1, 768, 2, 3) and backbone.pos_embed.shape == (1, 7, 768)
        with pytest.raises(UserError, match="input size 64x48 does not fit vit_base for 32x48"):
            backbone(torch.zeros(1, 3, 64, 48))


def test_vit_needs_the_deconvolution_neck():
    with pytest.raises(ValueError, match=r"backbone vit_base gives one map: head.neck must be 'deconvolution'"):
        ExperimentConfig().with_changes(**{"model.backbone": {"kind": "vit", "weights": "none"}})
    with pytest.raises(ValueError, match="cannot be chosen with the deconvolution neck"):
        ExperimentConfig().with_changes(
            **{"model.head.neck": "deconvolution", "model.head.feature_levels": ["res4", "res5"]}
        )


@pytest.mark.parametrize("config", [ViTConfig(weights="none"), HRFormerConfig(variant="tiny")], ids=["vit", "hrformer"])
def test_transformers_take_every_block_in_training(config):
    """The released configurations train with stochastic depth."""
    with torch.device("meta"):
        modules = list(build_backbone(config, (64, 64)).train().modules())
    assert not any(isinstance(one, timm.layers.DropPath) for one in modules)


def test_windows_do_not_see_each_other():
    torch.manual_seed(0)
    attention = WindowAttention(8, 2).eval()
    x = torch.randn(1, 14, 14, 8)
    changed = x.clone()
    changed[:, :7, :7] += 1
    with torch.no_grad():
        moved = (attention(changed) - attention(x)).abs().amax(dim=-1)[0]
    assert (moved[:7, :7] > 0).all() and moved[7:].eq(0).all() and moved[:, 7:].eq(0).all()


def test_timm_names_that_do_not_exist_or_give_no_pyramid():
    with pytest.raises(UserError, match="has no model 'convnext_tinny'"):
        build_backbone(TimmConfig(name="convnext_tinny", weights="none"))
    with pytest.raises(UserError, match=r"'vit_tiny_patch16_224' gives maps of strides .*: \[4, 8, 32\] are missing"):
        build_backbone(TimmConfig(name="vit_tiny_patch16_224", weights="none"))
    with pytest.raises(ValueError, match="name"):
        TimmConfig(name="../convnext")


def test_timm_maps_with_channels_innermost_are_turned_also_where_one_is_as_high_as_it_has_channels():
    with torch.device("meta"):
        backbone = build_backbone(TimmConfig(name="mambaout_femto", weights="none"), (192, 144))
        maps = backbone(torch.zeros(1, 3, 192, 144))
    assert [x.shape[1] for x in maps] == list(backbone.channels) and maps[0].shape == (1, 48, 48, 36)


def test_a_timm_model_that_takes_no_such_crops_is_refused_when_it_is_built():
    with pytest.raises(UserError, match=r"timm model 'gcvit_xxtiny' cannot take crops of 64x48 \("):
        build_backbone(TimmConfig(name="gcvit_xxtiny", weights="none"), (64, 48))


def test_what_timm_makes_as_it_is_draws_the_same_random_numbers():
    """The size is tried without weights: it moves neither the state dict nor the numbers that a head is made of."""
    torch.manual_seed(0)
    timm.create_model("convnext_atto", features_only=True)
    timm.create_model("convnext_atto", features_only=True, out_indices=(0, 1, 2, 3))
    before = torch.get_rng_state()
    torch.manual_seed(0)
    build_backbone(TimmConfig(name="convnext_atto", weights="none"), (64, 48))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_timm_model_trains():
    """`timm:convnext_tiny` in small: every parameter of backbone and head gets a gradient."""
    config = ExperimentConfig().with_changes(
        **{
            "data.input_size": [64, 48],
            "model.backbone": {"kind": "timm", "name": "convnext_atto", "weights": "none"},
            "model.head.embed_dims": 32,
            "model.head.decoder_layers": 1,
        }
    )
    torch.manual_seed(0)
    model = build_model(config).train()
    targets = PoseTargets(torch.rand(2, 17, 2), torch.ones(2, 17, dtype=torch.bool))
    model.loss(torch.randn(2, 3, 64, 48), targets).total.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_imagenet_weights_of_hrnet_are_timms(monkeypatch):
    make = timm.create_model
    torch.manual_seed(0)
    theirs = make("hrnet_w32", pretrained=False)
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: {("hrnet_w32", True): theirs}[name, pretrained])
    state = theirs.state_dict()
    ours = build_backbone(HRNetConfig(width=32)).state_dict()
    assert all(torch.equal(value, state[name]) for name, value in ours.items())


def test_imagenet_weights_of_vit_are_resampled(monkeypatch):
    make = timm.create_model
    theirs = make("vit_base_patch16_224", pretrained=False, num_classes=0)
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: theirs)
    ours = build_backbone(ViTConfig(), (256, 192))
    assert torch.equal(ours.blocks[3].attn.qkv.weight, theirs.blocks[3].attn.qkv.weight)
    assert torch.equal(ours.last_norm.weight, theirs.norm.weight)
    assert torch.equal(ours.pos_embed[:, 0], theirs.pos_embed[:, 0])
    grid = theirs.pos_embed[:, 1:].unflatten(1, (14, 14)).movedim(3, 1)
    grid = interpolate(grid, size=(16, 12), mode="bicubic", antialias=True)
    torch.testing.assert_close(ours.pos_embed[:, 1:], grid.flatten(2).transpose(1, 2))


def test_no_network_for_timms_weights(monkeypatch):
    def refused(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", refused)
    with pytest.raises(UserError, match=r"ImageNet weights of hrnet_w32 .*no route to host.*choose model.backbone"):
        build_backbone(HRNetConfig())
