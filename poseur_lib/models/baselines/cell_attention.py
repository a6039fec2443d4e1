"""What TransPose and TokenPose share: the map they start from, self-attention, an FFN, sine positions of cells."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from poseur_lib.errors import UserError
from poseur_lib.models.backbones import map_sizes
from poseur_lib.models.baselines.heatmap_encoding import heatmap_size, size_text
from poseur_lib.models.pose_model import FeatureMaps
from poseur_lib.models.poseur.positional import sine_encoding


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself: softmax(Q K^T s) V, heads side by side, one linear layer.

    Args:
        dims: width of the sequence's vectors.
        scale: s.
        input_bias: whether queries, keys and values have biases.
        dropout: share of attention weights that are zeroed in training.
    """

    def __init__(self, dims: int, num_heads: int, *, scale: float, input_bias: bool, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.scale, self.dropout = num_heads, scale, dropout
        self.query_key_proj = nn.Linear(dims, 2 * dims, bias=input_bias)
        self.value_proj = nn.Linear(dims, dims, bias=input_bias)
        self.output_proj = nn.Linear(dims, dims)

    def forward(self, x: Float[Tensor, "B tokens C"], placed: Float[Tensor, "B tokens C"] | None = None) -> Tensor:
        """What each element gathers; queries and keys are made of `placed` (`x` with positions), values of `x`."""
        query, key = self._query_key(x if placed is None else placed)
        value, dropped = self._heads(self.value_proj(x)), self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, dropout_p=dropped, scale=self.scale)
        return self.output_proj(mixed.transpose(1, 2).flatten(2))

    def attention_weights(self, placed: Float[Tensor, "B tokens C"]) -> Float[Tensor, "B M tokens tokens"]:
        """How much element i (third axis) takes of element j (last axis); each i's weights sum to one."""
        query, key = self._query_key(placed)
        return (query @ key.transpose(-2, -1) * self.scale).softmax(dim=-1)

    def _query_key(self, placed: Float[Tensor, "B tokens C"]) -> tuple[Tensor, Tensor]:
        query, key = self.query_key_proj(placed).chunk(2, dim=-1)
        return self._heads(query), self._heads(key)

    def _heads(self, x: Float[Tensor, "B tokens C"]) -> Float[Tensor, "B M tokens _D"]:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def feed_forward(dims: int, hidden: int, activation: nn.Module, dropout: float) -> nn.Sequential:
    """Two linear layers with an activation between them."""
    return nn.Sequential(nn.Linear(dims, hidden), activation, nn.Dropout(dropout), nn.Linear(hidden, dims))


def cell_positions(size: tuple[int, int], dims: int) -> Float[Tensor, "cells {dims}"]:
    """Sine and cosine positions of a map's cells, row by row: half of the channels for y, then half for x.

    Both methods count cells from 1 and call the last one's position 2 pi (DETR's positions; Poseur's have the cells'
    centres, half a cell less).

    Args:
        size: (height, width) of the map.
        dims: a multiple of 4.
    """
    height, width = size
    y, x = (torch.arange(1, cells + 1) / (cells + 1e-6) for cells in size)
    y_part = sine_encoding(y, dims // 2)[:, None].expand(-1, width, -1)
    x_part = sine_encoding(x, dims // 2)[None].expand(height, -1, -1)
    return torch.cat([y_part, x_part], dim=-1).flatten(0, 1)


def last_map_size(channels: Sequence[int], input_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the last of a backbone's maps, of which the first has stride 4 and each next one twice that.

    Args:
        channels: widths of the maps.
        input_size: (height, width) of the crops.

    Raises:
        UserError: a side of the input is no multiple of 4, so that heatmaps do not cover it.
    """
    heatmap_size(input_size)
    return map_sizes(input_size)[len(channels) - 1]


def last_map(features: FeatureMaps, size: tuple[int, int]) -> Float[Tensor, "B _C _H _W"]:
    """The last of a backbone's maps.

    Raises:
        UserError: it does not have the size (height, width) that the head was built for.
    """
    if tuple(features[-1].shape[-2:]) != size:
        raise UserError(
            f"the backbone's last map has {size_text(features[-1].shape[-2:])} cells, and the head was built for"
            f" {size_text(size)}"
        )
    return features[-1]
