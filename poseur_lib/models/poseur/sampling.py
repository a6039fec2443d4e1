"""Weighted bilinear sampling of feature pyramids: the inner double sum of Eq. 1.

Every head of every query is a weighted sum of R = L levels x S points x 4 corners rows of the flattened maps. On a GPU
small maps are multiplied by a matrix of the weights (`sample_dense`); otherwise `embedding_bag` sums the rows, so that
no sampled feature is stored (`sample_bags`), and on a processor `bag_gradients` differentiates it; ONNX, which has
neither, gathers the rows first. `sampling_kernels` does both on a GPU with the places computed inside. One map serves
all heads and all instances of an image. Memory is of I images and queries of B instances: one instance an image, or
several of them by `image_index`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from poseur_lib.models.poseur.bag_gradients import sum_bags, torch_sum_bags
from poseur_lib.models.poseur.memory import LevelGeometry, Memory

Way = Literal["matrix", "bags", "matrix kernel", "rows kernel"]
"""How rows are summed: `sample_dense`, `sample_bags`, and the two of `sampling_kernels`."""

MATRIX_CELLS_PER_ROW = 64
"""On a GPU, `sample_dense` is the faster way up to this many cells of the pyramid per row that a head reads.

Forward and backward of 4,080 cells and 64 rows took 4.3 ms by the matrix with TF32 products (3.2 in bfloat16) and 9.9
by bags on an H200, recorded on 2026-11-27; products that are not rounded to TF32, as in a run in float32, larger maps,
and inference alone, were not measured. On a processor bags are faster from crops of 64x48 on (`benchmarks emsda`).
"""

_asked: ContextVar[Way | None] = ContextVar("way of sampling", default=None)


@contextmanager
def sampled_by(way: Way) -> Iterator[None]:
    """Sample in this way inside, whatever the sizes; for benchmarks, and for tests that compare ways."""
    token = _asked.set(way)
    try:
        yield
    finally:
        _asked.reset(token)


def chosen_way(cells: int, rows: int, device: str, one_each: bool) -> Way:
    """The faster way of those that were measured. The kernels are none of them: no GPU has run them yet.

    Before Hopper (sm_90) the matrix kernel in bfloat16 is none to choose: a GPU without such an addition to memory
    compares and swaps until it was the only one to write, for each of a sample's four corners.

    Args:
        cells: P, of the whole pyramid.
        rows: R, that a head of a query reads.
        device: its type, "cpu" or "cuda".
        one_each: one instance an image, in order; the matrix needs it.
    """
    asked = _asked.get()
    if asked is not None and (one_each or asked in ("bags", "rows kernel")):
        return asked
    few_cells = cells <= MATRIX_CELLS_PER_ROW * rows
    return "matrix" if device == "cuda" and one_each and few_cells else "bags"


def _axis(
    position: Float[Tensor, "B Q M L S"], cells: Float[Tensor, "L 1"]
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The two cells next to a position in [0, 1] on one axis, and their shares: 0 outside, where the cell is clamped.

    One that is NaN or infinite gets some cell and the share NaN, so that a diverged network ends in the loss.
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
    b, q, m, r = rows.shape
    matrix = row_weights.new_zeros(b, q * m, values.shape[1])
    matrix = matrix.scatter_add(2, rows.reshape(b, q * m, r), row_weights.reshape(b, q * m, r))
    return torch.bmm(matrix, values).view(b, q, m, values.shape[2])


def sample_bags(
    values: Float[Tensor, "I P C"],
    rows: Int[Tensor, "B Q M R"],
    row_weights: Float[Tensor, "B Q M R"],
    image_index: Int[Tensor, " B"] | None = None,
) -> Float[Tensor, "B Q M C"]:
    """The same sums as bags of an embedding: nothing of size R x C is stored.

    ONNX has no such operator: there, the rows are gathered. CUDA's has no gradient of 16-bit weights: there, all is
    float32.

    Args:
        image_index: the image of each instance; None: one instance an image, in order.

    Raises:
        ValueError: no `image_index`, and not as many instances as images.
    """
    if image_index is None:
        if rows.shape[0] != values.shape[0]:
            raise ValueError(f"{len(rows)} instances in {len(values)} images need an image_index")
        image_index = torch.arange(rows.shape[0], device=rows.device)
    rows = rows + image_index[:, None, None, None] * values.shape[1]
    values = values.float() if values.is_cuda else values
    row_weights = row_weights.to(values.dtype)
    if torch.onnx.is_in_onnx_export():
        return sum_gathered(values.flatten(0, 1), rows, row_weights)
    bags = (rows.shape[0] * rows.shape[1] * rows.shape[2], rows.shape[3])
    of_cells, shares = values.flatten(0, 1), row_weights.reshape(bags)
    sum_them = sum_bags if _own_gradients(values) else torch_sum_bags
    return sum_them(of_cells, rows.reshape(bags), shares).view(*rows.shape[:3], values.shape[2])


def _own_gradients(values: Float[Tensor, "I P C"]) -> bool:
    """Whether `bag_gradients` can differentiate here: step by step, in 32 or 64 bits, on a processor.

    torch.compile and torch.func see through torch's operator only.
    """
    transformed = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    exact = values.dtype in (torch.float32, torch.float64)
    return torch.is_grad_enabled() and values.device.type == "cpu" and exact and not transformed


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
    values, levels = memory.values, memory.levels
    one_each = image_index is None and sampling_locations.shape[0] == values.shape[0]
    rows_per_head = 4 * attention_weights.shape[3] * attention_weights.shape[4]
    way = chosen_way(values.shape[1], rows_per_head, values.device.type, one_each)
    if torch.onnx.is_in_onnx_export():
        way = "bags"
    if way in ("matrix kernel", "rows kernel"):
        from poseur_lib.models.poseur import sampling_kernels

        if way == "matrix kernel":
            return sampling_kernels.sum_by_matrix(values, levels, sampling_locations, attention_weights)
        return sampling_kernels.sum_rows(values, levels, sampling_locations, attention_weights, image_index)
    rows, row_weights = corner_rows(levels, sampling_locations, attention_weights)
    if way == "matrix":
        return sample_dense(values, rows, row_weights.to(values.dtype))
    return sample_bags(values, rows, row_weights, image_index)
