"""Plain ViT (Dosovitskiy et al., ICLR 2021), as the released code has it: blocks of timm, one map of stride 16.

The released configuration trains ViT-B with stochastic depth (`drop_path_rate` 0.3), which is not built here.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from poseur_lib.config.backbone import ViTConfig
from poseur_lib.errors import UserError
from poseur_lib.models.backbones.backbone import Backbone, require_multiple, timm_weights

PATCH, PADDING = 16, 2
IMAGENET = "vit_base_patch16_224.mae"


class PatchEmbed(nn.Module):
    """One token per patch of 16x16 pixels. Released code: padded by 2, so that patches begin 2 pixels further out."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dims, PATCH, stride=PATCH, padding=PADDING)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """The map of tokens."""
        return self.proj(images)


class ViT(Backbone):
    """ViT-B for one input size; the position embedding of the class token, which is absent, is added to every token.

    Args:
        input_size: (height, width) that the position embedding is made for.

    Raises:
        UserError: a side of `input_size` is no multiple of 16, or ImageNet weights cannot be had.
    """

    def __init__(self, config: ViTConfig, input_size: tuple[int, int], dims: int = 768, depth: int = 12) -> None:
        super().__init__()
        require_multiple(input_size, PATCH, config.name)
        self.name, self.input_size, self.channels = config.name, tuple(input_size), (dims,)
        cells = (input_size[0] // PATCH, input_size[1] // PATCH)
        self.patch_embed = PatchEmbed(dims)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + cells[0] * cells[1], dims))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        norm: Any = partial(nn.LayerNorm, eps=1e-6)  # timm asks for a class and takes whatever makes a module
        heads = dims // 64
        self.blocks = nn.ModuleList(Block(dims, heads, qkv_bias=True, norm_layer=norm) for _ in range(depth))
        self.last_norm = norm(dims)
        if config.weights == "imagenet":
            self._load_imagenet(cells)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Sequence[Tensor]:
        """One map, of stride 16.

        Raises:
            UserError: the images are not of `input_size`.
        """
        if tuple(images.shape[-2:]) != self.input_size:
            raise UserError(
                f"input size {'x'.join(map(str, images.shape[-2:]))} does not fit {self.name} for"
                f" {'x'.join(map(str, self.input_size))}"
            )
        x = self.patch_embed(images)
        size = x.shape[2:]
        x = x.flatten(2).transpose(1, 2) + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            x = block(x)
        return [self.last_norm(x).transpose(1, 2).unflatten(2, size).contiguous()]

    def _load_imagenet(self, cells: tuple[int, int]) -> None:
        theirs = timm_weights(self.name, IMAGENET)
        theirs["pos_embed"] = resample_abs_pos_embed(theirs["pos_embed"], list(cells), num_prefix_tokens=1)
        theirs |= {f"last_norm.{part}": theirs[f"norm.{part}"] for part in ("weight", "bias")}
        self.load_state_dict({name: theirs[name] for name in self.state_dict()})
