"""The learned density around a prediction against closed forms and against Eq. 6's own quadrature."""

import math

import numpy as np
import pytest
import torch

from poseur_lib.losses.flow import RealNVP
from poseur_lib.scoring.uncertainty import box_masses, density_scores
from poseur_study.explorer.attention.density_grid import flow_grid


def gaussian(mean: tuple[float, float], deviation: float):
    """Log density of an isotropic Gaussian of the error e."""

    def log_prob(e: torch.Tensor) -> torch.Tensor:
        squared = ((e - torch.tensor(mean)) / deviation).square().sum(dim=1)
        return -0.5 * squared - math.log(2 * math.pi * deviation**2)

    return log_prob


@pytest.mark.parametrize("count", [1, 2])
def test_a_flat_flow_leaves_the_laplace_part_and_its_scale(count):
    grid = flow_grid(lambda e: torch.zeros(len(e)), log_phi_count=count, log_sigma_count=count)
    assert np.allclose(grid.product / grid.product.max(), grid.laplace_density / grid.laplace_density.max())
    scale, reach = math.sqrt(2) * count, grid.steps[-1]
    cut = scale - reach * math.exp(-reach / scale) / (1 - math.exp(-reach / scale))  # of the part that is on the grid
    assert grid.mean_distance == pytest.approx([cut, cut], rel=2e-2)


@pytest.mark.parametrize("deviation", [0.5, 0.02, 0.002])
def test_a_narrow_flow_is_found_and_its_spread_is_its_own(deviation):
    """The mean of |e| of a Gaussian is sqrt(2 / pi) of its deviation; beside it the Laplace part is nearly flat."""
    grid = flow_grid(gaussian((0.0, 0.0), deviation), log_phi_count=2, log_sigma_count=2)
    assert grid.steps[-1] < 10 * deviation
    expected = math.sqrt(2 / math.pi) * deviation
    assert grid.mean_distance == pytest.approx([expected, expected], rel=0.15)


def test_an_error_to_the_right_means_a_truth_to_the_left():
    """The loss takes prediction minus truth: with e around (0.5, -0.25), the truth lies at s = (-0.5, 0.25)."""
    grid = flow_grid(gaussian((0.5, -0.25), 0.05), log_phi_count=1, log_sigma_count=1)
    row, column = np.unravel_index(grid.product.argmax(), grid.product.shape)
    assert grid.steps[column] == pytest.approx(-0.5, abs=0.03)
    assert grid.steps[row] == pytest.approx(0.25, abs=0.03)


def test_mass_near_the_prediction_is_that_of_eq_6():
    """For the flow of a model as it starts: sums over the grid against the table that keypoint scores are made of."""
    torch.manual_seed(0)
    flow = RealNVP(hidden=8)
    grid = flow_grid(flow.log_prob, log_phi_count=2, log_sigma_count=2)
    masses = box_masses(flow.log_prob, log_phi_count=2, log_sigma_count=2)
    mass = grid.product / grid.product.sum()
    on_grid = density_scores(np.ones((1, 1, 2), np.float32), masses, float(grid.steps[-1]), log_sigma_count=2)[0, 0]
    step = grid.steps[1] - grid.steps[0]
    for radius in (0.5, 1.0, 2.0):
        near = np.abs(grid.steps) <= radius
        edge = (near.sum() * step) / 2  # cells are counted whole
        expected = density_scores(np.ones((1, 1, 2), np.float32), masses, float(edge), log_sigma_count=2)[0, 0]
        assert mass[np.ix_(near, near)].sum() * on_grid == pytest.approx(expected, abs=0.02)


def test_contours_hold_what_they_say():
    grid = flow_grid(gaussian((0.2, 0.1), 0.3), log_phi_count=1, log_sigma_count=1)
    for share in (0.5, 0.9):
        level = grid.level_of_mass(grid.product, share)
        assert grid.product[grid.product >= level].sum() / grid.product.sum() == pytest.approx(share, abs=0.01)
