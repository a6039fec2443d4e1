"""The model's knobs: a backbone and a head, each from a tagged union."""

from pydantic import model_validator

from poseur_lib.config.backbone import BackboneConfig, ResNetConfig, ViTConfig
from poseur_lib.config.base import Frozen
from poseur_lib.config.heads import HeadConfig, PoseurConfig


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
