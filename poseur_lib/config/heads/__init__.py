"""The heads' knobs: members of one union, told apart by `kind`."""

from typing import Annotated

from pydantic import Field

from poseur_lib.config.heads.heatmap import HeatmapCodecConfig, HeatmapConfig, IntegralConfig
from poseur_lib.config.heads.poseur import (
    DECONVOLUTIONS,
    NoNoise,
    PaperNoise,
    PoseurConfig,
    ReleasedNoise,
    RLELossConfig,
)
from poseur_lib.config.heads.regression import RegressionConfig
from poseur_lib.config.heads.tokens import PRTRConfig, TokenPoseConfig, TransPoseConfig

HeadConfig = Annotated[
    PoseurConfig
    | HeatmapConfig
    | IntegralConfig
    | RegressionConfig
    | TransPoseConfig
    | TokenPoseConfig
    | PRTRConfig,
    Field(discriminator="kind"),
]


def confined_to_crop(head: HeadConfig) -> str:
    """What keeps a head's keypoints within its crop, in words; "" if they may lie anywhere."""
    match head:
        case PoseurConfig(output_branch="paper"):
            return "head.output_branch 'paper' ends in a sigmoid ('released' adds a branch that passes the border)"
        case PRTRConfig():
            return "head 'prtr' ends in a sigmoid"
        case HeatmapConfig() | IntegralConfig() | TransPoseConfig() | TokenPoseConfig():
            return f"head {head.kind!r} places keypoints on the cells of a heatmap"
    return ""


__all__ = [
    "DECONVOLUTIONS",
    "HeadConfig",
    "HeatmapCodecConfig",
    "HeatmapConfig",
    "IntegralConfig",
    "NoNoise",
    "PRTRConfig",
    "PaperNoise",
    "PoseurConfig",
    "RLELossConfig",
    "RegressionConfig",
    "ReleasedNoise",
    "TokenPoseConfig",
    "TransPoseConfig",
    "confined_to_crop",
]
