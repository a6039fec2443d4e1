"""Memory and time of a model and of a call, measured on the device that is here."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from poseur_lib.models.pose_model import PoseModel, PoseTargets
from poseur_lib.runtime import device_name, keep_freed_memory, wait_for

WARM_UP, ROUNDS = 3, 15

THROUGHPUT_BATCH, THROUGHPUT_ROUNDS = 8, 3


@dataclass(frozen=True)
class Speed:
    """Times in float32, medians after warm-up, on a named device; and memory.

    Attributes:
        device: name of the accelerator or processor; `threads` of torch count on a processor alone.
        latency_ms: one image, from the crop to the keypoints.
        images_per_second: at `batch` images at once.
        training_activations: bytes that autograd keeps at the end of a training forward pass of one image, where they
            are the most: distinct storages saved for the backward pass, weights and buffers aside, noisy query groups
            and loss included.
    """

    device: str
    threads: int
    latency_ms: float
    images_per_second: float
    batch: int
    training_activations: int


def measure(model: PoseModel, images: Tensor, num_keypoints: int, batch: int = THROUGHPUT_BATCH) -> Speed:
    """Time and memory of a model; `images` is one image, on the model's device."""
    targets = PoseTargets(
        torch.full((1, num_keypoints, 2), 0.5, device=images.device),
        torch.ones(1, num_keypoints, dtype=torch.bool, device=images.device),
    )
    keep_freed_memory(images.device.type)
    many = images.expand(batch, -1, -1, -1).contiguous()
    model.eval()
    with torch.inference_mode():
        latency = median_seconds(lambda: model(images), ROUNDS, WARM_UP, images.device)
        pass_time = median_seconds(lambda: model(many), THROUGHPUT_ROUNDS, 1, images.device)
    kept = saved_bytes(model.train(), lambda: model.loss(images, targets).total)
    model.eval()
    return Speed(
        device=device_name(images.device.type),
        threads=torch.get_num_threads(),
        latency_ms=1e3 * latency,
        images_per_second=batch / pass_time,
        batch=batch,
        training_activations=kept,
    )


def median_seconds(run: Callable[[], object], rounds: int, warm_up: int, device: torch.device) -> float:
    """Median wall time of a call; work on a GPU is waited for."""
    taken = []
    for number in range(warm_up + rounds):
        start = time.perf_counter()
        run()
        wait_for(device)
        if number >= warm_up:
            taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def saved_bytes(model: nn.Module, forward: Callable[[], object]) -> int:
    """Bytes of the distinct storages that `forward` saves for its backward pass; those of `model`'s state aside."""
    own = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    saved: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = forward()
    total = sum(storage.nbytes() for key, storage in saved.items() if key not in own)
    del output
    return total


def peak_mib(run: Callable[[], object], device: str) -> float:
    """The most that the tensors of a call hold at once beyond what was there before, in MiB.

    On a GPU by torch's allocator; on a processor by adding up every allocation and release that torch's profiler sees,
    which other work on the machine does not change. What an earlier call left behind does not count, though this one
    makes it anew: a training step frees its gradients at the end.
    """
    run()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = profiler.profiler.kineto_results.events()
    steps = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    held = peak = 0
    for _, change in steps:
        held += change
        peak = max(peak, held)
    return peak / 2**20
