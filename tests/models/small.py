"""A head that runs in milliseconds, and feature maps for it."""

import torch
from torch import Tensor

from poseur_lib.config import PoseurConfig
from poseur_lib.models.pose_model import PoseTargets
from poseur_lib.models.poseur.head import PoseurHead
from poseur_lib.models.poseur.memory import Memory

CHANNELS = (8, 12, 16, 20)
MAP_SIZES = ((8, 6), (4, 3), (2, 2), (1, 1))


def small_config(**changes) -> PoseurConfig:
    """Every kind of part once, all small."""
    small = PoseurConfig(
        embed_dims=32, num_heads=4, num_points=2, ffn_dims=24, norm_groups=8, decoder_layers=2, dropout=0.0
    )
    return small.with_changes(**{"loss.flow_hidden": 8, **changes})


def small_head(num_keypoints: int = 5, seed: int = 0, **changes) -> PoseurHead:
    """A head in evaluation mode whose sampling and sigma depend on its input, as they do after training."""
    torch.manual_seed(seed)
    head = PoseurHead(small_config(**changes), num_keypoints, CHANNELS).eval()
    with torch.no_grad():
        for branch in head.decoder.branches:
            branch.sigma[2].weight.mul_(100)
    return head


def random_features(batch: int = 2, seed: int = 1) -> list[Tensor]:
    """Maps res2 to res5 of a tiny crop."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(batch, width, *size, generator=generator) for width, size in zip(CHANNELS, MAP_SIZES, strict=True)
    ]


def random_targets(batch: int = 2, num_keypoints: int = 5, seed: int = 2) -> PoseTargets:
    """Keypoints of which about one in three is not supervised."""
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(batch, num_keypoints, 2, generator=generator)
    return PoseTargets(keypoints, torch.rand(batch, num_keypoints, generator=generator) > 0.3)


def random_memory(sizes: tuple[tuple[int, int], ...], batch: int, dims: int, seed: int = 0) -> Memory:
    """Pyramids of noise."""
    generator = torch.Generator().manual_seed(seed)
    cells = sum(h * w for h, w in sizes)
    return Memory.of(torch.randn(batch, cells, dims, generator=generator), sizes)
