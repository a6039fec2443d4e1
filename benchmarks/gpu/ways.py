"""A call in several ways, step by step, as a CUDA graph and compiled: its time, and how busy it keeps the GPU."""

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from poseur_lib.cuda_graph import cuda_graph
from poseur_lib.errors import first_line
from poseur_lib.runtime import wait_for
from poseur_study.costs.gpu_record import WayTime

EAGER, GRAPH, INDUCTOR = "eager", "graph", "inductor"
COMPILE = {EAGER: "none", GRAPH: "graph", INDUCTOR: "inductor"}
"""What `--compile` calls them."""
WARM_UP, ROUNDS, PROFILED = 3, 5, 2
ROUND_SECONDS, MOST_CALLS = 0.15, 50

Run = Callable[[], object]


class Made(NamedTuple):
    """A call that is ready, and what is special about it."""

    run: Run
    note: str = ""


Make = Callable[[str], Made]
"""A call in a way to run it."""


def made(make: Callable[[bool], Run], on_gpu: bool) -> Make:
    """Of a call, compiled by torch or not: on a GPU, all ways but eager are then recorded as a CUDA graph."""

    def of(way: str) -> Made:
        run = make(way == INDUCTOR)
        return _recorded(run, way) if on_gpu and way != EAGER else Made(run)

    return of


def timed_ways(make: Make, ways: Sequence[str], device: str) -> tuple[WayTime, ...]:
    """Each way, or why there is no time of it.

    A CUDA graph has the kernels of the eager call: they tell how busy it is where the profiler sees none.
    """
    timed = {way: _timed_way(make, way, device) for way in ways}
    eager, graph = timed.get(EAGER), timed.get(GRAPH)
    if eager and graph and eager.busy and eager.milliseconds and graph.milliseconds and graph.busy is None:
        busy = min(1.0, eager.busy * eager.milliseconds / graph.milliseconds)
        timed[GRAPH] = graph.with_changes(busy=busy, note="busy by the kernels of the eager call")
    return tuple(timed.values())


def _timed_way(make: Make, way: str, device: str) -> WayTime:
    if way == GRAPH and device != "cuda":
        return WayTime(way=way, milliseconds=None, note="a CUDA graph needs a GPU")
    gc.collect()
    if way == INDUCTOR:
        torch.compiler.reset()  # rows share functions, of which torch compiles a few forms only
    try:
        with memory(device) as peak:
            run, note = make(way)
            taken = median_ms(run, device)
        busy, kernels = _busy(run, taken, device)
        return WayTime(way=way, milliseconds=taken, busy=busy, kernels=kernels, peak_gib=peak(), note=note)
    except Exception as error:  # a compiler, a graph or the card's memory: the other ways are still worth their time
        return WayTime(way=way, milliseconds=None, note=first_line(error)[:200])


def _recorded(run: Run, way: str) -> Made:
    """The call as a CUDA graph; one that was compiled runs without where it cannot be recorded."""
    if way == GRAPH:
        return Made(cuda_graph(run))
    try:
        return Made(cuda_graph(run), "as a CUDA graph")
    except Exception as error:
        return Made(run, f"without a CUDA graph: {first_line(error)[:100]}")


def median_ms(run: Run, device: str) -> float:
    """Milliseconds of a call, median over rounds of calls one after another; the end of each round is waited for."""
    for _ in range(WARM_UP):
        run()
    wait_for(device)
    start = time.perf_counter()
    run()
    wait_for(device)
    calls = max(1, min(MOST_CALLS, int(ROUND_SECONDS / (time.perf_counter() - start))))
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        wait_for(device)
        taken.append((time.perf_counter() - start) / calls)
    return 1e3 * statistics.median(taken)


def _busy(run: Run, milliseconds: float, device: str) -> tuple[float | None, float | None]:
    """Share of a call's time in which kernels run, and their number; nothing where the profiler sees none."""
    if device != "cuda":
        return None, None
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(PROFILED):
            run()
        wait_for(device)
    kernels = [event for event in profiler.key_averages() if event.device_type == DeviceType.CUDA]
    if not kernels:
        return None, None
    total = sum(event.self_device_time_total for event in kernels) / PROFILED / 1e3
    return min(1.0, total / milliseconds), sum(event.count for event in kernels) / PROFILED


@contextmanager
def memory(device: str) -> Iterator[Callable[[], float | None]]:
    """Gives, afterwards, the most memory that tensors held within, in GiB; nothing on a processor."""
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    yield lambda: torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
