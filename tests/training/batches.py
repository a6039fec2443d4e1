"""Batches of crops without data behind them."""

import torch

from poseur_lib.data.dataset import PoseBatch

SIZE = (64, 48)


def random_batch(people: int, seed: int) -> PoseBatch:
    """Noise for images, keypoints anywhere, most of them labelled."""
    generator = torch.Generator().manual_seed(seed)
    visibility = torch.randint(0, 3, (people, 17), generator=generator)
    return PoseBatch(
        images=torch.randn(people, 3, *SIZE, generator=generator),
        keypoints=torch.rand(people, 17, 2, generator=generator),
        visibility=visibility,
        inside=visibility > 0,
        position=torch.arange(people),
        center=torch.zeros(people, 2),
        box_scale=torch.ones(people, 2),
    )
