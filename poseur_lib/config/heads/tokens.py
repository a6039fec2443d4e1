"""Knobs of the transformer methods that Poseur is compared with: TransPose, TokenPose, PRTR."""

from typing import Annotated, Literal

from pydantic import Field

from poseur_lib.config.base import Frozen
from poseur_lib.config.heads.heatmap import HeatmapCodecConfig

Share = Annotated[float, Field(ge=0, lt=1)]


class TransPoseConfig(Frozen):
    """TransPose: a transformer encoder over the cells of one map, then heatmaps."""

    kind: Literal["transpose"] = "transpose"
    codec: HeatmapCodecConfig = HeatmapCodecConfig()


class TokenPoseConfig(Frozen):
    """TokenPose: keypoint tokens and patch tokens in one encoder; each keypoint token becomes a heatmap."""

    kind: Literal["tokenpose"] = "tokenpose"
    codec: HeatmapCodecConfig = HeatmapCodecConfig()


class PRTRConfig(Frozen):
    """PRTR, two-stage: queries classify and locate keypoints; Hungarian matching assigns them."""

    kind: Literal["prtr"] = "prtr"
