"""The hook convention: what forward hooks on known modules see. The paper's GFLOPs follow it.

The rules are those of mmcv's complexity counter as the released code runs it. What is not a module there is not seen:
matrix products by function, softmax, sampling, GELU. What is a module there and a function here is added
(`added_multiply_adds`), and the other way round left out (`_unseen`); the branch `step` counts twice, as the released
code runs it twice. So the totals are those of the released code.
"""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from poseur_lib.costs.parts import part_of
from poseur_lib.models.backbones.hrformer import WindowAttention
from poseur_lib.models.baselines.transpose import CellAttention
from poseur_lib.models.poseur.decoder import OutputBranches, SelfAttention
from poseur_lib.models.poseur.memory import DeconvolutionNeck
from poseur_lib.models.poseur.queries import CoarseStage

NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, nn.InstanceNorm2d)
ACTIVATIONS = (nn.ReLU, nn.ReLU6)
POOLINGS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


def hook_multiply_adds_by_part(model: nn.Module, images: Tensor) -> Counter[str]:
    """Multiply-adds of a forward pass by the hook convention, by part."""
    unseen = {id(module) for part in model.modules() for module in _unseen(part)}
    twice = {id(module) for part in model.modules() if isinstance(part, OutputBranches) for module in part.step}
    count: Counter[str] = Counter()

    def see(part: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        times = 2 if id(module) in twice else 1
        seen = 0 if id(module) in unseen else seen_multiply_adds(module, inputs, output)
        count[part] += times * seen + added_multiply_adds(module, inputs, output)

    with ExitStack() as hooks, torch.no_grad():
        for name, module in model.named_modules():
            if (part := part_of(name)) is not None:
                hooks.enter_context(module.register_forward_hook(partial(see, part)))
        model(images)
    return count


def seen_multiply_adds(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> int:
    """The rule of a module's kind. Linear layers count without their bias, convolutions with it."""
    x: Any = inputs[0] if inputs else None
    match module:
        case nn.Linear():
            return x.numel() * module.out_features
        case nn.Conv2d():
            return output.numel() * (_kernel(module) * module.in_channels // module.groups + _bias(module))
        case nn.ConvTranspose2d():
            cells = x.shape[0] * x.shape[2] * x.shape[3]
            products = cells * _kernel(module) * module.in_channels * module.out_channels // module.groups
            return products + output.numel() * _bias(module)
        case nn.Upsample():
            return output.numel()
    if isinstance(module, NORMS):
        affine = getattr(module, "elementwise_affine", getattr(module, "affine", False))
        return (2 if affine else 1) * x.numel()
    return x.numel() if isinstance(module, ACTIVATIONS + POOLINGS) else 0


def added_multiply_adds(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> int:
    """What the released code has as modules inside of a module of ours: the coarse pooling, the neck's ReLUs."""
    if isinstance(module, CoarseStage):
        return inputs[0].numel()
    if isinstance(module, DeconvolutionNeck):
        return sum(one.numel() for one in output)
    return 0


def _unseen(part: nn.Module) -> Iterator[nn.Module]:
    """Modules of ours whose matrices the released code multiplies by function.

    The whole of nn.MultiheadAttention (Poseur's and TransPose's); the output projection of window attention; the coarse
    stage's layers and the last layer of the sigma branch, which are of a class of the released code's own.
    """
    match part:
        case SelfAttention() | CellAttention():
            yield from part.modules()
        case WindowAttention():
            yield part.out_proj
        case CoarseStage():
            yield from (part.coordinates, part.sigma)
        case OutputBranches():
            yield part.sigma[-1]


def _kernel(module: nn.Conv2d | nn.ConvTranspose2d) -> int:
    return math.prod(module.kernel_size)


def _bias(module: nn.Conv2d | nn.ConvTranspose2d) -> int:
    return int(module.bias is not None)
