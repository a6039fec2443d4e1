"""How profile `real` scales a table's rows: half the paper's input, one backbone for ResNet-50, the rest as declared.

A backbone of other rows is the declared one with its own ImageNet weights, which have to be downloaded.
"""

from dataclasses import dataclass
from typing import ClassVar

from poseur_lib.config.backbone import LITE0
from poseur_lib.config.heads import TokenPoseConfig
from poseur_study.experiments.scaling import BACKBONE, BATCH_RULE, EPOCHS_RULE, HEAD, SIZE, Changes, Rule, Scaling

LITE0_IMAGENET = {"kind": "timm", "name": LITE0, "weights": "imagenet", "input_normalisation": "own"}
TOKEN_STRIDE = 4
"""Input pixels a cell of the map that TokenPose cuts into patches; also the patch that divides every scaled map."""

RULES = (
    Rule("Input: half of the paper's sides, rounded up to multiples of 32 (384 x 288 becomes 192 x 160).", SIZE),
    Rule("ResNet-50: EfficientNet-Lite0. Other backbones are as declared.", BACKBONE, ("resnet",)),
    Rule("Heatmaps: Gaussians of half as many cells (1 instead of 2).", HEAD, ("heatmap", "transpose", "tokenpose")),
    Rule("TokenPose at 192 x 160: patches of 4 x 4 cells (4 x 3 do not divide its map).", HEAD, ("tokenpose",)),
    EPOCHS_RULE,
    BATCH_RULE,
)


@dataclass(frozen=True)
class HalfSize(Scaling):
    """The rules of profile `real`."""

    divisor: int = 2
    multiple: int = 32  # what HRNet needs

    dropped: ClassVar = ("train.schedule", "train.global_batch")

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """Its stand-ins, in words."""
        return RULES

    def scaled_model(self, scaled: Changes) -> Changes:
        """EfficientNet-Lite0 for ResNet-50, narrower Gaussians, and patches that divide the map."""
        scaled, backbone, head = dict(scaled), scaled.get(BACKBONE, {}), dict(scaled.get(HEAD, {}))
        if backbone.get("kind") == "resnet" and backbone.get("depth", 50) == 50:
            scaled[BACKBONE] = LITE0_IMAGENET
        if "sigma" in (head.get("codec") or {}):
            head["codec"] = {**head["codec"], "sigma": head["codec"]["sigma"] / 2}
        if head.get("kind") == "tokenpose" and SIZE in scaled:
            sides = zip(head.get("patch_size", TokenPoseConfig().patch_size), scaled[SIZE], strict=True)
            head["patch_size"] = tuple(p if side // TOKEN_STRIDE % p == 0 else TOKEN_STRIDE for p, side in sides)
        return {**scaled, HEAD: head} if HEAD in scaled else scaled
