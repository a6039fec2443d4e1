"""Gradients of weighted sums of rows on a processor, faster than those of `embedding_bag` (`benchmarks emsda`).

The sums are sums[b] = sum_r weights[b, r] values[rows[b, r]], for N bags of R rows each. The gradient of the rows is
again a weighted sum, of the bags that a row is in; that of the weights is N x R scalar products. torch computes the
first by a loop over all entries, the second by another on one row at a time.
"""

import warnings
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag


def sum_bags(
    values: Float[Tensor, "cells C"], rows: Int[Tensor, "N R"], weights: Float[Tensor, "N R"]
) -> Float[Tensor, "N C"]:
    """Weighted sums of R rows each, in float32 or float64; differentiable once, in values and weights."""
    return _SumBags.apply(values, rows, weights)


def torch_sum_bags(
    values: Float[Tensor, "cells C"], rows: Int[Tensor, "N R"], weights: Float[Tensor, "N R"]
) -> Float[Tensor, "N C"]:
    """The same sums, with torch's gradients."""
    return embedding_bag(rows, values, mode="sum", per_sample_weights=weights)


class _SumBags(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(values, rows, weights)
        return torch_sum_bags(values, rows, weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        values, rows, weights = ctx.saved_tensors
        gradient = gradient.contiguous()  # in another layout, torch adds its rows several times more slowly
        of_values = _of_values(gradient, rows, weights, len(values)) if ctx.needs_input_grad[0] else None
        of_weights = _of_weights(gradient, rows, values) if ctx.needs_input_grad[2] else None
        return of_values, None, of_weights


def _of_values(
    gradient: Float[Tensor, "N C"], rows: Int[Tensor, "N R"], weights: Float[Tensor, "N R"], cells: int
) -> Float[Tensor, "cells C"]:
    """The entries are sorted by row, and each row's bags added; indices of 32 bits sort and add faster."""
    in_order, entry = rows.int().flatten().sort()
    first = torch.searchsorted(in_order, torch.arange(cells, dtype=torch.int32), out_int32=True)
    bag = entry.div(rows.shape[1], rounding_mode="floor").int()
    return embedding_bag(bag, gradient, first, mode="sum", per_sample_weights=weights.flatten()[entry])


def _of_weights(
    gradient: Float[Tensor, "N C"], rows: Int[Tensor, "N R"], values: Float[Tensor, "cells C"]
) -> Float[Tensor, "N R"]:
    """The products of bags and rows at the places of a sparse matrix, which may not have more than all."""
    if rows.shape[1] > len(values):
        return (gradient @ values.t()).gather(1, rows)
    starts = torch.arange(0, rows.numel() + 1, rows.shape[1])
    zeros = torch.zeros(rows.numel(), dtype=values.dtype)
    size = (len(rows), len(values))
    places = torch.sparse_csr_tensor(starts, rows.flatten(), zeros, size, check_invariants=False)
    return torch.sparse.sampled_addmm(places, gradient, values.t()).values().view(rows.shape)


def _hear_the_warning() -> None:
    """torch says once a process that such tensors are in beta; to nobody here, and not in the midst of a training."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.zeros(1, 1).to_sparse_csr()


_hear_the_warning()
