"""The sections that time single calls: inference, training steps, and EMSDA by itself."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from benchmarks.emsda import CHANNELS, HEADS, LEVELS, POINTS, SIZES, inputs, shared
from benchmarks.gpu.networks import (
    FORWARD_AND_BACKWARD,
    configuration,
    for_inference,
    inference_call,
    training_call,
    work_of,
)
from benchmarks.gpu.ways import EAGER, INDUCTOR, Made, Make, Run, made, timed_ways
from poseur_lib.costs.torch_flops import BILINEAR, WEIGHTING
from poseur_lib.models.poseur.memory import LevelGeometry, Memory, level_geometry
from poseur_lib.models.poseur.sampling import Way, sample_memory, sampled_by
from poseur_study.costs.gpu_goals import (
    BACKBONE,
    BF16,
    EMSDA,
    FLOAT32,
    INFERENCE,
    LIMITS,
    MINI,
    PYRAMID,
    R50,
    TRAINING,
    WHOLE,
)
from poseur_study.costs.gpu_record import GpuRow


@dataclass(frozen=True)
class Scale:
    """How large the calls are, and where they run.

    Attributes:
        inference, training: batches of ResNet-50; `compiled`: those of inference that are worth minutes of a compiler.
        mini, emsda: batches of their steps; `queries` are four groups of 17.
        folder: where generated people are kept for all sections.
    """

    device: str
    rehearsal: bool = False
    inference: tuple[int, ...] = (128, 1, 8, 32, 256)
    compiled: tuple[int, ...] = (128, 1)
    training: tuple[int, ...] = (128, 32)
    mini: int = 32
    emsda: int = 128
    queries: int = 68
    folder: Path = Path()

    @classmethod
    def of_rehearsal(cls, device: str, folder: Path = Path()) -> "Scale":
        """Of seconds."""
        return cls(
            device, True, inference=(1, 2), compiled=(2,), training=(2,), mini=2, emsda=1, queries=4, folder=folder
        )


def limits(ways: Sequence[str], scale: Scale) -> Iterator[GpuRow]:
    """What the card reaches: a large matrix product in bf16, and a copy in its memory, which reads and writes."""
    if EAGER not in ways:
        return
    side = 256 if scale.rehearsal else 8192
    left, right = (torch.randn(side, side, device=scale.device, dtype=torch.bfloat16) for _ in range(2))
    source = torch.randn(side * side * 4, device=scale.device)
    target = torch.empty_like(source)
    of = {"section": LIMITS, "precision": BF16, "batch": 1, "items": 1}
    yield GpuRow(**of, name=f"{side} x {side}", part="matrix product", flops=2.0 * side**3,
                 ways=timed_ways(lambda _: Made(lambda: left @ right), (EAGER,), scale.device))  # fmt: skip
    yield GpuRow(**of, name=f"{source.nbytes:,} bytes", part="copy", bytes=2.0 * source.nbytes,
                 ways=timed_ways(lambda _: Made(lambda: target.copy_(source)), (EAGER,), scale.device))  # fmt: skip


def inference(ways: Sequence[str], scale: Scale) -> Iterator[GpuRow]:
    """Backbone alone and whole network over batch sizes; compiled at the batches of the goals."""
    config = configuration(R50, scale.rehearsal)
    optimised = for_inference(config, scale.device)
    work = {part: work_of(config, part, BF16) for part in (WHOLE, BACKBONE)}
    for batch in scale.compiled if INDUCTOR in ways else scale.inference:
        images = torch.randn(batch, 3, *config.data.input_size, device=scale.device)
        images = images.to(memory_format=torch.channels_last)
        for part, least in work.items():
            yield GpuRow(
                section=INFERENCE, name=R50, part=part, precision=BF16, batch=batch, items=batch,
                flops=batch * least.flops, bytes=least.bytes(batch),
                ways=tuple(
                    one.with_changes(note="; ".join(filter(None, [one.note, *optimised.failed])))
                    for one in timed_ways(inference_call(optimised.model, part, images), ways, scale.device)
                ),
            )  # fmt: skip


def training(ways: Sequence[str], scale: Scale) -> Iterator[GpuRow]:
    """Steps of ResNet-50 and of profile mini, and their backbones' forward and backward passes, on one batch."""
    sizes = [(R50, batch) for batch in (scale.training[:1] if INDUCTOR in ways else scale.training)]
    for name, batch in (*sizes, (MINI, scale.mini)):
        config = configuration(name, scale.rehearsal)
        for part in (WHOLE, BACKBONE):
            least = work_of(config, part, BF16)
            yield GpuRow(
                section=TRAINING, name=name, part=part, precision=BF16, batch=batch, items=batch,
                flops=FORWARD_AND_BACKWARD * batch * least.flops, bytes=FORWARD_AND_BACKWARD * least.bytes(batch),
                ways=timed_ways(training_call(config, part, batch, scale.device), ways, scale.device),
            )  # fmt: skip


def by_library(levels: LevelGeometry, values: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """By the way that the library chooses, or is told to take."""
    return sample_memory(Memory(values, SIZES, levels), locations, weights)


def by_grid_sample(_: LevelGeometry, values: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """By torch's grid_sample, one map for all heads."""
    return shared(values, locations.to(values.dtype), weights.to(values.dtype))


def emsda(ways: Sequence[str], scale: Scale) -> Iterator[GpuRow]:
    """Forward and backward through the sampling of a training step's queries, in each way to do it."""
    batch, queries = scale.emsda, scale.queries
    sampled = batch * queries * HEADS * LEVELS * POINTS
    for precision, kind in ((FLOAT32, torch.float32), (BF16, torch.bfloat16)):
        values, locations, weights = (x.to(scale.device) for x in inputs(batch, queries))
        leaves = tuple(x.requires_grad_() for x in (values.to(kind), locations, weights))
        ways_to_sample = [way for way in get_args(Way) if scale.device == "cuda" or not way.endswith("kernel")]
        for part in ("library", *ways_to_sample, "grid_sample"):
            yield GpuRow(
                section=EMSDA, name=PYRAMID, part=part, precision=precision, batch=batch, items=batch,
                flops=FORWARD_AND_BACKWARD * 2.0 * sampled * (BILINEAR + WEIGHTING) * CHANNELS,
                bytes=_least_bytes(leaves, batch * queries),
                ways=timed_ways(emsda_call(part, leaves), ways, scale.device),
            )  # fmt: skip


def _least_bytes(leaves: Sequence[Tensor], queries: int) -> float:
    """Each input is read in both passes and its gradient written; the sums are written, and their gradient read."""
    sums = queries * HEADS * CHANNELS * leaves[0].element_size()
    return 3.0 * sum(leaf.nbytes for leaf in leaves) + 2.0 * sums


def emsda_call(part: str, leaves: Sequence[Tensor]) -> Make:
    """Sampling, and the gradients of all that goes into it; sizes of levels are on the device before, as in a model."""
    sampler = by_grid_sample if part == "grid_sample" else by_library
    levels = level_geometry(SIZES, leaves[0].device)

    def make(compiled: bool) -> Run:
        sample = torch.compile(sampler, dynamic=False) if compiled else sampler

        def run() -> object:
            with sampled_by(part) if part in get_args(Way) else nullcontext():
                return torch.autograd.grad(sample(levels, *leaves).float().sum(), leaves)

        return run

    return made(make, leaves[0].is_cuda)
