"""RealNVP, the normalising flow of RLE (Sec. 3.2): what the errors look like once they are divided by sigma."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


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
        for mask, shift, log_scale in reversed(list(zip(self.mask, self.shift, self.log_scale, strict=True))):
            kept = mask * x
            s = log_scale(kept) * (1 - mask)
            t = shift(kept) * (1 - mask)
            x = (1 - mask) * (x - t) * torch.exp(-s) + kept
            log_det = log_det - s.sum(dim=1)
        return x, log_det

    def log_prob(self, x: Float[Tensor, "rows 2"]) -> Float[Tensor, " rows"]:
        """log phi(x)."""
        z, log_det = self.to_prior(x)
        return -0.5 * (z - self.prior_mean).square().sum(dim=1) - math.log(2 * math.pi) + log_det


def _network(hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU(), nn.Linear(hidden, 2)
    )
