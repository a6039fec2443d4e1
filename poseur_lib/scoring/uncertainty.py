"""Eq. 6: the keypoint score as an integral of the density that the flow has learned, by quadrature.

The loss of a keypoint (`poseur_lib.losses.rle`) is k (log sigma_x + log sigma_y) + (|e_x| + |e_y|) / sqrt(2)
- c log phi(e), with e = (x - mu) / sigma, phi the flow, c and k the loss's counts. Divided by k it has the same minimum
and is the negative logarithm of a density: p(e) proportional to phi(e)^(c/k) exp(-(|e_x| + |e_y|) / (k sqrt(2))).
Paper: c = k = 1. Released code: 2, which makes the Laplace factor's scale 2 sqrt(2) sigma (`laplace_scale`).

The score of a keypoint depends on a / sigma_x and a / sigma_y alone, so that one table of masses serves every keypoint
of a model, and the scores can be computed from stored sigmas when the weights are gone.

Keypoint scores from sigma (Sec. 3.3).
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

CELLS = 64

POINTS_PER_CELL = 4

LogDensity = Callable[[Float[Tensor, "N 2"]], Float[Tensor, " N"]]


@torch.no_grad()
def box_masses(log_phi: LogDensity, *, log_phi_count: int, log_sigma_count: int) -> Float[np.ndarray, "M M"]:
    """Mass of the boxes |e_x| <= h_x, |e_y| <= h_y; row and column i stand for h = -k sqrt(2) log(1 - i / 64).

    In u = 1 - exp(-|e| / (k sqrt(2))) the Laplace factor is flat: midpoints of equal cells in u are the quadrature, and
    phi^(c/k) is what they sum up, over the four quadrants. The last row and column are all of the axis.

    Args:
        log_phi: log density of the flow, x first.
        log_phi_count, log_sigma_count: c and k of the loss that the flow was trained with.
    """
    per_axis = CELLS * POINTS_PER_CELL
    midpoints = (torch.arange(per_axis, dtype=torch.float64) + 0.5) / per_axis
    half = -math.sqrt(2) * log_sigma_count * torch.log1p(-midpoints)
    x, y = (axis.flatten().float() for axis in torch.meshgrid(half, half, indexing="ij"))
    quadrants = [log_phi(torch.stack([a * x, b * y], dim=1)).double() for a in (-1, 1) for b in (-1, 1)]
    log_weights = log_phi_count / log_sigma_count * torch.stack(quadrants)
    weights = torch.exp(log_weights - log_weights.max()).sum(dim=0)
    cells = weights.view(CELLS, POINTS_PER_CELL, CELLS, POINTS_PER_CELL).sum(dim=(1, 3))
    masses = torch.zeros(CELLS + 1, CELLS + 1, dtype=torch.float64)
    masses[1:, 1:] = cells.cumsum(0).cumsum(1)
    return (masses / masses[-1, -1]).float().numpy()


def density_scores(
    sigma: Float[np.ndarray, "N K 2"], masses: Float[np.ndarray, "M M"], radius: float = 0.2, *, log_sigma_count: int
) -> Float[np.ndarray, "N K"]:
    """Probability that a keypoint lies within `radius` of its prediction on both axes (Eq. 6), bilinear in `masses`.

    Args:
        sigma: the network's scale output per axis (x, y), as a fraction of the crop side.
        masses: see `box_masses`.
        radius: half-width `a` of the interval, same unit; the paper uses 0.2.
        log_sigma_count: that of `masses`.

    Raises:
        ValueError: `radius` is not positive.
    """
    if radius <= 0:
        raise ValueError(f"radius {radius} is not positive")
    cells = len(masses) - 1
    place = -np.expm1(-radius / (math.sqrt(2) * log_sigma_count * np.asarray(sigma, np.float64))) * cells
    low = np.minimum(place.astype(int), cells - 1)
    share = place - low
    (i, j), (s, t) = np.moveaxis(low, -1, 0), np.moveaxis(share, -1, 0)
    lower = (1 - t) * masses[i, j] + t * masses[i, j + 1]
    upper = (1 - t) * masses[i + 1, j] + t * masses[i + 1, j + 1]
    return ((1 - s) * lower + s * upper).astype(np.float32)


def masses_of(model: nn.Module) -> Float[np.ndarray, "M M"] | None:
    """The table of Poseur's last stage; None for another method."""
    head = model.head
    flow = getattr(head, "decoder_flow", None)
    if flow is None:
        return None
    device = next(flow.parameters()).device
    loss = head.config.loss
    return box_masses(
        lambda e: flow.log_prob(e.to(device)).cpu(),
        log_phi_count=loss.log_phi_count,
        log_sigma_count=loss.log_sigma_count,
    )


def laplace_scores(sigma: Float[Tensor, "*shape 2"], radius: float = 0.2) -> Float[Tensor, "*shape"]:
    """Probability that a keypoint lies within `radius` of its prediction on both axes (Eq. 8).

    The two axes are scored apart and multiplied (Sec. 3.3); sigma stands for the Laplace scale b, as in the paper.

    Args:
        sigma: scale per axis (x, y), as a fraction of the crop side.
        radius: half-width `a` of the interval, same unit; the paper uses 0.2.

    Raises:
        ValueError: `radius` is not positive.
    """
    if radius <= 0:
        raise ValueError(f"radius {radius} is not positive")
    return (1 - (-radius / sigma).exp()).prod(dim=-1)


def rle_scores(sigma: Float[Tensor, "*shape 2"]) -> Float[Tensor, "*shape"]:
    """RLE's score: the mean of 1 - sigma over the axes; the released code's default."""
    return (1 - sigma).mean(dim=-1)
