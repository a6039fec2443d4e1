"""EMSDA's sampling as Triton kernels, for GPUs: the places that are sampled are computed where they are used.

Two ways, each with its backward. `sum_rows` adds up the weighted rows of each head of each query, and its one backward
gives the gradients of the maps, the places and the weights. `fill_matrix` makes the matrix of `sample_dense`, whose
products with the maps, forward and backward, are then torch's. Both are held against `poseur_lib...sampling` in tests,
by Triton's interpreter where there is no GPU.

Imported only where a kernel is asked for: Triton comes with CUDA builds of torch, and with no other.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from poseur_lib.models.poseur.memory import LevelGeometry

SAMPLES_PER_PROGRAM = 256


@triton.jit
@no_type_check
def _axis(position, cells):
    """As `sampling._axis`: the two cells next to a position, their shares, and which of the two are on the map."""
    position = position * cells - 0.5
    low = tl.floor(position)
    low = tl.where(low == low, low, 0.0)
    high_share = position - low
    low_inside = ((low >= 0) & (low < cells)).to(tl.float32)
    high_inside = ((low >= -1) & (low < cells - 1)).to(tl.float32)
    low_cell = tl.minimum(tl.maximum(low, 0.0), cells - 1)
    high_cell = tl.minimum(tl.maximum(low + 1, 0.0), cells - 1)
    return low_cell, high_cell, (1 - high_share) * low_inside, high_share * high_inside, low_inside, high_inside


@triton.jit
@no_type_check
def _towards_places(
    weight, left, right, top, bottom, left_in, right_in, top_in, bottom_in, at_tl, at_tr, at_bl, at_br, width, height
):
    """Gradients of weight, x and y, given those of what the four corners weigh (`at_*`) and the shares."""
    to_weight = top * (left * at_tl + right * at_tr) + bottom * (left * at_bl + right * at_br)
    to_x = top * (right_in * at_tr - left_in * at_tl) + bottom * (right_in * at_br - left_in * at_bl)
    to_y = left * (bottom_in * at_bl - top_in * at_tl) + right * (bottom_in * at_br - top_in * at_tr)
    return to_weight, weight * width * to_x, weight * height * to_y


@triton.jit
@no_type_check
def _sum_rows(
    values, locations, weights, image_index, widths, heights, starts, sums, bags_per_instance, cells, channels,
    LEVELS: tl.constexpr, POINTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program a bag: R rows of the maps, weighted and added."""
    bag = tl.program_id(0).to(tl.int64)
    channel = tl.arange(0, BLOCK)
    there = channel < channels
    image = tl.load(image_index + bag // bags_per_instance).to(tl.int64)
    rows = values + image * cells * channels + channel
    total = tl.zeros([BLOCK], tl.float32)
    for level in range(LEVELS):
        width, height, start = tl.load(widths + level), tl.load(heights + level), tl.load(starts + level)
        for point in tl.static_range(POINTS):
            sample = (bag * LEVELS + level) * POINTS + point
            weight = tl.load(weights + sample).to(tl.float32)
            x0, x1, left, right, _left_in, _right_in = _axis(tl.load(locations + 2 * sample), width)
            y0, y1, top, bottom, _top_in, _bottom_in = _axis(tl.load(locations + 2 * sample + 1), height)
            first, second = start + y0 * width, start + y1 * width
            at_tl = tl.load(rows + (first + x0).to(tl.int64) * channels, mask=there, other=0.0).to(tl.float32)
            at_tr = tl.load(rows + (first + x1).to(tl.int64) * channels, mask=there, other=0.0).to(tl.float32)
            at_bl = tl.load(rows + (second + x0).to(tl.int64) * channels, mask=there, other=0.0).to(tl.float32)
            at_br = tl.load(rows + (second + x1).to(tl.int64) * channels, mask=there, other=0.0).to(tl.float32)
            total += weight * (top * (left * at_tl + right * at_tr) + bottom * (left * at_bl + right * at_br))
    tl.store(sums + bag * channels + channel, total.to(sums.dtype.element_ty), mask=there)


@triton.jit
@no_type_check
def _sum_rows_backward(
    values, locations, weights, image_index, widths, heights, starts, to_sums, to_values, to_locations, to_weights,
    bags_per_instance, cells, channels, LEVELS: tl.constexpr, POINTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One program a bag: gradients of its rows are added to those of other bags, in float32."""
    bag = tl.program_id(0).to(tl.int64)
    channel = tl.arange(0, BLOCK)
    there = channel < channels
    first_row = tl.load(image_index + bag // bags_per_instance).to(tl.int64) * cells * channels
    to_sum = tl.load(to_sums + bag * channels + channel, mask=there, other=0.0).to(tl.float32)
    rows, to_rows = values + first_row + channel, to_values + first_row + channel
    for level in range(LEVELS):
        width, height, start = tl.load(widths + level), tl.load(heights + level), tl.load(starts + level)
        for point in tl.static_range(POINTS):
            sample = (bag * LEVELS + level) * POINTS + point
            weight = tl.load(weights + sample).to(tl.float32)
            x0, x1, left, right, left_in, right_in = _axis(tl.load(locations + 2 * sample), width)
            y0, y1, top, bottom, top_in, bottom_in = _axis(tl.load(locations + 2 * sample + 1), height)
            first, second = start + y0 * width, start + y1 * width
            tl_row, tr_row = (first + x0).to(tl.int64) * channels, (first + x1).to(tl.int64) * channels
            bl_row, br_row = (second + x0).to(tl.int64) * channels, (second + x1).to(tl.int64) * channels
            at_tl = tl.sum(to_sum * tl.load(rows + tl_row, mask=there, other=0.0).to(tl.float32))
            at_tr = tl.sum(to_sum * tl.load(rows + tr_row, mask=there, other=0.0).to(tl.float32))
            at_bl = tl.sum(to_sum * tl.load(rows + bl_row, mask=there, other=0.0).to(tl.float32))
            at_br = tl.sum(to_sum * tl.load(rows + br_row, mask=there, other=0.0).to(tl.float32))
            to_weight, to_x, to_y = _towards_places(
                weight, left, right, top, bottom, left_in, right_in, top_in, bottom_in, at_tl, at_tr, at_bl, at_br,
                width, height,
            )  # fmt: skip
            tl.store(to_weights + sample, to_weight)
            tl.store(to_locations + 2 * sample, to_x)
            tl.store(to_locations + 2 * sample + 1, to_y)
            tl.atomic_add(to_rows + tl_row, weight * top * left * to_sum, mask=there, sem="relaxed")
            tl.atomic_add(to_rows + tr_row, weight * top * right * to_sum, mask=there, sem="relaxed")
            tl.atomic_add(to_rows + bl_row, weight * bottom * left * to_sum, mask=there, sem="relaxed")
            tl.atomic_add(to_rows + br_row, weight * bottom * right * to_sum, mask=there, sem="relaxed")


@triton.jit
@no_type_check
def _fill_matrix(
    locations, weights, widths, heights, starts, matrix, samples, cells,
    LEVELS: tl.constexpr, POINTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One element a sample: what its four corners weigh is added to the row of its bag."""
    sample = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = sample < samples
    level = (sample // POINTS) % LEVELS
    width, height, start = tl.load(widths + level), tl.load(heights + level), tl.load(starts + level)
    weight = tl.load(weights + sample, mask=there, other=0.0).to(tl.float32)
    x0, x1, left, right, _left_in, _right_in = _axis(tl.load(locations + 2 * sample, mask=there, other=0.0), width)
    y0, y1, top, bottom, _top_in, _bottom_in = _axis(tl.load(locations + 2 * sample + 1, mask=there, other=0.0), height)
    row = matrix + sample // (LEVELS * POINTS) * cells
    first, second = start + y0 * width, start + y1 * width
    kind = matrix.dtype.element_ty
    tl.atomic_add(row + (first + x0).to(tl.int64), (weight * top * left).to(kind), mask=there, sem="relaxed")
    tl.atomic_add(row + (first + x1).to(tl.int64), (weight * top * right).to(kind), mask=there, sem="relaxed")
    tl.atomic_add(row + (second + x0).to(tl.int64), (weight * bottom * left).to(kind), mask=there, sem="relaxed")
    tl.atomic_add(row + (second + x1).to(tl.int64), (weight * bottom * right).to(kind), mask=there, sem="relaxed")


@triton.jit
@no_type_check
def _fill_matrix_backward(
    locations, weights, widths, heights, starts, to_matrix, to_locations, to_weights, samples, cells,
    LEVELS: tl.constexpr, POINTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One element a sample: gradients of weight and place, read off the matrix's gradient at its four corners."""
    sample = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = sample < samples
    level = (sample // POINTS) % LEVELS
    width, height, start = tl.load(widths + level), tl.load(heights + level), tl.load(starts + level)
    weight = tl.load(weights + sample, mask=there, other=0.0).to(tl.float32)
    x = tl.load(locations + 2 * sample, mask=there, other=0.0)
    y = tl.load(locations + 2 * sample + 1, mask=there, other=0.0)
    x0, x1, left, right, left_in, right_in = _axis(x, width)
    y0, y1, top, bottom, top_in, bottom_in = _axis(y, height)
    row = to_matrix + sample // (LEVELS * POINTS) * cells
    first, second = start + y0 * width, start + y1 * width
    at_tl = tl.load(row + (first + x0).to(tl.int64), mask=there, other=0.0).to(tl.float32)
    at_tr = tl.load(row + (first + x1).to(tl.int64), mask=there, other=0.0).to(tl.float32)
    at_bl = tl.load(row + (second + x0).to(tl.int64), mask=there, other=0.0).to(tl.float32)
    at_br = tl.load(row + (second + x1).to(tl.int64), mask=there, other=0.0).to(tl.float32)
    to_weight, to_x, to_y = _towards_places(
        weight, left, right, top, bottom, left_in, right_in, top_in, bottom_in, at_tl, at_tr, at_bl, at_br,
        width, height,
    )  # fmt: skip
    tl.store(to_weights + sample, to_weight, mask=there)
    tl.store(to_locations + 2 * sample, to_x, mask=there)
    tl.store(to_locations + 2 * sample + 1, to_y, mask=there)


def _device_of(tensor: Tensor) -> AbstractContextManager:
    """Triton launches on the current GPU, which need not be the tensors'; torch.compile sees to that by itself."""
    guarded = tensor.is_cuda and not torch.compiler.is_compiling()
    return torch.cuda.device(tensor.device) if guarded else nullcontext()


class _SumRows(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, locations: Tensor, weights: Tensor, image_index: Tensor, *levels: Tensor
    ) -> Tensor:
        values, locations, weights = values.contiguous(), locations.float().contiguous(), weights.contiguous()
        instances, queries, heads, n_levels, points = weights.shape
        sums = values.new_empty(instances, queries, heads, values.shape[2])
        block = triton.next_power_of_2(values.shape[2])
        with _device_of(values):
            _sum_rows[(instances * queries * heads,)](
                values, locations, weights, image_index, *levels, sums, queries * heads, *values.shape[1:],
                LEVELS=n_levels, POINTS=points, BLOCK=block, num_warps=max(1, min(4, block // 256)),
            )  # fmt: skip
        ctx.save_for_backward(values, locations, weights, image_index, *levels)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *to_sums: Tensor) -> tuple[Tensor | None, ...]:
        values, locations, weights, image_index, *levels = ctx.saved_tensors
        instances, queries, heads, n_levels, points = weights.shape
        to_values = torch.zeros_like(values, dtype=torch.float32)
        to_locations, to_weights = torch.empty_like(locations), torch.empty_like(weights, dtype=torch.float32)
        block = triton.next_power_of_2(values.shape[2])
        with _device_of(values):
            _sum_rows_backward[(instances * queries * heads,)](
                values, locations, weights, image_index, *levels, to_sums[0].contiguous(), to_values, to_locations,
                to_weights, queries * heads, *values.shape[1:], LEVELS=n_levels, POINTS=points, BLOCK=block,
                num_warps=max(1, min(4, block // 256)),
            )  # fmt: skip
        return to_values.to(values.dtype), to_locations, to_weights.to(weights.dtype), None, None, None, None


class _FillMatrix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, locations: Tensor, weights: Tensor, like: Tensor, *levels: Tensor) -> Tensor:
        locations, weights = locations.float().contiguous(), weights.contiguous()
        instances, queries, heads, n_levels, points = weights.shape
        matrix = like.new_zeros(instances, queries * heads, like.shape[1])
        with _device_of(like):
            _fill_matrix[(triton.cdiv(weights.numel(), SAMPLES_PER_PROGRAM),)](
                locations, weights, *levels, matrix, weights.numel(), matrix.shape[2],
                LEVELS=n_levels, POINTS=points, BLOCK=SAMPLES_PER_PROGRAM,
            )  # fmt: skip
        ctx.save_for_backward(locations, weights, *levels)
        return matrix

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *to_matrix: Tensor) -> tuple[Tensor | None, ...]:
        locations, weights, *levels = ctx.saved_tensors
        *_, n_levels, points = weights.shape
        to_locations, to_weights = torch.empty_like(locations), torch.empty_like(weights, dtype=torch.float32)
        with _device_of(locations):
            _fill_matrix_backward[(triton.cdiv(weights.numel(), SAMPLES_PER_PROGRAM),)](
                locations, weights, *levels, to_matrix[0].contiguous(), to_locations, to_weights, weights.numel(),
                to_matrix[0].shape[2], LEVELS=n_levels, POINTS=points, BLOCK=SAMPLES_PER_PROGRAM,
            )  # fmt: skip
        return to_locations, to_weights.to(weights.dtype), None, None, None, None


def sum_rows(
    values: Float[Tensor, "I P C"],
    levels: LevelGeometry,
    sampling_locations: Float[Tensor, "B Q M L S 2"],
    attention_weights: Float[Tensor, "B Q M L S"],
    image_index: Int[Tensor, " B"] | None = None,
) -> Float[Tensor, "B Q M C"]:
    """`sampling.sample_bags` of `sampling.corner_rows`: sums in float32, given in the dtype of the values.

    Raises:
        ValueError: no `image_index`, and not as many instances as images.
    """
    if image_index is None:
        if len(sampling_locations) != len(values):
            raise ValueError(f"{len(sampling_locations)} instances in {len(values)} images need an image_index")
        image_index = torch.arange(len(sampling_locations), device=values.device)
    flat = (x.flatten().contiguous() for x in levels)
    return _SumRows.apply(values, sampling_locations, attention_weights, image_index, *flat)


def sum_by_matrix(
    values: Float[Tensor, "B P C"],
    levels: LevelGeometry,
    sampling_locations: Float[Tensor, "B Q M L S 2"],
    attention_weights: Float[Tensor, "B Q M L S"],
) -> Float[Tensor, "B Q M C"]:
    """`sampling.sample_dense` of `sampling.corner_rows`."""
    flat = (x.flatten().contiguous() for x in levels)
    matrix = _FillMatrix.apply(sampling_locations, attention_weights, values.detach(), *flat)
    return torch.bmm(matrix, values).view(*sampling_locations.shape[:3], values.shape[2])
