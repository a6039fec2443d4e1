"""Flip test: one pose from the image's and its mirror image's, as the released code's three fusions."""

from typing import get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from poseur_lib.config.heads.poseur import FlipFusion
from poseur_lib.poses import StagePrediction
from poseur_lib.scoring.uncertainty import laplace_scores, rle_scores

TYPE2_WEIGHT = 0.7
"""Of Eq. 8 in the released code, which gives no reason for it."""
RELEASED_RADIUS = 0.2


def unflip_points(
    keypoints: Float[Tensor, "B K 2"], flip_index: Int[Tensor, " K"], shift: float = 0.0
) -> Float[Tensor, "B K 2"]:
    """Keypoints on the mirror image, back in the frame of the image: x becomes 1 - x - shift, left becomes right.

    The pixels of a mirrored tensor change places as x_px -> W - 1 - x_px: `shift` 1 / W is exact under the plain crop
    rule; 0 is what Poseur's released code does.
    """
    x, y = keypoints[:, flip_index].unbind(dim=-1)
    return torch.stack([1 - shift - x, y], dim=-1)


def unflip(prediction: StagePrediction, flip_index: Int[Tensor, " K"]) -> StagePrediction:
    """A prediction on the mirror image, back in the frame of the image: x becomes 1 - x, left becomes right."""
    return StagePrediction(unflip_points(prediction.keypoints, flip_index), prediction.sigma[:, flip_index])


def fuse(
    image: StagePrediction, mirrored: StagePrediction, fusion: FlipFusion, radius: float = 0.2
) -> tuple[Float[Tensor, "B K 2"], Float[Tensor, "B K"] | None]:
    """Fused keypoints, and the fused score where the fusion defines one (types 1 and 2).

    "mean": plain mean of the coordinates. "type1": weights s = mean(1 - sigma), score (s s' (1 - |s - s'|))^2.
    "type2": weights p^5 with p = 0.7 times Eq. 8, score the mean of the two p. Released code, at a = 0.2: adds 1e-10 to
    the sum of weights, which draws keypoints of a large sigma to (0, 0), by less than 1 %. Here: p of a smaller a falls
    with its square, and is brought to the size that it has at 0.2, or the 1e-10 would outweigh the weights.

    Args:
        image, mirrored: predictions in the same frame (see `unflip`).
        radius: `a` of Eq. 8.

    Raises:
        ValueError: another fusion.
    """
    points = torch.stack([image.keypoints, mirrored.keypoints])
    sigmas = torch.stack([image.sigma, mirrored.sigma])
    if fusion == "mean":
        return points.mean(dim=0), None
    if fusion == "type1":
        s = rle_scores(sigmas)
        score = (s[0] * s[1] * (1 - (s[0] - s[1]).abs())).square()
        return _weighted(points, s, 1e-9), score
    if fusion != "type2":
        raise ValueError(f"flip fusion {fusion!r}, expected one of {', '.join(get_args(FlipFusion))}")
    p = TYPE2_WEIGHT * laplace_scores(sigmas, radius)
    weights = (p / min(1.0, radius / RELEASED_RADIUS) ** 2) ** 5
    return _weighted(points, weights, 1e-10), p.mean(dim=0)


def _weighted(points: Tensor, weights: Tensor, eps: float) -> Tensor:
    return (points * weights[..., None]).sum(dim=0) / (weights.sum(dim=0) + eps)[..., None]
