"""The heads' knobs: members of one union, told apart by `kind`."""

from typing import Annotated

from pydantic import Field

from poseur_lib.config.heads.base import HEATMAP_STRIDE, HeadKnobs
from poseur_lib.config.heads.heatmap import HeatmapCodecConfig, HeatmapConfig, IntegralConfig
from poseur_lib.config.heads.mask_rcnn import MaskRCNNConfig, RegionHeatmapConfig
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
    | PRTRConfig
    | MaskRCNNConfig,
    Field(discriminator="kind"),
]
