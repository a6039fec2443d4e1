"""RealNVP, the normalising flow of RLE (Sec. 3.2): what the errors look like once they are divided by sigma."""

import math
from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

CouplingNetworks = Callable[[Float[Tensor, "rows 2"]], tuple[Float[Tensor, "rows 2"], Float[Tensor, "rows 2"]]]
"""Shift and log scale, made of the coordinate that a coupling layer keeps."""


class RealNVP(nn.Module):
    """Affine coupling layers on the plane, with a Gaussian prior of identity covariance.

    Args:
        layers: coupling layers, in the order from the prior to the data; the first keeps y, the next one x, and so on.
        hidden: width of the scale and shift networks.
        prior_mean: mean of the prior on both axes (paper: 0; released code: 0.5).
    """

    mask: Float[Tensor, "layers 2"]

    def __init__(self, layers: int = 6, hidden: int = 64, prior_mean: float = 0.5) -> None:
        super().__init__()
        self.prior_mean = prior_mean
        self.register_buffer("mask", torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(-(-layers // 2), 1)[:layers])
        self.shift = nn.ModuleList(_network(hidden) for _ in range(layers))
        self.log_scale = nn.ModuleList(nn.Sequential(*_network(hidden), nn.Tanh()) for _ in range(layers))

    def to_prior(self, x: Float[Tensor, "rows 2"]) -> tuple[Float[Tensor, "rows 2"], Float[Tensor, " rows"]]:
        """The prior's point of x, and the log determinant of that map: the layers from the last to the first."""
        log_det = x.new_zeros(x.shape[0])
        networks = self.batched_networks() if x.is_cuda else self.separate_networks()
        for mask, network in reversed(list(zip(self.mask, networks, strict=True))):
            kept = mask * x
            t, s = (value * (1 - mask) for value in network(kept))
            x = (1 - mask) * (x - t) * torch.exp(-s) + kept
            log_det = log_det - s.sum(dim=1)
        return x, log_det

    def separate_networks(self) -> list[CouplingNetworks]:
        """Of each layer, what gives shift and log scale: one network after the other, which a processor prefers."""

        def both(shift: nn.Module, log_scale: nn.Module, kept: Tensor) -> tuple[Tensor, Tensor]:
            return shift(kept), log_scale(kept)

        return [partial(both, *pair) for pair in zip(self.shift, self.log_scale, strict=True)]

    def batched_networks(self) -> list[CouplingNetworks]:
        """The same with both networks as matrices in batches of two: half the kernels, which a GPU prefers."""
        networks = [network for pair in zip(self.shift, self.log_scale, strict=True) for network in pair]

        def stacked(name: str) -> Float[Tensor, "layers 2 *shape"]:
            return torch.stack([network.get_parameter(name) for network in networks]).unflatten(0, (-1, 2))

        weights = [stacked(f"{place}.weight").mT for place in (0, 2, 4)]
        biases = [stacked(f"{place}.bias").unsqueeze(2) for place in (0, 2, 4)]

        def both(layer: int, kept: Tensor) -> tuple[Tensor, Tensor]:
            (w1, w2, w3), (b1, b2, b3) = ([x[layer] for x in stacked] for stacked in (weights, biases))
            hidden = leaky_relu(torch.baddbmm(b1, kept.expand(2, -1, -1), w1))
            shift, scale = torch.baddbmm(b3, leaky_relu(torch.baddbmm(b2, hidden, w2)), w3).unbind()
            return shift, scale.tanh()

        return [partial(both, layer) for layer in range(len(self.mask))]

    def log_prob(self, x: Float[Tensor, "rows 2"]) -> Float[Tensor, " rows"]:
        """log phi(x)."""
        z, log_det = self.to_prior(x)
        return -0.5 * (z - self.prior_mean).square().sum(dim=1) - math.log(2 * math.pi) + log_det


def _network(hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU(), nn.Linear(hidden, 2)
    )
