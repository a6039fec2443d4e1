"""Scores of keypoints from the sigma that a network gives with them (Sec. 3.3): RLE's, Eq. 8 and Eq. 6.

Eq. 6 integrates the density that the flow has learned, here by quadrature. The loss of a keypoint
(`poseur_lib.losses.rle`) is k (log sigma_x + log sigma_y) + (|e_x| + |e_y|) / sqrt(2) - c log phi(e), with
e = (mu - x) / sigma for the prediction mu and the truth x, phi the flow, c and k the loss's counts. Divided by k it has
the same minimum and is the negative logarithm of a density: p(e) proportional to
phi(e)^(c/k) exp(-(|e_x| + |e_y|) / (k sqrt(2))). Paper: c = k = 1. Released code: 2, which makes the Laplace factor's
scale 2 sqrt(2) sigma (`laplace_scale`).

The score of a keypoint depends on a / sigma_x and a / sigma_y alone, so that one table of masses serves every keypoint
of a model, and the scores can be computed from stored sigmas when the weights are gone.

With the flip test these are not the scores that the head gave: the stored sigma is the mean of the two passes', and the
head scores each pass and takes the mean of the scores, as the released code does. RLE's score is the same either way,
Eq. 8 is not: on 48 crops of COCO val with the shipped model and a of 0.2, a keypoint's differ by up to 0.068 (means of
0.064 from the head, 0.062 from the mean sigma), and Kendall's tau of the people's mean scores is 0.96. Of stored
sigmas are Table 1c, calibration with its `sigma_factor`, and `poseur_study.measurements.scoring`.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

CELLS = 64
"""Of the table of masses, on either axis."""
POINTS_PER_CELL = 4

LogDensity = Callable[[Float[Tensor, "rows 2"]], Float[Tensor, " rows"]]


def rle_scores(sigma: Float[Tensor, "*shape 2"]) -> Float[Tensor, "*shape"]:
    """RLE's score: the mean of 1 - sigma over the axes; the released code's default."""
    return (1 - sigma).mean(dim=-1)


def laplace_scores(sigma: Float[Tensor, "*shape 2"], radius: float = 0.2) -> Float[Tensor, "*shape"]:
    """Probability that a keypoint lies within `radius` of its prediction on both axes (Eq. 8).

    The two axes are scored apart and multiplied (Sec. 3.3).

    Args:
        sigma: scale per axis (x, y), as a fraction of the crop side. It stands for the Laplace scale b, as in the
            paper; `poseur_lib.losses.rle.laplace_scale` makes a true b of the network's.
        radius: half-width `a` of the interval, same unit; the paper uses 0.2.

    Raises:
        ValueError: `radius` is not positive.
    """
    if radius <= 0:
        raise ValueError(f"radius {radius} is not positive")
    return (1 - (-radius / sigma).exp()).prod(dim=-1)


def laplace_factor(error: Float[np.ndarray, "E 2"], sigma: Float[np.ndarray, "E 2"]) -> float:
    """What sigma has to be multiplied with to be the Laplace scale of these errors, by maximum likelihood.

    -log L is the sum of log(2 s sigma) + |d| / (s sigma) over keypoints and axes; its minimum s is the mean of
    |d| / sigma. One number for both axes and every radius: `sigma_factor` of a calibrated score.

    Args:
        error: |prediction - label| of labelled keypoints, a fraction of the crop side.
        sigma: the network's scale output of the same keypoints, same unit.

    Raises:
        ValueError: there is no keypoint, the errors are all 0, or a sigma is.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = float(np.mean(error / sigma)) if len(error) else 0.0
    if not 0 < factor < math.inf:
        raise ValueError(f"the Laplace factor of {len(error)} keypoints is {factor}, not positive and finite")
    return factor


@torch.no_grad()
def box_masses(log_phi: LogDensity, *, log_phi_count: int, log_sigma_count: int) -> Float[np.ndarray, "edges edges"]:
    """Mass of the boxes |e_x| <= h_x, |e_y| <= h_y around no error.

    Row (x) and column (y) i of CELLS + 1 stand for h = -k sqrt(2) log(1 - i / CELLS).
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
    sigma: Float[np.ndarray, "B K 2"],
    masses: Float[np.ndarray, "edges edges"],
    radius: float = 0.2,
    *,
    log_sigma_count: int,
) -> Float[np.ndarray, "B K"]:
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
