"""How the small profiles scale a table's rows: what stands for each size, backbone, head and schedule of the paper.

Rows are declared with the paper's settings; a small profile puts these stand-ins in their place. `RULES` says it in
words, for the pages.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from poseur_lib.config import backbone as backbones
from poseur_lib.config import heads
from poseur_lib.errors import UserError

Changes = dict[str, Any]

SIZE_DIVISOR = 4
SIZE_MULTIPLE = 16
EPOCHS_PER_UNIT = 25
"""Supp. Table 1 goes from 150 to 325 epochs in steps of 25: a small run counts in these steps."""

RESNET_BLOCKS = {18: (1, 1, 1, 1), 34: (1, 1, 1, 1), 50: (1, 1, 1, 1), 101: (1, 1, 3, 1), 152: (1, 2, 4, 1)}
RESNET_WIDTHS = (24, 48, 96, 192)
MOBILENET_WIDTHS = (12, 24, 48, 96)
HRNET_WIDTH = {32: 16, 48: 24}
HRFORMER_WIDTH = {"tiny": 20, "small": 24, "base": 28}
"""Heatmaps are an affine layer on the finest map: of 8 channels, 17 of them cannot differ, and AP stays at 44 of 60."""
PATCHES = {(4, 3): (2, 2), (2, 2): (1, 1)}
DROPPED = ("train.augment.photometric", "train.augment.cutout", "train.schedule", "train.global_batch")


@dataclass(frozen=True)
class Rule:
    """A stand-in, in words.

    Attributes:
        path: the setting that it replaces.
        kinds: of that setting; none: all.
    """

    text: str
    path: str
    kinds: tuple[str, ...] = ()

    def touches(self, changes: Mapping[str, Any]) -> bool:
        """True if a row that changes this is not as declared."""
        return self.path in changes and (not self.kinds or changes[self.path]["kind"] in self.kinds)


BACKBONE, HEAD = "model.backbone", "model.head"
RULES = (
    Rule(
        "Input: a quarter of the paper's sides, rounded up to multiples of 16 (64 x 64 becomes 16 x 16, 384 x 288 "
        "becomes 96 x 80).",
        "data.input_size",
    ),
    Rule(
        "ResNet-50, 101, 152: one residual block a stage, three, and four in res4 (two in res3), widths 24 to 192.",
        BACKBONE,
        ("resnet",),
    ),
    Rule("MobileNet-V2: one residual block a stage, widths 12 to 96.", BACKBONE, ("mobilenetv2",)),
    Rule(
        "HRNet and HRFormer: three stages with one fusion each, widths 16 and 24 (HRNet-W32, W48), 20, 24 and "
        "28 (HRFormer-T, S, B); Poseur then has three levels. RLE and PRTR pool the coarsest branch.",
        BACKBONE,
        ("hrnet", "hrformer"),
    ),
    Rule("HRNet's stem (TokenPose-S): one block instead of four.", BACKBONE, ("hrnet_stem",)),
    Rule(
        "Heatmap and integral heads: 64 channels (256), Gaussians of 1 cell (2, and 3 at 384 x 288).",
        HEAD,
        ("heatmap", "integral"),
    ),
    Rule("RLE: a flow of width 32 (64).", HEAD, ("regression",)),
    Rule(
        "Token heads: width 48, a quarter of the layers, at least 3; Gaussians of 1 cell (2).",
        HEAD,
        ("transpose", "tokenpose"),
    ),
    Rule("PRTR: width 64, 2 + 2 layers (6 + 6), 34 queries (100).", HEAD, ("prtr",)),
    Rule("Decoder layers: as many as declared, beside the 2 of rows with the default of 3.", f"{HEAD}.decoder_layers"),
    Rule(
        "Epochs (supp. Table 1): one for 25 of the paper's, each of as many people that the longest run sees the "
        "profile's number; a cosine schedule scales by itself and has no steps.",
        "train.epochs",
    ),
    Rule("No photometric distortion or cutout for the largest backbones.", "train.augment.photometric"),
    Rule("Batch of the profile for HRFormer-B too (paper: 128).", "train.global_batch"),
)

_BACKBONE = TypeAdapter(backbones.BackboneConfig)
_HEAD = TypeAdapter(heads.HeadConfig)


@dataclass(frozen=True)
class Scaling:
    """The rules of a small profile.

    Attributes:
        weights: what stand-in backbones start from.
        people_per_unit: people of one of supp. Table 1's steps of 25 epochs.
    """

    weights: str
    people_per_unit: int

    def __call__(self, changes: Mapping[str, Any]) -> Changes:
        """A row's changes with the stand-ins in the place of the paper's settings.

        Raises:
            UserError: a setting has no stand-in.
        """
        scaled = {path: value for path, value in changes.items() if path not in DROPPED}
        if "data.input_size" in scaled:
            scaled["data.input_size"] = scaled_size(tuple(scaled["data.input_size"]))
        if "model.backbone" in scaled:
            stand_in = scaled_backbone(_BACKBONE.validate_python(scaled["model.backbone"], strict=False))
            scaled["model.backbone"] = {**stand_in, "weights": self.weights}
            if stand_in["kind"] == "narrow_high_resolution" and "model.head" not in scaled:
                scaled["model.head.feature_levels"] = ["res2", "res3", "res4"]
        if "model.head" in scaled:
            scaled["model.head"] = scaled_head(_HEAD.validate_python(scaled["model.head"], strict=False))
        if "train.epochs" in scaled:
            scaled["train.epochs"] = max(1, round(scaled["train.epochs"] / EPOCHS_PER_UNIT))
            scaled["train.people_per_epoch"] = self.people_per_unit
        return scaled

    def rules(self, rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """The stand-ins that touch any of these rows' changes, in words."""
        changes = list(rows)
        return tuple(rule.text for rule in RULES if any(rule.touches(one) for one in changes))


def scaled_size(size: tuple[int, int]) -> tuple[int, int]:
    """A quarter of (height, width), rounded up to multiples of 16."""
    height, width = (SIZE_MULTIPLE * math.ceil(side / SIZE_DIVISOR / SIZE_MULTIPLE) for side in size)
    return height, width


def scaled_backbone(paper: backbones.BackboneConfig) -> Changes:
    """The stand-in for a backbone, without its weights."""
    match paper:
        case backbones.ResNetConfig(depth=depth, stages=4):
            return {"kind": "narrow_resnet", "widths": RESNET_WIDTHS, "blocks": RESNET_BLOCKS[depth]}
        case backbones.MobileNetV2Config():
            return {"kind": "narrow_resnet", "widths": MOBILENET_WIDTHS}
        case backbones.HRNetConfig(width=width, outputs=outputs):
            return _high_resolution("residual", HRNET_WIDTH[width], outputs)
        case backbones.HRFormerConfig(variant=variant, outputs=outputs):
            return _high_resolution("transformer", HRFORMER_WIDTH[variant], outputs)
        case backbones.HRNetStemConfig():
            return {"kind": "hrnet_stem", "blocks": 1}
    raise UserError(f"no stand-in for backbone {paper.name!r} in the small profiles: run profile paper")


def scaled_head(paper: heads.HeadConfig) -> Changes:
    """The stand-in for a head that is not Poseur's, which the profile itself narrows; as declared, if it has none."""
    match paper:
        case heads.HeatmapConfig():
            changes = {"channels": 64, "codec.sigma": 1.0}
        case heads.IntegralConfig():
            changes = {"channels": 64}
        case heads.RegressionConfig():
            changes = {"flow_hidden": 32}
        case heads.TransPoseConfig(layers=layers):
            changes = {"embed_dims": 48, "ffn_dims": 96, "layers": max(3, layers // 4), "codec.sigma": 1.0}
        case heads.TokenPoseConfig():
            changes = {"embed_dims": 48, "num_heads": 4, "ffn_dims": 96, "layers": max(3, paper.layers // 4)}
            hidden = None if paper.mlp_hidden is None else 96
            changes |= {"patch_size": PATCHES[paper.patch_size], "mlp_hidden": hidden, "codec.sigma": 1.0}
        case heads.PRTRConfig():
            changes = {"num_queries": 34, "embed_dims": 64, "num_heads": 4, "ffn_dims": 128}
            changes |= {"encoder_layers": 2, "decoder_layers": 2}
        case heads.PoseurConfig():
            raise UserError(f"no stand-in for head {paper.kind!r} given as a whole: change its knobs one by one")
        case _:
            changes = {}
    return paper.with_changes(**changes).model_dump(mode="json")


def _high_resolution(block: str, width: int, outputs: str) -> Changes:
    finest = "finest" if outputs == "finest" else "pyramid"
    return {"kind": "narrow_high_resolution", "block": block, "width": width, "outputs": finest}
