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
from poseur_lib.config.heads import HeadConfig, PoseurConfig

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
        case ResNetConfig(stages=stages):
            return (4, 8, 16, 32)[:stages]
    return (4, 8, 16, 32)


class ModelConfig(Frozen):
    """A model is a backbone and a head."""

    backbone: BackboneConfig = ResNetConfig()
    head: HeadConfig = PoseurConfig()

    @model_validator(mode="after")
    def _head_stands_on_the_backbone(self) -> "ModelConfig":
        has_finest = isinstance(self.backbone, HIGH_RESOLUTION)
        self.head.check_maps(self.backbone.name, map_strides(self.backbone), has_finest)
        return self
