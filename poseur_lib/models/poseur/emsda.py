"""Efficient multi-scale deformable attention (EMSDA, Eq. 1).

Every head of every query is a weighted sum of L levels x S points x 4 corners rows of the flattened maps; that is what
`embedding_bag` computes, so no sampled feature is ever stored and one map serves all heads and all instances of an
image. The linear layer W^v is applied to the sums only: sampling commutes with it, which is the point of EMSDA.
"""

import functools
import itertools
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from poseur_lib.models.poseur.memory import Memory

DENSE_CELLS_PER_ROW = 16
"""Below this many cells of the pyramid per row that a head reads, `sample_dense` is the faster way (benchmarks/)."""


def sample_memory(
    memory: Memory,
    locations: Float[Tensor, "N Q M L S 2"],
    weights: Float[Tensor, "N Q M L S"],
    image_index: Int[Tensor, " N"] | None = None,
) -> Float[Tensor, "N Q M C"]:
    """The inner double sum of Eq. 1: bilinear samples, weighted and added over levels and points.

    Args:
        memory: maps of B images.
        locations: (x, y) in [0, 1] of each level's map; outside, the maps are zero.
        weights: attention weights A.
        image_index: the image of each of the N instances; None: one instance an image, in order.

    Raises:
        ValueError: no `image_index`, and not as many instances as images.
    """
    if image_index is None and len(locations) != len(memory.values):
        raise ValueError(f"{len(locations)} instances in {len(memory.values)} images need an image_index")
    rows, row_weights = corner_rows(memory.sizes, locations, weights)
    rows, row_weights = rows.flatten(3), row_weights.flatten(3).to(memory.values.dtype)
    if image_index is None and memory.values.shape[1] <= DENSE_CELLS_PER_ROW * rows.shape[-1]:
        return sample_dense(memory.values, rows, row_weights)
    return sample_bags(memory.values, rows, row_weights, image_index)


def sample_bags(
    values: Float[Tensor, "B P C"],
    rows: Int[Tensor, "N Q M R"],
    row_weights: Float[Tensor, "N Q M R"],
    image_index: Int[Tensor, " N"] | None = None,
) -> Float[Tensor, "N Q M C"]:
    """Weighted sums of R rows of `values`, as bags of an embedding: nothing of size R x C is stored."""
    if image_index is None:
        image_index = torch.arange(rows.shape[0], device=rows.device)
    rows = rows + image_index[:, None, None, None] * values.shape[1]
    bags = (rows.shape[0] * rows.shape[1] * rows.shape[2], rows.shape[3])
    sums = embedding_bag(
        rows.reshape(bags), values.flatten(0, 1), mode="sum", per_sample_weights=row_weights.reshape(bags)
    )
    return sums.view(*rows.shape[:3], -1)


def sample_dense(
    values: Float[Tensor, "N P C"], rows: Int[Tensor, "N Q M R"], row_weights: Float[Tensor, "N Q M R"]
) -> Float[Tensor, "N Q M C"]:
    """The same sums as one matrix product, for small maps: the weights are scattered into [Q M, P] per image."""
    n, q, m, _ = rows.shape
    matrix = row_weights.new_zeros(n, q * m, values.shape[1])
    matrix = matrix.scatter_add(2, rows.reshape(n, q * m, -1), row_weights.reshape(n, q * m, -1))
    return torch.bmm(matrix, values).view(n, q, m, -1)


def corner_rows(
    sizes: tuple[tuple[int, int], ...],
    locations: Float[Tensor, "N Q M L S 2"],
    weights: Float[Tensor, "N Q M L S"],
) -> tuple[Int[Tensor, "N Q M L S 4"], Float[Tensor, "N Q M L S 4"]]:
    """Row number and weight of the four cells around each location; cells outside their map weigh nothing."""
    width, height, start = level_geometry(sizes, locations.device)
    x, y = locations.float().unbind(dim=-1)
    left, right = _axis(x, width)
    top, bottom = _axis(y, height)
    rows, shares = [], []
    for row, y_share in (top, bottom):
        first = start + row * width
        weighted = y_share * weights
        for column, x_share in (left, right):
            rows.append((first + column).long())
            shares.append(weighted * x_share)
    return torch.stack(rows, dim=-1), torch.stack(shares, dim=-1)


def _axis(position: Tensor, cells: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The two cells next to a position on one axis, and their shares: 0 outside, where the cell is clamped.

    A position that is NaN gets some cell and the share NaN, so that a diverged network ends in the loss.
    """
    position = position * cells - 0.5
    low = position.detach().floor().nan_to_num()
    high_share = position - low
    low_inside = (low >= 0) & (low < cells)
    high_inside = (low >= -1) & (low < cells - 1)
    low_cell = torch.minimum(low.clamp(min=0), cells - 1)
    high_cell = torch.minimum((low + 1).clamp(min=0), cells - 1)
    return (low_cell, (1 - high_share) * low_inside), (high_cell, high_share * high_inside)


@functools.lru_cache(maxsize=64)
def level_geometry(sizes: tuple[tuple[int, int], ...], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Width, height and first row of each level, as float columns [L, 1] (exact: rows stay far below 2^24)."""
    starts = itertools.accumulate((h * w for h, w in sizes[:-1]), initial=0)
    columns = ([w for _, w in sizes], [h for h, _ in sizes], list(starts))
    with torch.inference_mode(False):  # the first call may be a prediction's, the next one a training step's
        return tuple(torch.tensor(column, dtype=torch.float32, device=device)[:, None] for column in columns)


class EMSDA(nn.Module):
    """Cross-attention of keypoint queries to multi-scale feature maps (Eq. 1).

    Args:
        embed_dims: C.
        num_heads, num_levels, num_points: M, L, S.
    """

    def __init__(self, embed_dims: int, num_heads: int, num_levels: int, num_points: int) -> None:
        super().__init__()
        self.num_heads, self.num_levels, self.num_points = num_heads, num_levels, num_points
        samples = num_heads * num_levels * num_points
        self.sampling_offsets = nn.Linear(embed_dims, samples * 2)
        self.attention_weights = nn.Linear(embed_dims, samples)
        self.value_proj_weight = nn.Parameter(torch.empty(num_heads * embed_dims, embed_dims // num_heads))
        self.value_proj_bias = nn.Parameter(torch.empty(num_heads, embed_dims // num_heads))
        self.output_proj = nn.Linear(embed_dims, embed_dims)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier uniform for every matrix; the offsets' bias puts head m on the m-th ray of a ring, point s at s+1."""
        for matrix in (self.sampling_offsets.weight, self.attention_weights.weight, self.output_proj.weight):
            nn.init.xavier_uniform_(matrix)
        nn.init.xavier_uniform_(self.value_proj_weight)
        nn.init.xavier_uniform_(self.value_proj_bias)
        nn.init.zeros_(self.attention_weights.bias)
        nn.init.zeros_(self.output_proj.bias)
        angle = torch.arange(self.num_heads) * (2 * math.pi / self.num_heads)
        ray = torch.stack([angle.cos(), angle.sin()], dim=-1)
        ray = ray / ray.abs().max(dim=-1, keepdim=True).values
        reach = torch.arange(1, self.num_points + 1)
        ring = ray[:, None, None] * reach[None, None, :, None]
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(ring.expand(-1, self.num_levels, -1, -1).flatten())

    def sampling(
        self,
        query: Float[Tensor, "N Q C"],
        reference_points: Float[Tensor, "N Q 2"],
        sizes: tuple[tuple[int, int], ...],
    ) -> tuple[Float[Tensor, "N Q M L S 2"], Float[Tensor, "N Q M L S"]]:
        """Sampling locations in [0, 1] of each level's map, and attention weights that sum to 1 over levels and points.

        An offset is counted in cells of its level.
        """
        shape = (*query.shape[:2], self.num_heads, self.num_levels, self.num_points)
        width, height, _ = level_geometry(sizes, query.device)
        x, y = self.sampling_offsets(query).float().view(*shape, 2).unbind(dim=-1)
        reference_x, reference_y = reference_points.float()[:, :, None, None, None].unbind(dim=-1)
        locations = torch.stack([reference_x + x / width, reference_y + y / height], dim=-1)
        attention = self.attention_weights(query).view(*shape[:3], -1).softmax(dim=-1).view(shape)
        return locations, attention

    def forward(
        self,
        query: Float[Tensor, "N Q C"],
        reference_points: Float[Tensor, "N Q 2"],
        memory: Memory,
        image_index: Int[Tensor, " N"] | None = None,
    ) -> Float[Tensor, "N Q C"]:
        """EMSDA(Q, p, x) of Eq. 1.

        Args:
            query: content plus positional query.
            reference_points: (x, y) in [0, 1] of the image of `memory`.
        """
        locations, attention = self.sampling(query, reference_points, memory.sizes)
        sums = sample_memory(memory, locations, attention, image_index)  # (N, Q, M, C)
        projection = self.value_proj_weight.view(self.num_heads, -1, self.value_proj_weight.shape[1])
        heads = torch.einsum("nqmc,mcd->nqmd", sums, projection.to(sums.dtype)) + self.value_proj_bias
        return self.output_proj(heads.flatten(2))
