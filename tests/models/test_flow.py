"""RealNVP is a density: a map that can be inverted, the determinant of its Jacobian, and an integral of one."""

import pytest
import torch

from poseur_lib.losses.flow import RealNVP


def from_prior(flow: RealNVP, z: torch.Tensor) -> torch.Tensor:
    """The inverse of `flow.to_prior`: z, drawn from the prior, becomes a sample of the density."""
    for mask, shift, log_scale in zip(flow.mask, flow.shift, flow.log_scale, strict=True):
        kept = mask * z
        z = kept + (1 - mask) * (z * torch.exp(log_scale(kept) * (1 - mask)) + shift(kept) * (1 - mask))
    return z


def wild_flow(layers: int = 6, **settings) -> RealNVP:
    """A flow that is far from the identity, in float64."""
    torch.manual_seed(layers)
    flow = RealNVP(layers, hidden=16, **settings).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(1.5)
    return flow


@pytest.mark.parametrize("layers", [1, 2, 5, 6])
def test_log_determinant_is_that_of_the_jacobian(layers):
    flow = wild_flow(layers)
    x = torch.randn(20, 2, dtype=torch.float64) * 2
    jacobian = torch.stack([torch.autograd.functional.jacobian(lambda p: flow.to_prior(p[None])[0][0], p) for p in x])
    _, log_det = flow.to_prior(x)
    assert log_det.abs().max() > 0.1
    torch.testing.assert_close(torch.linalg.det(jacobian).abs().log(), log_det, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("layers", [1, 5, 6])
@torch.no_grad()
def test_round_trip(layers):
    flow = wild_flow(layers)
    points = torch.randn(50, 2, dtype=torch.float64) * 3
    torch.testing.assert_close(from_prior(flow, flow.to_prior(points)[0]), points)
    torch.testing.assert_close(flow.to_prior(from_prior(flow, points))[0], points)
    assert (from_prior(flow, points) - points).abs().max() > 0.1


@pytest.mark.parametrize("prior_mean", [0.0, 0.5])
@torch.no_grad()
def test_density_integrates_to_one(prior_mean):
    flow = wild_flow(prior_mean=prior_mean)
    step = 0.1
    axis = torch.arange(-15, 15, step, dtype=torch.float64)
    mass = sum(flow.log_prob(torch.cartesian_prod(part, axis)).exp().sum() for part in axis.split(60)) * step**2
    assert mass.item() == pytest.approx(1, abs=1e-3)


@torch.no_grad()
def test_one_layer_keeps_y():
    flow = wild_flow(1)
    points = torch.randn(5, 2, dtype=torch.float64)
    kept = from_prior(flow, points)
    assert torch.equal(kept[:, 1], points[:, 1]) and (kept[:, 0] != points[:, 0]).all()


def test_networks_in_batches_give_the_same():
    """What a GPU evaluates, here on the processor: values, and gradients of every weight."""
    flow = wild_flow()
    kept = torch.randn(40, 2, dtype=torch.float64)
    found = []
    for networks in (flow.separate_networks(), flow.batched_networks()):
        values = torch.stack([value for network in networks for value in network(kept)])
        found.append((values, torch.autograd.grad(values.square().sum(), list(flow.parameters()))))
    (separate, gradients), (batched, of_batched) = found
    assert separate.shape == (12, 40, 2) and separate.abs().max() > 0.1
    torch.testing.assert_close(batched, separate)
    torch.testing.assert_close(of_batched, gradients)
