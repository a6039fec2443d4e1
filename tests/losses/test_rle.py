"""RLE loss in closed form, where the flow is the identity or flat."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Laplace, Normal

from poseur_lib.losses.flow import RealNVP
from poseur_lib.losses.rle import laplace_scale, negative_log_likelihood

COUNTS = list(itertools.product((1, 2), (1, 2)))


class FlatFlow(RealNVP):
    """A density that is 1 everywhere: what is left of the loss without a flow."""

    def log_prob(self, x):
        return torch.zeros(len(x), dtype=x.dtype)


def identity_flow(prior_mean: float = 0.5) -> RealNVP:
    flow = RealNVP(hidden=4, prior_mean=prior_mean)
    for parameter in flow.parameters():
        torch.nn.init.zeros_(parameter)
    return flow


def batch(seed: int = 0, stages: int = 3):
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.randn(stages, 4, 5, 2, generator=generator)
    sigma = torch.rand(stages, 4, 5, 2, generator=generator) * 0.9 + 0.05
    target = torch.rand(4, 5, 2, generator=generator)
    weight = (torch.rand(4, 5, generator=generator) > 0.4).float()
    return keypoints, sigma, target, weight


@pytest.mark.parametrize(("log_phi_count", "log_sigma_count"), COUNTS)
@pytest.mark.parametrize("prior_mean", [0.0, 0.5])
def test_identity_flow_leaves_a_gaussian_and_a_laplace(log_phi_count, log_sigma_count, prior_mean):
    keypoints, sigma, target, weight = batch()
    loss = negative_log_likelihood(
        keypoints, sigma, target, weight, identity_flow(prior_mean),
        log_phi_count=log_phi_count, log_sigma_count=log_sigma_count,
    )  # fmt: skip
    gauss = Normal(prior_mean, 1.0).log_prob((keypoints - target) / sigma)
    laplace = Laplace(keypoints, math.sqrt(2) * sigma).log_prob(target)  # holds log sigma once
    constant = math.log(math.sqrt(2 * math.pi)) - math.log(2 * math.sqrt(2))
    per_axis = -log_phi_count * gauss - laplace + constant + (log_sigma_count - 1) * sigma.log()
    torch.testing.assert_close(loss, (per_axis.sum(dim=-1) * weight).sum(dim=(1, 2)) / 20)


@pytest.mark.parametrize("log_sigma_count", [1, 2])
def test_best_sigma_without_a_flow(log_sigma_count):
    """E|d| / (2 sqrt(2)) with the released counts, so that the Laplace scale is `laplace_scale(sigma)`."""
    scale = 0.07
    error = Laplace(0.0, scale).icdf(torch.linspace(0.0005, 0.9995, 1000, dtype=torch.float64))
    target = torch.stack([error, error], dim=-1)[:, None]
    ones = torch.ones(1000, 1, dtype=torch.float64)
    sigmas = torch.logspace(-3, 0, 301, dtype=torch.float64)  # one stage each
    tried = sigmas[:, None, None, None].expand(-1, 1000, 1, 2)
    losses = negative_log_likelihood(
        torch.zeros_like(tried), tried, target, ones, FlatFlow().double(), log_sigma_count=log_sigma_count
    )
    best = sigmas[losses.argmin()]
    mean_error = error.abs().mean().item()
    assert mean_error == pytest.approx(scale, rel=0.02)
    assert best.item() == pytest.approx(mean_error / (math.sqrt(2) * log_sigma_count), rel=0.03)
    assert laplace_scale(best[None], log_sigma_count=log_sigma_count).item() == pytest.approx(mean_error, rel=0.03)


def test_the_flow_s_gradient_is_counted_as_often_as_log_phi():
    keypoints, sigma, target, weight = batch()
    gradients = []
    for count in (1, 2):
        flow = RealNVP(hidden=4)
        flow.load_state_dict(identity_flow().state_dict())
        negative_log_likelihood(keypoints, sigma, target, weight, flow, log_phi_count=count).sum().backward()
        gradients.append(flow.shift[0][4].bias.grad)
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[1], 2 * gradients[0])


@settings(max_examples=20)
@given(seed=st.integers(0, 2**16))
def test_divisor_is_independent_of_visibility(seed):
    """N K divides, however few keypoints are supervised: losses of disjoint weights add up, none gives zero."""
    keypoints, sigma, target, weight = batch(seed)
    flow = identity_flow()
    part = negative_log_likelihood(keypoints, sigma, target, weight, flow)
    rest = negative_log_likelihood(keypoints, sigma, target, 1 - weight, flow)
    whole = negative_log_likelihood(keypoints, sigma, target, torch.ones_like(weight), flow)
    torch.testing.assert_close(part + rest, whole, atol=1e-5, rtol=1e-5)
    assert negative_log_likelihood(keypoints, sigma, target, 0 * weight, flow).eq(0).all()


def test_stages_are_scored_apart():
    keypoints, sigma, target, weight = batch()
    flow = RealNVP(hidden=4)
    together = negative_log_likelihood(keypoints, sigma, target, weight, flow)
    alone = [negative_log_likelihood(keypoints[i : i + 1], sigma[i : i + 1], target, weight, flow) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("extreme", [1e-4, 1 - 1e-7])
@pytest.mark.parametrize("error", [0.0, 1e-6, 1.5])
def test_gradients_are_finite_near_the_ends_of_sigma(extreme, error):
    torch.manual_seed(0)
    flow = RealNVP()
    sigma = torch.full((1, 2, 3, 2), extreme, requires_grad=True)
    keypoints = torch.full((1, 2, 3, 2), error, requires_grad=True)
    loss = negative_log_likelihood(keypoints, sigma, torch.zeros(2, 3, 2), torch.ones(2, 3), flow)
    loss.sum().backward()
    assert loss.isfinite().all() and keypoints.grad.isfinite().all() and sigma.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in flow.parameters())
