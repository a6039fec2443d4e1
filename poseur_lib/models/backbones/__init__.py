"""Backbones, one file a family: images in, feature maps out.

`Backbone` is the one interface. Four maps of strides 4 to 32 are named res2 to res5; ViT gives one, of stride 16.
"""

from poseur_lib.models.backbones.backbone import LEVELS, Backbone, map_sizes
from poseur_lib.models.backbones.build import build_backbone

__all__ = ["LEVELS", "Backbone", "build_backbone", "map_sizes"]
