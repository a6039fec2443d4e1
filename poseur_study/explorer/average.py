"""Self-attention averaged over the people of a data set."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch.utils.data import DataLoader

from poseur_lib.data.coco import Person
from poseur_lib.data.dataset import PoseCrops
from poseur_study.display.attention.open_model import OpenModel

BATCH = 32


@torch.no_grad()
def average_attention(model: OpenModel, people: Sequence[Person]) -> Float[np.ndarray, "N M K K"]:
    """Mean weights of every layer passed and head.

    Args:
        model: one with self-attention.
        people: at least one; each weighs the same.
    """
    network, size = model.model, model.config.data.input_size
    crops = PoseCrops(people, model.keypoints, size, network.head.crop_rule, augment=None, seed=0)
    total = 0.0
    for batch in DataLoader(crops, batch_size=BATCH):
        layers = network.explain(batch.images).layers
        total = total + torch.stack([layer.self_attention.double().sum(dim=0) for layer in layers])
    return (total / len(people)).numpy()
