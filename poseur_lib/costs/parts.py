"""The parts of a model, told by the names of its parameters and modules."""

from collections import Counter
from dataclasses import dataclass

from torch import nn

FLOWS = "flows"
PREFIXES = {
    "backbone": "backbone",
    "head.neck": "neck",
    "head.memory_embedding": "memory",
    "head.coarse_stage": "coarse stage",
    "head.keypoint_encoder": "keypoint encoder",
    "head.decoder.layers": "decoder",
    "head.decoder.branches": "branches",
    "head.coarse_flow": FLOWS,
    "head.decoder_flow": FLOWS,
    "head.flow": FLOWS,
    "head": "head",
}
"""The first prefix that fits; "head" is what the head of another method has."""


@dataclass(frozen=True)
class PartCost:
    """What one part of a model costs for one image at inference.

    Attributes:
        multiply_adds: of every convolution, matrix product, attention and bilinear sample.
        hook_multiply_adds: by the hook convention, which the paper's numbers follow.
    """

    name: str
    parameters: int
    multiply_adds: int
    hook_multiply_adds: int


def part_of(name: str) -> str | None:
    """The part that a parameter or module belongs to; None for a module that has several parts."""
    return next((part for prefix, part in PREFIXES.items() if f"{name}.".startswith(f"{prefix}.")), None)


def parameters_by_part(model: nn.Module) -> Counter[str]:
    """Number of parameters of each part; a shared one counts once."""
    count: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        if (part := part_of(name)) is not None:
            count[part] += parameter.numel()
    return count
