"""Noisy reference points (Sec. 3.1): in training, groups of queries that start from wrong proposals."""

from functools import singledispatch

import torch
from jaxtyping import Float
from torch import Tensor

from poseur_lib.config.heads import NoNoise, PaperNoise, ReleasedNoise


@singledispatch
def starting_points(noise: NoNoise, proposal: Float[Tensor, "B K 2"]) -> Float[Tensor, "B G K 2"]:
    """The points that the query groups start from; group 0 is the proposal itself.

    Args:
        noise: the scheme; its type decides.
        proposal: coarse keypoints in [0, 1] of the crop.
    """
    return proposal[:, None]


@starting_points.register
def _(noise: ReleasedNoise, proposal: Tensor) -> Tensor:
    batch, keypoints, _ = proposal.shape
    points = noise.groups * keypoints
    moved = torch.randperm(points, device=proposal.device)[: noise.groups * noise.moved_points]
    is_moved = torch.zeros(points, dtype=torch.bool, device=proposal.device).index_fill_(0, moved, True)
    offset = torch.randn(batch, points, 2, device=proposal.device) * noise.variance**0.5
    noisy = move_points(proposal.repeat(1, noise.groups, 1), offset, is_moved, noise)
    return torch.cat([proposal, noisy], dim=1).unflatten(1, (-1, keypoints))


@starting_points.register
def _(noise: PaperNoise, proposal: Tensor) -> Tensor:
    batch, keypoints, _ = proposal.shape
    random = torch.rand(batch, noise.groups, keypoints, 2, device=proposal.device)
    return torch.cat([proposal[:, None], random], dim=1)


def move_points(
    points: Float[Tensor, "B P 2"], offset: Float[Tensor, "B P 2"], is_moved: Tensor, noise: ReleasedNoise
) -> Float[Tensor, "B P 2"]:
    """Adds the clipped offset to the chosen points and clips those to `noise.bounds`; the others stay."""
    moved = (points + offset.clamp(-noise.clip, noise.clip)).clamp(*noise.bounds)
    return torch.where(is_moved[:, None], moved, points)
