"""Residual log-likelihood estimation, RLE (Sec. 3.2, Eq. 2 and 3): the loss of coordinates with their sigma."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from poseur_lib.losses.flow import RealNVP


def negative_log_likelihood(
    keypoints: Float[Tensor, "stages B K 2"],
    sigma: Float[Tensor, "stages B K 2"],
    target: Float[Tensor, "B K 2"],
    weight: Float[Tensor, "B K"],
    flow: RealNVP,
    *,
    log_phi_count: int = 2,
    log_sigma_count: int = 2,
) -> Float[Tensor, " stages"]:
    """Negative log-likelihood of `target` under the prediction of each stage, over keypoints and divided by B K.

    A stage is the coarse proposal or a decoder layer, whose errors one flow describes.

    Per keypoint, with the error d = keypoints - target on each axis:

        loss = -log_phi_count log phi(d / sigma) + sum over x, y of
               [(log_sigma_count - 1) log sigma + log(sigma sqrt(2 pi)) + |d| / (sqrt(2) sigma + 1e-9)]

    Paper: log phi once per keypoint and log sigma once per axis, as the density of x = x_bar sigma + mu has it.
    Released code: log phi, one value a keypoint, is broadcast against the two axes and counts twice; log sigma appears
    in both terms. Without the flow the best sigma is then E|d| / (2 sqrt(2)): the Laplace scale is b = 2 sqrt(2) sigma.
    The released constant sqrt(2 pi), which is a Gaussian's, is kept in both (a constant moves no weight).

    Args:
        keypoints, target: (x, y) in [0, 1] of the crop.
        sigma: network scale, same unit.
        weight: 1 where the keypoint is supervised. The divisor B K does not depend on it.
        flow: density phi of the scaled error.
    """
    error = keypoints - target
    log_phi = flow.log_prob((error / sigma).flatten(0, -2)).view(error.shape[:-1])
    base = torch.log(sigma * math.sqrt(2 * math.pi)) + error.abs() / (math.sqrt(2) * sigma + 1e-9)
    per_axis = (log_sigma_count - 1) * torch.log(sigma) + base
    per_keypoint = per_axis.sum(dim=-1) - log_phi_count * log_phi
    return (per_keypoint * weight).sum(dim=(1, 2)) / weight.numel()


def laplace_scale(sigma: Float[Tensor, "*shape"], *, log_sigma_count: int = 2) -> Float[Tensor, "*shape"]:
    """The Laplace scale b that the loss fits with `sigma` where the flow is flat: b = sqrt(2) log_sigma_count sigma.

    Minimising log_sigma_count log sigma + |d| / (sqrt(2) sigma) gives sigma = E|d| / (sqrt(2) log_sigma_count), and
    E|d| is the scale of a Laplace distribution.
    """
    return math.sqrt(2) * log_sigma_count * sigma
