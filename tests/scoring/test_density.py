"""Eq. 6 by quadrature, against closed forms."""

import math

import numpy as np
import pytest
import torch

from poseur_lib.losses.flow import RealNVP
from poseur_lib.losses.rle import laplace_scale
from poseur_lib.scoring.uncertainty import box_masses, density_scores, laplace_scores
from tests.models.test_flow import from_prior

SIGMA = np.random.default_rng(0).uniform(0.005, 0.6, (50, 17, 2)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2])
def test_a_flat_flow_gives_the_laplace_score_of_eq_8_with_the_loss_s_own_scale(count):
    masses = box_masses(lambda e: torch.zeros(len(e)), log_phi_count=2, log_sigma_count=count)
    scores = density_scores(SIGMA, masses, log_sigma_count=count)
    expected = laplace_scores(laplace_scale(torch.from_numpy(SIGMA), log_sigma_count=count)).numpy()
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize(("phi", "sigma"), [(1, 1), (2, 1), (2, 2)])
def test_an_untrained_flow_without_layers_gives_gaussian_times_laplace(phi, sigma):
    flow = RealNVP(layers=0, prior_mean=0.0)
    masses = box_masses(flow.log_prob, log_phi_count=phi, log_sigma_count=sigma)
    scores = density_scores(SIGMA, masses, log_sigma_count=sigma)

    def one_axis(h):  # integral over |e| <= h of exp(-count e^2 / 2 - |e| / (sigma sqrt 2)), up to a constant
        count = phi / sigma
        shift = 1 / (math.sqrt(2) * sigma * count)
        ends = torch.erf((torch.as_tensor(h, dtype=torch.float64) + shift) * math.sqrt(count / 2))
        return ends.numpy() - math.erf(shift * math.sqrt(count / 2))

    expected = (one_axis(0.2 / SIGMA.astype(np.float64)) / one_axis(np.inf)).prod(-1)
    np.testing.assert_allclose(scores, expected, atol=2e-3)


def test_masses_are_those_of_samples_of_a_flow_that_is_not_symmetric():
    torch.manual_seed(0)
    flow = RealNVP(layers=4, hidden=8, prior_mean=0.5)
    masses = box_masses(flow.log_prob, log_phi_count=1, log_sigma_count=1)
    e = from_prior(flow, torch.randn(200_000, 2) + 0.5).detach()
    weight = torch.exp(-e.abs().sum(1) / math.sqrt(2)).double()
    for i, j in ((10, 40), (40, 10), (32, 32), (64, 20)):
        half = [-math.sqrt(2) * math.log1p(-k / 64) if k < 64 else math.inf for k in (i, j)]
        inside = (e[:, 0].abs() <= half[0]) & (e[:, 1].abs() <= half[1])
        assert masses[i, j] == pytest.approx(float((weight * inside).sum() / weight.sum()), abs=0.005)


def test_each_axis_is_scored_by_its_own_sigma():
    """Of a density that is another on either axis and correlated, by the trapezoidal rule on the keypoint's own box."""

    def log_phi(x, y):
        return -((x - 0.5) ** 2) / 2 - 2 * y**2 + x * y / 2

    def mass(half_x: float, half_y: float) -> float:
        x, y = (torch.linspace(-half, half, 801, dtype=torch.float64) for half in (half_x, half_y))
        density = (log_phi(x[:, None], y) / 2 - (x[:, None].abs() + y.abs()) / (2 * math.sqrt(2))).exp()
        return torch.trapezoid(torch.trapezoid(density, y), x).item()

    masses = box_masses(lambda e: log_phi(e[:, 0], e[:, 1]), log_phi_count=1, log_sigma_count=2)
    sigma = np.array([[[0.1, 0.4], [0.4, 0.1], [0.05, 0.15], [0.2, 0.07]]], np.float32)
    for radius in (0.2, 0.05):
        scores = density_scores(sigma, masses, radius, log_sigma_count=2)[0]
        expected = [mass(radius / x, radius / y) / mass(12, 12) for x, y in sigma[0].tolist()]
        np.testing.assert_allclose(scores, expected, atol=1e-3)


def test_a_larger_sigma_never_scores_higher_and_a_radius_must_be_positive():
    masses = box_masses(RealNVP(prior_mean=0.0).log_prob, log_phi_count=2, log_sigma_count=2)
    sigma = np.repeat(np.linspace(0.001, 1, 60, dtype=np.float32)[:, None, None], 2, axis=2)
    assert (np.diff(density_scores(sigma, masses, log_sigma_count=2)[:, 0]) <= 1e-6).all()
    with pytest.raises(ValueError, match="radius 0"):
        density_scores(sigma, masses, 0, log_sigma_count=2)
