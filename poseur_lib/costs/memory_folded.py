"""Peak memory of a call."""

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile


def peak_mib(run: Callable[[], object], device: str) -> float:
    """The most that the tensors of a call hold at once beyond what was there before, in MiB.

    On a GPU by torch's allocator; on a processor by adding up every allocation and release that torch's profiler sees,
    which other work on the machine does not change.
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
