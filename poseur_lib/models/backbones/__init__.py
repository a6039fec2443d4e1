"""Backbones, one file a family: images in, feature maps out.

The one interface: a module with `channels` (the width of each map) whose forward takes images [B, 3, H, W] and returns
as many maps, finest first. Four maps of strides 4 to 32 are named res2 to res5; ViT gives one, of stride 16.
"""

from poseur_lib.models.backbones.build import build_backbone
from poseur_lib.models.backbones.sizes import LEVELS, map_sizes

__all__ = ["LEVELS", "build_backbone", "map_sizes"]
