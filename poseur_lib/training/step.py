"""How a training step runs: step by step, as one CUDA graph, or with a backbone compiled by torch.compile.

A network of small layers keeps a GPU waiting for its kernels to be launched. A graph launches them all at once; the
compiler fuses those of the backbone first. Neither is part of what a run is: the losses are the same but for rounding.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from poseur_lib.cuda_graph import Capture
from poseur_lib.errors import first_line
from poseur_lib.models.pose_model import LossTerms
from poseur_lib.runtime import AUTOCAST, Compile, Runtime
from poseur_lib.training.loss_sums import LossValues, detached

LossOf = Callable[[Any, Any], LossTerms]
"""Of a network and a batch."""

LOSS_TOLERANCE, GRADIENT_TOLERANCE = 2e-2, 5e-2
"""How far the graph's first batch may be from the step by step one, relatively; of gradients, the norm of all."""


class Chosen(NamedTuple):
    """Which way a training step takes, and what stood against the one that was asked for."""

    way: Compile
    reason: str = ""


def choose(runtime: Runtime, accumulate: int, recordable: bool = True) -> Chosen:
    """The way of a run's training steps.

    Args:
        accumulate: batches per optimiser step.
        recordable: as of `PoseHead`.
    """
    asked = runtime.way
    on_gpu = runtime.torch_device.type == "cuda"
    against = {
        "there is no GPU": not on_gpu and asked == "graph",
        "its loss waits for the processor in every step": not recordable and (on_gpu or asked == "graph"),
        "several devices train together": runtime.devices > 1,
        "gradients are accumulated over several batches": accumulate > 1,
        "16-mixed scales its gradients on the processor (bf16-mixed does not)": runtime.precision == "16-mixed",
    }
    reasons = [reason for reason, holds in against.items() if holds]
    if asked == "none" or not reasons:
        return Chosen(asked)
    return Chosen("none", f"training runs step by step, not by {asked}: {', '.join(reasons)}")


def compile_backbone(network: nn.Module) -> None:
    """Compiles the network's backbone for training, in place: its batch norms and ReLUs become one kernel each.

    The head stays as it is: compiling its loss had not finished after minutes, and a graph launches it as fast.
    """
    network.get_submodule("backbone").compile(dynamic=False)


def uncompile(network: nn.Module) -> None:
    """Undoes `compile_backbone`."""
    for module in network.modules():
        module._compiled_call_impl = None


@contextmanager
def uncompiled(network: nn.Module) -> Iterator[None]:
    """Measurements inside, whose batches are of other sizes, are not worth the compiler's minutes."""
    modules = [module for module in network.modules() if module._compiled_call_impl is not None]
    calls = [module._compiled_call_impl for module in modules]
    uncompile(network)
    try:
        yield
    finally:
        for module, call in zip(modules, calls, strict=True):
            module._compiled_call_impl = call


class GraphedStep:
    """Forward and backward pass of a batch, recorded once and replayed for every batch of the same shapes.

    Gradients appear in the parameters' `grad`; those of the last batch are overwritten. A parameter that the loss does
    not reach has none, as ever.

    The first batch is also passed step by step: where losses or gradients differ by more than rounding, the recording
    is not used.

    Args:
        batch: of the shapes and the device of all that follow: a named tuple of tensors.
        precision: as of `Runtime`.
        capture: records a function; `cuda_graph` but in tests.

    Raises:
        ArithmeticError: the recording does not give what the step by step pass gives.
        RuntimeError: the pass cannot be recorded.
    """

    def __init__(self, loss_of: LossOf, network: nn.Module, batch: Any, precision: str, capture: Capture) -> None:
        self.loss_of, self.network = loss_of, network
        self.batch = type(batch)(*(one.clone() for one in batch))
        self.autocast_to = AUTOCAST.get(precision)
        self.losses: LossValues
        state = _random_state(self.batch[0].device)
        with _buffers_as_before(network):
            self._pass()
            expected, gradients = self._found()
        with _buffers_as_before(network):
            self._replay = capture(self._pass)
        with _buffers_as_before(network):
            _set_random_state(self.batch[0].device, state)
            self.losses.values.fill_(math.nan)  # a recording of nothing would leave what is there
            self._replay()
            _compare(expected, gradients, *self._found())
        self._gradients = [(one, one.grad) for one in network.parameters()]
        _set_random_state(self.batch[0].device, state)

    def __call__(self, batch: Any) -> LossValues:
        """Losses of a batch; they are overwritten by the next one's, as the gradients are.

        Raises:
            ValueError: its shapes are others than the recorded ones.
        """
        given, recorded = ([tuple(one.shape) for one in some] for some in (batch, self.batch))
        if given != recorded:
            raise ValueError(f"a step that was recorded for a batch of shapes {recorded} got {given}")
        for parameter, gradient in self._gradients:
            parameter.grad = gradient  # where it is recorded; somebody may have put another there
        for kept, one in zip(self.batch, batch, strict=True):
            kept.copy_(one)
        self._replay()
        return self.losses

    def _pass(self) -> None:
        for parameter in self.network.parameters():
            parameter.grad = None
        device = self.batch[0].device.type
        with torch.autocast(device, self.autocast_to, enabled=self.autocast_to is not None, cache_enabled=False):
            losses = self.loss_of(self.network, self.batch)
        with torch.autocast(device, enabled=False):
            losses.total.backward()
        self.losses = detached(losses)

    def _found(self) -> tuple[Tensor, list[Tensor | None]]:
        gradients = [one.grad for one in self.network.parameters()]
        return self.losses.values.clone(), [None if one is None else one.clone() for one in gradients]


def seed_generators(seed: int) -> None:
    """As `torch.manual_seed`, which writes down the call stack each time for devices that are not in use yet."""
    cuda = torch.cuda.default_generators if torch.cuda.is_initialized() else ()
    for generator in (torch.default_generator, *cuda):
        generator.manual_seed(seed)


def reason_of(error: Exception) -> str:
    """Why a recording is not used, in a line."""
    return f"training runs step by step, not as a CUDA graph: {first_line(error)[:160]}"


@contextmanager
def _buffers_as_before(network: nn.Module) -> Iterator[None]:
    """What passes inside do to running means and the like is undone."""
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in network.named_buffers():
                buffer.copy_(before[name])


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_random_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)


def _compare(
    expected: Tensor, gradients: Sequence[Tensor | None], values: Tensor, replayed: Sequence[Tensor | None]
) -> None:
    apart = ((values - expected).abs() / expected.abs().clamp(min=1)).max().item()
    if not apart <= LOSS_TOLERANCE:
        raise ArithmeticError(f"its first loss is {apart:.1e} away from the step by step one")
    if [one is None for one in gradients] != [one is None for one in replayed]:
        raise ArithmeticError("its loss reaches other parameters than the step by step one")
    pairs = [(one, other) for one, other in zip(gradients, replayed, strict=True) if one is not None]
    norm = torch.stack([one.float().norm() for one, _ in pairs]).norm()
    difference = torch.stack([(one - other).float().norm() for one, other in pairs if other is not None]).norm()
    apart = (difference / norm.clamp(min=1e-12)).item()
    if not apart <= GRADIENT_TOLERANCE:
        raise ArithmeticError(f"its first gradients are {apart:.1e} away from the step by step ones")
