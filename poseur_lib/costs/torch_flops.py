"""Multiply-adds of everything: torch's counter for convolutions and matrix products, and what it does not know.

One multiply-add is one multiplication with its addition, half of torch's FLOPs; papers print it as FLOPs. Elementwise
operations, normalisations and softmax are not counted.
"""

from collections import Counter
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from poseur_lib.costs.parts import part_of
from poseur_lib.models.poseur.deformable import EMSDA, DeformableAttention
from poseur_lib.models.poseur.memory import Memory

BILINEAR = 4
"""Multiply-adds of a bilinear sample, a channel: one a corner."""
WEIGHTING = 1
"""Multiply-adds of a sample's attention weight, a channel."""


def multiply_adds_by_part(model: nn.Module, images: Tensor) -> Counter[str]:
    """Multiply-adds of a forward pass, by part.

    Attention is counted as its two matrix products, however it is computed; so is deformable attention by what it
    means and not by how this version computes it, of which there are several ways (`deformable_multiply_adds`). What
    belongs to no part is left out: the decoding of heatmaps, which is not the network's.
    """
    deformable: Counter[str] = Counter()

    def see(name: str, module: DeformableAttention, inputs: tuple[Any, ...], _: Tensor) -> None:
        deformable[name] += deformable_multiply_adds(module, *inputs[:3])

    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.grid_sampler_2d: _grid_sample})
    with ExitStack() as hooks, torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        for name, module in model.named_modules():
            if isinstance(module, DeformableAttention):
                hooks.enter_context(module.register_forward_hook(partial(see, name)))
        model(images)
    return _by_part(_own(model, counter) | deformable)


def deformable_multiply_adds(attention: DeformableAttention, query: Tensor, _: Tensor, memory: Memory) -> int:
    """What deformable attention (Eq. 1) does outside of its linear layers: 5 K S C for the samples (supp. Sec. 4).

    Every sample is four corners and a weight, a channel. A head of EMSDA samples all C channels and projects its sum
    to C / M; a head of MSDA samples its own C / M channels of maps that a linear layer projected before.
    """
    batch, queries, channels = query.shape
    of_head = channels // attention.num_heads
    samples = len(memory.sizes) * attention.num_points
    if isinstance(attention, EMSDA):
        one_head = samples * channels * (BILINEAR + WEIGHTING) + channels * of_head
    else:
        one_head = samples * of_head * (BILINEAR + WEIGHTING)
    return batch * queries * attention.num_heads * one_head


def _own(model: nn.Module, counter: FlopCounterMode) -> dict[str, int]:
    """Multiply-adds of each module outside of its submodules."""
    root = type(model).__name__
    total = {name: sum(ops.values()) // 2 for name, ops in counter.get_flop_counts().items()}
    within = {name: total.get(f"{root}.{name}" if name else root, 0) for name, _ in model.named_modules()}
    own = dict(within)
    for name in within:
        parent = name
        while parent:
            parent = parent.rpartition(".")[0]
            if within[parent]:  # a container is not called, and so not counted
                own[parent] -= within[name]
                break
    return own


def _by_part(own: dict[str, int]) -> Counter[str]:
    count: Counter[str] = Counter()
    for name, value in own.items():
        if value and (part := part_of(name)) is not None:
            count[part] += value
    return count


def _grid_sample(_: torch.Size, __: torch.Size, *___: object, out_shape: torch.Size, **____: object) -> int:
    return 2 * BILINEAR * out_shape.numel()
