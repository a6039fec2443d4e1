"""The density of a keypoint's place that a flow has learned, on a grid around the prediction (Sec. 3.2).

The loss takes the error as e = (prediction - truth) / sigma. A truth at s sigmas from the prediction, x to the right
and y down, so has e = -s, and the density whose likelihood the loss maximises (see `poseur_lib.scoring.uncertainty`) is
p(s) proportional to phi(-s)^(c/k) exp(-(|s_x| + |s_y|) / (k sqrt(2))): the flow's part G and the Laplace part.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from poseur_lib.scoring.uncertainty import LogDensity

POINTS = 121
WIDEST_IN_SCALES = 3.5
"""Half side of the first square, in Laplace scales."""
SHARE_KEPT, MARGIN = 0.98, 2.0
"""The square is drawn in to this many times the half side of one that holds so much of the mass."""
NARROWINGS = 12


@dataclass(frozen=True, eq=False)
class FlowGrid:
    """Densities per square sigma at the places of a grid, row by row from above; they do not depend on the keypoint.

    Attributes:
        steps: of x, and of y, from the prediction in units of sigma; odd in number, so that the middle one is 0.
        flow: the flow's density phi, as it is.
        laplace_density: the Laplace density of scale b = k sqrt(2) sigma.
        product: what both make of it, with mass 1 on the grid.
        exponent: c / k, to which phi enters the product.
    """

    steps: Float[np.ndarray, "grid"]
    flow: Float[np.ndarray, "grid grid"]
    laplace_density: Float[np.ndarray, "grid grid"]
    product: Float[np.ndarray, "grid grid"]
    exponent: float

    @property
    def mean_distance(self) -> Float[np.ndarray, "2"]:
        """Mean of |s_x| and of |s_y| under the product: the error that the model expects, in units of sigma."""
        mass, distance = self.product / self.product.sum(), np.abs(self.steps)
        return np.array([distance @ mass.sum(axis=0), distance @ mass.sum(axis=1)])

    @property
    def half_width(self) -> float:
        """Half side of the square around the prediction that holds nearly all of the product's mass."""
        distance = np.abs(self.steps)
        ring = np.maximum(distance[:, None], distance).ravel()
        order = np.argsort(ring, kind="stable")
        mass = np.cumsum(self.product.ravel()[order])
        return float(ring[order][np.searchsorted(mass, SHARE_KEPT * mass[-1])])

    def level_of_mass(self, density: Float[np.ndarray, "grid grid"], share: float) -> float:
        """The density above which `share` of the mass on the grid lies."""
        ordered = np.sort(density, axis=None)[::-1]
        mass = np.cumsum(ordered) / ordered.sum()
        return float(ordered[min(int(np.searchsorted(mass, share)), len(ordered) - 1)])


@torch.no_grad()
def flow_grid(log_phi: LogDensity, *, log_phi_count: int, log_sigma_count: int) -> FlowGrid:
    """The densities on a square that the product fills, whether the flow leaves it wide or makes it narrow.

    Args:
        log_phi: log density of the flow, x first.
        log_phi_count, log_sigma_count: c and k of the loss that the flow was trained with.
    """
    scale, exponent = math.sqrt(2) * log_sigma_count, log_phi_count / log_sigma_count
    reach = WIDEST_IN_SCALES * scale
    for _ in range(NARROWINGS):
        steps = np.linspace(-reach, reach, POINTS)
        y, x = np.meshgrid(steps, steps, indexing="ij")
        errors = -np.stack([x, y], axis=-1).reshape(-1, 2)
        log_flow = log_phi(torch.from_numpy(errors).float()).double().numpy().reshape(x.shape)
        log_laplace = -(np.abs(x) + np.abs(y)) / scale - 2 * math.log(2 * scale)
        log_product = exponent * log_flow + log_laplace
        product = np.exp(log_product - log_product.max())
        product /= product.sum() * (steps[1] - steps[0]) ** 2
        grid = FlowGrid(steps, np.exp(log_flow), np.exp(log_laplace), product, exponent)
        closer = MARGIN * max(grid.half_width, float(steps[POINTS // 2 + 1]))
        if closer > 0.8 * reach:
            break
        reach = closer
    return grid
