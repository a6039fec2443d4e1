"""Weighted bilinear sampling of feature pyramids: the inner double sum of Eq. 1.

Every head of every query is a weighted sum of R = L levels x S points x 4 corners rows of the flattened maps. Small
maps are multiplied by a matrix of the weights (`sample_dense`); otherwise `embedding_bag` sums the rows, so that no
sampled feature is stored (`sample_bags`); ONNX, which has neither, gathers the rows first. One map serves all heads and
all instances of an image. Memory is of I images and queries of B instances: one instance an image, or several of them
by `image_index`.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

from poseur_lib.models.poseur.memory import LevelGeometry, Memory

DENSE_CELLS_PER_ROW = 16
"""Up to this many cells of the pyramid per row that a head reads, `sample_dense` is the faster way (benchmarks/)."""


def _axis(
    position: Float[Tensor, "B Q M L S"], cells: Float[Tensor, "L 1"]
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The two cells next to a position in [0, 1] on one axis, and their shares: 0 outside, where the cell is clamped.

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


def corner_rows(
    levels: LevelGeometry,
    sampling_locations: Float[Tensor, "B Q M L S 2"],
    attention_weights: Float[Tensor, "B Q M L S"],
) -> tuple[Int[Tensor, "B Q M R"], Float[Tensor, "B Q M R"]]:
    """Row number and weight of the four cells around each location; cells outside their map weigh nothing."""
    width, height, start = levels
    x, y = sampling_locations.float().unbind(dim=-1)
    left, right = _axis(x, width)
    top, bottom = _axis(y, height)
    rows, shares = [], []
    for row, y_share in (top, bottom):
        first = start + row * width
        weighted = y_share * attention_weights
        for column, x_share in (left, right):
            rows.append((first + column).long())
            shares.append(weighted * x_share)
    return torch.stack(rows, dim=-1).flatten(3), torch.stack(shares, dim=-1).flatten(3)


def sum_gathered(
    values: Float[Tensor, "rows C"], rows: Int[Tensor, "B Q M R"], row_weights: Float[Tensor, "B Q M R"]
) -> Float[Tensor, "B Q M C"]:
    """Weighted sums of R rows of `values`, which are all copied first."""
    return (row_weights[..., None, :] @ values[rows]).squeeze(-2)


def sample_dense(
    values: Float[Tensor, "B P C"], rows: Int[Tensor, "B Q M R"], row_weights: Float[Tensor, "B Q M R"]
) -> Float[Tensor, "B Q M C"]:
    """The same sums as one matrix product, for small maps: the weights are scattered into [Q M, P] per image."""
    b, q, m, _ = rows.shape
    matrix = row_weights.new_zeros(b, q * m, values.shape[1])
    matrix = matrix.scatter_add(2, rows.reshape(b, q * m, -1), row_weights.reshape(b, q * m, -1))
    return torch.bmm(matrix, values).view(b, q, m, -1)


def sample_bags(
    values: Float[Tensor, "I P C"],
    rows: Int[Tensor, "B Q M R"],
    row_weights: Float[Tensor, "B Q M R"],
    image_index: Int[Tensor, " B"] | None = None,
) -> Float[Tensor, "B Q M C"]:
    """The same sums as bags of an embedding: nothing of size R x C is stored.

    ONNX has no such operator: there, the rows are gathered.

    Args:
        image_index: the image of each instance; None: one instance an image, in order.

    Raises:
        ValueError: no `image_index`, and not as many instances as images.
    """
    if image_index is None:
        if len(rows) != len(values):
            raise ValueError(f"{len(rows)} instances in {len(values)} images need an image_index")
        image_index = torch.arange(rows.shape[0], device=rows.device)
    rows = rows + image_index[:, None, None, None] * values.shape[1]
    if torch.onnx.is_in_onnx_export():
        return sum_gathered(values.flatten(0, 1), rows, row_weights)
    bags = (rows.shape[0] * rows.shape[1] * rows.shape[2], rows.shape[3])
    sums = embedding_bag(
        rows.reshape(bags), values.flatten(0, 1), mode="sum", per_sample_weights=row_weights.reshape(bags)
    )
    return sums.view(*rows.shape[:3], -1)


def sample_memory(
    memory: Memory,
    sampling_locations: Float[Tensor, "B Q M L S 2"],
    attention_weights: Float[Tensor, "B Q M L S"],
    image_index: Int[Tensor, " B"] | None = None,
) -> Float[Tensor, "B Q M C"]:
    """The inner double sum of Eq. 1: bilinear samples, weighted and added over levels and points.

    Args:
        sampling_locations: (x, y) in [0, 1] of the crop, and so of each level's map; outside, the maps are zero.
        image_index: as in `sample_bags`.

    Raises:
        ValueError: no `image_index`, and not as many instances as images.
    """
    rows, row_weights = corner_rows(memory.levels, sampling_locations, attention_weights)
    row_weights = row_weights.to(memory.values.dtype)
    few_cells = memory.values.shape[1] <= DENSE_CELLS_PER_ROW * rows.shape[-1]
    one_each = image_index is None and len(rows) == len(memory.values)
    if one_each and few_cells and not torch.onnx.is_in_onnx_export():
        return sample_dense(memory.values, rows, row_weights)
    return sample_bags(memory.values, rows, row_weights, image_index)
