"""What TransPose and TokenPose share: the map they start from, self-attention, an FFN."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from poseur_lib.errors import UserError
from poseur_lib.models.backbones import map_sizes
from poseur_lib.models.baselines.heatmap_encoding import heatmap_size, size_text
from poseur_lib.models.pose_model import FeatureMaps


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
        query, key = map(self._heads, self.query_key_proj(x if placed is None else placed).chunk(2, dim=-1))
        value, dropped = self._heads(self.value_proj(x)), self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, dropout_p=dropped, scale=self.scale)
        return self.output_proj(mixed.transpose(1, 2).flatten(2))

    def _heads(self, x: Float[Tensor, "B tokens C"]) -> Float[Tensor, "B M tokens _D"]:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def feed_forward(dims: int, hidden: int, activation: nn.Module, dropout: float) -> nn.Sequential:
    """Two linear layers with an activation between them."""
    return nn.Sequential(nn.Linear(dims, hidden), activation, nn.Dropout(dropout), nn.Linear(hidden, dims))


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
