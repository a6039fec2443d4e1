"""Eq. 6: the keypoint score as an integral of the density that the flow has learned, by quadrature.

The density of a scaled error e = (x - mu) / sigma is, up to a constant, phi(e)^c exp(-(|e_x| + |e_y|) / sqrt(2)): what
the loss maximises (`poseur_lib.losses.rle`), c being its `log_phi_count`, with phi the flow. The score of a keypoint
depends on a / sigma_x and a / sigma_y alone, so that one table of masses serves every keypoint of a model, and the
scores can be computed from stored sigmas when the weights are gone.
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
def box_masses(log_phi: LogDensity, log_phi_count: int) -> Float[np.ndarray, "M M"]:
    """Mass of the boxes |e_x| <= h_x, |e_y| <= h_y; row and column i stand for the half width -sqrt(2) log(1 - i / 64).

    In u = 1 - exp(-|e| / sqrt(2)) the Laplace factor is flat: midpoints of equal cells in u are the quadrature, and
    phi^c is what they sum up, over the four quadrants. The last row and column are all of the axis.

    Args:
        log_phi: log density of the flow, x first.
        log_phi_count: c, how often it enters the loss.
    """
    per_axis = CELLS * POINTS_PER_CELL
    half = -math.sqrt(2) * torch.log1p(-(torch.arange(per_axis, dtype=torch.float64) + 0.5) / per_axis)
    x, y = (axis.flatten().float() for axis in torch.meshgrid(half, half, indexing="ij"))
    quadrants = [log_phi(torch.stack([a * x, b * y], dim=1)).double() for a in (-1, 1) for b in (-1, 1)]
    log_weights = log_phi_count * torch.stack(quadrants)
    weights = torch.exp(log_weights - log_weights.max()).sum(dim=0)
    cells = weights.view(CELLS, POINTS_PER_CELL, CELLS, POINTS_PER_CELL).sum(dim=(1, 3))
    masses = torch.zeros(CELLS + 1, CELLS + 1, dtype=torch.float64)
    masses[1:, 1:] = cells.cumsum(0).cumsum(1)
    return (masses / masses[-1, -1]).float().numpy()


def density_scores(
    sigma: Float[np.ndarray, "N K 2"], masses: Float[np.ndarray, "M M"], radius: float = 0.2
) -> Float[np.ndarray, "N K"]:
    """Probability that a keypoint lies within `radius` of its prediction on both axes (Eq. 6), bilinear in `masses`.

    Args:
        sigma: the network's scale output per axis (x, y), as a fraction of the crop side.
        masses: see `box_masses`.
        radius: half-width `a` of the interval, same unit; the paper uses 0.2.

    Raises:
        ValueError: `radius` is not positive.
    """
    if radius <= 0:
        raise ValueError(f"radius {radius} is not positive")
    cells = len(masses) - 1
    place = -np.expm1(-radius / (math.sqrt(2) * np.asarray(sigma, np.float64))) * cells
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
    return box_masses(lambda e: flow.log_prob(e.to(device)).cpu(), head.config.loss.log_phi_count)
