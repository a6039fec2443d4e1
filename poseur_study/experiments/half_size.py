"""How profile `real` scales a table's rows: half the paper's input, one backbone for ResNet-50, the rest as declared.

A backbone of other rows is the declared one with its own ImageNet weights, which have to be downloaded.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from poseur_lib.config.backbone import LITE0
from poseur_study.experiments.stand_ins import BACKBONE, EPOCHS_PER_UNIT, HEAD, Changes, Rule

SIZE_DIVISOR = 2
SIZE_MULTIPLE = 32
"""What HRNet needs."""
LITE0_IMAGENET = {"kind": "timm", "name": LITE0, "weights": "imagenet", "input_normalisation": "own"}
HALF_OF_384X288 = (192, 160)
DROPPED = ("train.schedule", "train.global_batch")

RULES = (
    Rule(
        "Input: half of the paper's sides, rounded up to multiples of 32 (384 x 288 becomes 192 x 160).",
        "data.input_size",
    ),
    Rule("ResNet-50: EfficientNet-Lite0. Other backbones are as declared.", BACKBONE, ("resnet",)),
    Rule("Heatmaps: Gaussians of half as many cells (1 instead of 2).", HEAD, ("heatmap", "transpose", "tokenpose")),
    Rule("TokenPose at 192 x 160: patches of 4 x 4 cells (4 x 3 do not divide its map).", HEAD, ("tokenpose",)),
    Rule(
        "Epochs (supp. Table 1): one for 25 of the paper's, each of as many people that the longest run sees the "
        "profile's number; a cosine schedule scales by itself and has no steps.",
        "train.epochs",
    ),
    Rule("Batch of the profile for HRFormer-B too (paper: 128).", "train.global_batch"),
)


@dataclass(frozen=True)
class HalfSize:
    """The rules of profile `real`.

    Attributes:
        people_per_unit: people of one of supp. Table 1's steps of 25 epochs.
    """

    people_per_unit: int

    def __call__(self, changes: Mapping[str, Any]) -> Changes:
        """A row's changes with the stand-ins in the place of the paper's settings."""
        scaled = {path: value for path, value in changes.items() if path not in DROPPED}
        if "data.input_size" in scaled:
            scaled["data.input_size"] = half_size(tuple(scaled["data.input_size"]))
        backbone = scaled.get(BACKBONE, {})
        if backbone.get("kind") == "resnet" and backbone.get("depth", 50) == 50:
            scaled[BACKBONE] = LITE0_IMAGENET
        codec = scaled.get(HEAD, {}).get("codec")
        if codec and "sigma" in codec:
            scaled[HEAD] = {**scaled[HEAD], "codec": {**codec, "sigma": codec["sigma"] / 2}}
        if scaled.get(HEAD, {}).get("kind") == "tokenpose" and scaled.get("data.input_size") == HALF_OF_384X288:
            scaled[HEAD] = {**scaled[HEAD], "patch_size": (4, 4)}
        if "train.epochs" in scaled:
            scaled["train.epochs"] = max(1, round(scaled["train.epochs"] / EPOCHS_PER_UNIT))
            scaled["train.people_per_epoch"] = self.people_per_unit
        return scaled

    def rules(self, rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        """The stand-ins that touch any of these rows' changes, in words."""
        changes = list(rows)
        return tuple(rule.text for rule in RULES if any(rule.touches(one) for one in changes))


def half_size(size: tuple[int, int]) -> tuple[int, int]:
    """Half of (height, width), rounded up to multiples of 32."""
    height, width = (SIZE_MULTIPLE * math.ceil(side / SIZE_DIVISOR / SIZE_MULTIPLE) for side in size)
    return height, width
