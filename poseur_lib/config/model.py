"""The model's knobs: a backbone and a head, each from a tagged union."""

from pydantic import model_validator

from poseur_lib.config.backbone import (
    BackboneConfig,
    HRFormerConfig,
    HRNetConfig,
    HRNetStemConfig,
    NarrowHighResolutionConfig,
    ResNetConfig,
    ViTConfig,
)
from poseur_lib.config.base import Frozen
from poseur_lib.config.heads import HeadConfig, HeatmapConfig, IntegralConfig, PoseurConfig
from poseur_lib.config.heads.heatmap import HEATMAP_STRIDE

HIGH_RESOLUTION = (HRNetConfig, HRFormerConfig, NarrowHighResolutionConfig)


def map_strides(backbone: BackboneConfig) -> tuple[int, ...]:
    """Strides of a backbone's maps, finest first."""
    match backbone:
        case ViTConfig():
            return (16,)
        case HRNetStemConfig() | HRNetConfig(outputs="finest") | HRFormerConfig(outputs="finest"):
            return (4,)
        case NarrowHighResolutionConfig(outputs="finest"):
            return (4,)
        case HRNetConfig(outputs="classification"):
            return (32,)
        case NarrowHighResolutionConfig() | HRNetConfig(stages=3):
            return (4, 8, 16)
    return (4, 8, 16, 32)


class ModelConfig(Frozen):
    """A model is a backbone and a head."""

    backbone: BackboneConfig = ResNetConfig()
    head: HeadConfig = PoseurConfig()

    @model_validator(mode="after")
    def _one_map_needs_deconvolutions(self) -> "ModelConfig":
        one_map = isinstance(self.backbone, ViTConfig)
        if one_map and isinstance(self.head, PoseurConfig) and self.head.neck != "deconvolution":
            raise ValueError(f"backbone {self.backbone.name} gives one map: head.neck must be 'deconvolution'")
        return self

    @model_validator(mode="after")
    def _heatmaps_are_a_quarter_of_the_input(self) -> "ModelConfig":
        """One map becomes the heatmaps; a part of the backbone that only serves other maps would never be trained."""
        head, name, strides = self.head, self.backbone.name, map_strides(self.backbone)
        if not isinstance(head, HeatmapConfig | IntegralConfig):
            return self
        if len(strides) > 1 and (head.deconvolutions == 0 or isinstance(self.backbone, HIGH_RESOLUTION)):
            finest = isinstance(self.backbone, HIGH_RESOLUTION)
            remedy = "outputs 'finest' and head.deconvolutions 0" if finest else "head.deconvolutions 3"
            raise ValueError(f"backbone {name} gives maps of strides {strides}, a heatmap is made of one: set {remedy}")
        if strides[-1] != HEATMAP_STRIDE * 2**head.deconvolutions:
            needed = (strides[-1] // HEATMAP_STRIDE).bit_length() - 1
            raise ValueError(
                f"head.deconvolutions {head.deconvolutions} do not bring the stride {strides[-1]} of backbone {name} to"
                f" {HEATMAP_STRIDE}: {needed} do"
            )
        return self
