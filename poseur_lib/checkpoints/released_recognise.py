"""The configuration of a released state_dict, read off its names and shapes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from poseur_lib.config import (
    HRFormerConfig,
    HRNetConfig,
    MobileNetV2Config,
    ModelConfig,
    PoseurConfig,
    ResNetConfig,
    RLELossConfig,
    ViTConfig,
)
from poseur_lib.config.backbone import BackboneConfig
from poseur_lib.config.keypoints import KeypointChoice
from poseur_lib.errors import UserError
from poseur_lib.keypoints import CROWDPOSE_14, KEYPOINT_SETS, LSP_14, keypoint_set
from poseur_lib.models.backbones import LEVELS, build_backbone
from poseur_lib.models.backbones.hrformer import VARIANTS
from poseur_lib.models.backbones.vit import PATCH

State = Mapping[str, Tensor]
Size = tuple[int, int]

RESNETS: dict[tuple[tuple[int, ...], bool], int] = {
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
}
"""Depth of a ResNet: blocks per layer, and whether they are bottlenecks."""
HRNET_WIDTHS = (32, 48)
INPUT_SIZES: dict[tuple[str, str], tuple[Size, ...]] = {
    ("resnet50", "coco17"): ((256, 192),),
    ("resnet152", "coco17"): ((256, 192),),
    ("mobilenetv2", "coco17"): ((256, 192),),
    ("hrnet_w32", "coco17"): ((256, 192),),
    ("hrnet_w48", "coco17"): ((384, 288),),
    ("hrformer_tiny", "coco17"): ((256, 192),),
    ("hrformer_small", "coco17"): ((256, 192),),
    ("hrformer_base", "coco17"): ((256, 192), (384, 288)),
    ("vit_base", "coco17"): ((256, 192),),
    ("resnet50", "mpii16"): ((256, 256),),
    ("resnet50", "coco_wholebody133"): ((256, 192),),
    ("hrnet_w32", "coco_wholebody133"): ((256, 192),),
    ("hrnet_w48", "coco_wholebody133"): ((256, 192),),
}
"""Input sizes (height, width) that the released configurations and Table 5 have for a backbone and a keypoint set."""

RELEASED_SETS = tuple(known for known in KEYPOINT_SETS if known not in (LSP_14, CROWDPOSE_14))
"""Of released models: one of 14 keypoints would be CrowdPose's, in another order than LSP's."""
_TRANSFORMER = "keypoint_head.transformer."
_LAYER = f"{_TRANSFORMER}decoder.layers"


@dataclass(frozen=True)
class Recognised:
    """What a released state_dict tells.

    Attributes:
        input_sizes: the released sizes (height, width) that it fits; the weights themselves do not tell.
        tokens: patches of ViT's position embedding, None for other backbones.
    """

    model: ModelConfig
    keypoint_set: KeypointChoice
    input_sizes: tuple[Size, ...]
    tokens: int | None


def recognise(state: State, keypoints: KeypointChoice | None = None) -> Recognised:
    """Backbone, neck, decoder and keypoint set of a released state_dict.

    Args:
        keypoints: the keypoint set; None takes the only built-in one of as many keypoints as the weights have.

    Raises:
        UserError: it is none, or none of the backbones that are known, or the keypoints are not told; the message says
            what is odd.
    """
    model = recognise_model(state)
    count = _shape(state, f"{_TRANSFORMER}pos_embed.weight")[0]
    chosen = _the_set(count) if keypoints is None else keypoints
    if (own := keypoint_set(chosen)).num_keypoints != count:
        raise UserError(f"keypoint set {own.name!r} has {own.num_keypoints} keypoints, the weights {count}")
    tokens = None
    sizes = INPUT_SIZES.get((model.backbone.name, chosen), ()) if isinstance(chosen, str) else ()
    if isinstance(model.backbone, ViTConfig):
        tokens = _shape(state, "backbone.pos_embed")[1] - 1
        sizes = tuple((h, w) for h, w in sizes if h * w == tokens * PATCH**2)
    return Recognised(model, chosen, sizes, tokens)


def recognise_model(state: State) -> ModelConfig:
    """Backbone, neck and decoder of a released state_dict, whatever its keypoints are.

    Raises:
        UserError: it is none, or none of the backbones that are known.
    """
    if not any(name.startswith("keypoint_head.") for name in state):
        raise UserError(f"no state_dict of the released code: none of {[*state][:2]}... begins with 'keypoint_head.'")
    backbone = recognise_backbone(state)
    return ModelConfig(backbone=backbone, head=_recognise_head(state, backbone))


def _the_set(count: int) -> str:
    """The only set of released models with so many keypoints; weights do not tell two of them apart."""
    sets = [known.name for known in RELEASED_SETS if known.num_keypoints == count]
    if len(sets) == 1:
        return sets[0]
    known = ", ".join(str(keypoints.num_keypoints) for keypoints in RELEASED_SETS)
    why = f"{' and '.join(sets)} have as many" if sets else f"known are sets of {known}"
    raise UserError(f"the state_dict is of {count} keypoints; {why}: say which they are, by"
                    " keypoint_set or by --keypoints of `poseur convert`")  # fmt: skip


def recognise_backbone(state: State) -> BackboneConfig:
    """Family, depth and width of the backbone, without weights.

    Raises:
        UserError: no known backbone has these names and shapes.
    """
    if "backbone.pos_embed" in state:
        return ViTConfig(weights="none")
    if "backbone.conv1.conv.weight" in state:
        return MobileNetV2Config(weights="none")
    if "backbone.transition1.0.0.weight" in state:
        return _high_resolution(state)
    blocks = tuple(_count(state, rf"backbone\.layer{number}\.(\d+)\.conv1\.weight") for number in (1, 2, 3, 4))
    bottleneck = "backbone.layer1.0.conv3.weight" in state
    if (blocks, bottleneck) not in RESNETS:
        raise UserError(f"unknown backbone: {sum(blocks)} residual blocks {blocks} and no names of another family")
    return ResNetConfig(weights="none").with_changes(depth=RESNETS[blocks, bottleneck])


def _high_resolution(state: State) -> BackboneConfig:
    width = _shape(state, "backbone.transition1.0.0.weight")[0]
    if any(".attn.attn." in name for name in state):
        for name, variant in VARIANTS.items():
            if variant.widths[0] == width:
                return HRFormerConfig().with_changes(variant=name)
        raise UserError(f"unknown backbone: HRFormer of width {width}")
    if width not in HRNET_WIDTHS:
        raise UserError(f"unknown backbone: HRNet of width {width}; known are {HRNET_WIDTHS}")
    return HRNetConfig(weights="none").with_changes(width=width)


def _recognise_head(state: State, backbone: BackboneConfig) -> PoseurConfig:
    dims = _shape(state, f"{_TRANSFORMER}level_embeds")[1]
    heads = _shape(state, f"{_LAYER}.0.attentions.1.value_proj_bias.weight")[0]
    deconvolution = any(name.startswith("neck.deconv_layers.") for name in state)
    levels = LEVELS if deconvolution else _levels(state, backbone)
    head = PoseurConfig().with_changes(
        neck="deconvolution" if deconvolution else "projection",
        embed_dims=dims,
        num_heads=heads,
        feature_levels=list(levels),
        ffn_dims=_shape(state, f"{_LAYER}.0.ffns.0.layers.0.0.weight")[0],
        decoder_layers=_count(state, rf"{re.escape(_LAYER)}\.(\d+)\."),
        loss=RLELossConfig(
            flow_layers=_count(state, r"keypoint_head\.enc_flow\.t\.(\d+)\."),
            flow_hidden=_shape(state, "keypoint_head.enc_flow.t.0.0.weight")[0],
        ),
    )
    weights = _shape(state, f"{_LAYER}.0.attentions.1.attention_weights.bias")[0]
    return head.with_changes(num_points=weights // (heads * head.num_levels))


def _levels(state: State, backbone: BackboneConfig) -> tuple[str, ...]:
    """The backbone maps whose widths the neck's convolutions take."""
    count = _count(state, r"neck\.convs\.(\d+)\.")
    if count == len(LEVELS):
        return LEVELS
    with torch.device("meta"):
        channels = list(cast(Sequence[int], build_backbone(backbone).channels))
    widths = [_shape(state, f"neck.convs.{number}.conv.weight")[1] for number in range(count)]
    if unknown := [width for width in widths if width not in channels]:
        raise UserError(f"the neck takes maps of widths {unknown}; those of {backbone.name} have {channels}")
    return tuple(LEVELS[channels.index(width)] for width in widths)


def _shape(state: State, name: str) -> tuple[int, ...]:
    if name not in state:
        raise UserError(f"no state_dict of the released code: {name!r} is missing")
    return tuple(state[name].shape)


def _count(state: State, pattern: str) -> int:
    found = (re.match(pattern, name) for name in state)
    return len({match[1] for match in found if match})
