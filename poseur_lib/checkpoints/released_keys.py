"""Names of parameters: the released state_dict's, and ours, both ways.

A rule is a pair of names with holes: `{i}`, `{j}` stand for numbers, `{path}` and `{rest}` for anything. The first rule
that fits a name translates it.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from poseur_lib.errors import UserError
from poseur_lib.models.backbones.hrformer import WINDOW

_LAYER = ("keypoint_head.transformer.decoder.layers.{i}.", "head.decoder.layers.{i}.")
_HEAD = (
    ("keypoint_head.transformer.level_embeds", "head.memory_embedding.level_embedding"),
    ("keypoint_head.transformer.fc_coord.linear.{rest}", "head.coarse_stage.coordinates.{rest}"),
    ("keypoint_head.transformer.fc_sigma.linear.{rest}", "head.coarse_stage.sigma.{rest}"),
    ("keypoint_head.transformer.pos_trans.{rest}", "head.keypoint_encoder.location_proj.{rest}"),
    ("keypoint_head.transformer.pos_trans_norm.{rest}", "head.keypoint_encoder.location_norm.{rest}"),
    ("keypoint_head.transformer.pos_embed.weight", "head.keypoint_encoder.class_embedding"),
    ("keypoint_head.fc_coord_branches.{i}.{rest}", "head.decoder.branches.{i}.step.{rest}"),
    ("keypoint_head.fc_coord_output_branches.{i}.{rest}", "head.decoder.branches.{i}.correction.{rest}"),
    ("keypoint_head.fc_sigma_branches.{i}.2.linear.{rest}", "head.decoder.branches.{i}.sigma.2.{rest}"),
    ("keypoint_head.fc_sigma_branches.{i}.{rest}", "head.decoder.branches.{i}.sigma.{rest}"),
)
_DECODER_LAYER = (
    ("attentions.0.attn.in_proj_{rest}", "self_attention.in_proj.{rest}"),
    ("attentions.0.attn.out_proj.{rest}", "self_attention.out_proj.{rest}"),
    ("attentions.1.value_proj_weight.weight", "cross_attention.value_proj_weight"),
    ("attentions.1.value_proj_bias.weight", "cross_attention.value_proj_bias"),
    ("attentions.1.{rest}", "cross_attention.{rest}"),
    ("ffns.0.layers.0.0.{rest}", "ffn.0.{rest}"),
    ("ffns.0.layers.1.{rest}", "ffn.3.{rest}"),
    ("norms.0.{rest}", "self_norm.{rest}"),
    ("norms.1.{rest}", "cross_norm.{rest}"),
    ("norms.2.{rest}", "ffn_norm.{rest}"),
)
_FLOW = tuple(
    (f"keypoint_head.{theirs}.{released}", f"head.{ours}.{here}")
    for theirs, ours in (("enc_flow", "coarse_flow"), ("dec_flow", "decoder_flow"))
    for released, here in (("t.{rest}", "shift.{rest}"), ("s.{rest}", "log_scale.{rest}"), ("mask", "mask"))
)
_NECK = (
    ("neck.convs.{i}.conv.{rest}", "head.neck.convs.{i}.{rest}"),
    ("neck.convs.{i}.gn.{rest}", "head.neck.norms.{i}.{rest}"),
    *((f"neck.deconv_layers.{3 * i}.{{rest}}", f"head.neck.deconvs.{i}.{{rest}}") for i in range(3)),
    *((f"neck.deconv_layers.{3 * i + 1}.{{rest}}", f"head.neck.deconv_norms.{i}.{{rest}}") for i in range(3)),
)
_MOBILENET = (  # torchvision: [[conv, norm], [conv, norm], conv, norm]; without expansion [[conv, norm], conv, norm]
    ("backbone.conv{i}.conv.{rest}", "backbone.conv{i}.0.{rest}"),
    ("backbone.conv{i}.bn.{rest}", "backbone.conv{i}.1.{rest}"),
    ("backbone.layer1.0.conv.1.conv.{rest}", "backbone.layer1.0.conv.1.{rest}"),
    ("backbone.layer1.0.conv.1.bn.{rest}", "backbone.layer1.0.conv.2.{rest}"),
    ("backbone.layer{i}.{j}.conv.2.conv.{rest}", "backbone.layer{i}.{j}.conv.2.{rest}"),
    ("backbone.layer{i}.{j}.conv.2.bn.{rest}", "backbone.layer{i}.{j}.conv.3.{rest}"),
    ("backbone.layer{i}.{j}.conv.{k}.conv.{rest}", "backbone.layer{i}.{j}.conv.{k}.0.{rest}"),
    ("backbone.layer{i}.{j}.conv.{k}.bn.{rest}", "backbone.layer{i}.{j}.conv.{k}.1.{rest}"),
)
_BACKBONE = (
    *_MOBILENET,
    ("backbone.{path}.attn.attn.{rest}", "backbone.{path}.attention.{rest}"),  # HRFormer
    ("backbone.{rest}", "backbone.{rest}"),  # ResNet, HRNet and ViT have the released names
)
RULES = (*_HEAD, *((_LAYER[0] + a, _LAYER[1] + b) for a, b in _DECODER_LAYER), *_FLOW, *_NECK, *_BACKBONE)

_INDEX = re.compile(r"(backbone\.stage.*\.attn\.attn\.)relative_position_index$")
"""A table of HRFormer's that nothing reads: the released code has no relative position bias to look up with it."""


def our_name(released: str) -> str:
    """Our parameter name of a released one.

    Raises:
        UserError: no rule knows the name.
    """
    return _translate(released, _TO_OURS, "is not a parameter name of the released code")


def released_name(ours: str) -> str:
    """The released parameter name of one of ours.

    Raises:
        UserError: the released code has no such part.
    """
    return _translate(ours, _TO_RELEASED, "has no counterpart in the released code")


def rename_released(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A released state_dict under our names, without the index tables that nothing reads."""
    return {our_name(name): value for name, value in state.items() if not _INDEX.match(name)}


def rename_ours(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state_dict of ours under the released names, with the index tables."""
    renamed = {released_name(name): value for name, value in state.items()}
    for name in list(renamed):
        if name.startswith("backbone.stage") and name.endswith(".attn.attn.q_proj.weight"):
            renamed[name.replace("q_proj.weight", "relative_position_index")] = relative_position_index(WINDOW)
    return renamed


def relative_position_index(window: int) -> Tensor:
    """Number of the offset between every two cells of a window, [cells, cells], as Swin counts them."""
    y, x = (axis.flatten() for axis in torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij"))
    rows, columns = (axis[:, None] - axis + window - 1 for axis in (y, x))
    return rows * (2 * window - 1) + columns


def _pattern(name: str) -> re.Pattern[str]:
    holes = re.sub(r"\\\{([ijk])\\\}", r"(?P<\1>[0-9]+)", re.escape(name))
    return re.compile(re.sub(r"\\\{(path|rest)\\\}", r"(?P<\1>.+)", holes))


def _translate(name: str, rules: tuple[tuple[re.Pattern[str], str], ...], problem: str) -> str:
    for pattern, other in rules:
        if found := pattern.fullmatch(name):
            return other.format(**found.groupdict())
    raise UserError(f"{name!r} {problem}")


_TO_OURS = tuple((_pattern(released), ours) for released, ours in RULES)
_TO_RELEASED = tuple((_pattern(ours), released) for released, ours in RULES)
