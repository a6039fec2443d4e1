"""Recording what a function launches on a GPU, to launch all of it at once when it is wanted again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import torch

WARM_UP_PASSES = 3

Capture = Callable[[Callable[[], None]], Callable[[], object]]
"""Makes of a function without arguments one that does the same again, on the same tensors."""


def cuda_graph(function: Callable[[], None]) -> Callable[[], object]:
    """Records what `function` launches on the current GPU. It runs some times before: libraries have then made ready.

    Where it cannot be recorded, torch is left as it was before: on the same stream, with generators that go on.

    Raises:
        RuntimeError: it waits for the GPU, or does else what cannot be recorded.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP_PASSES):
            function()
    torch.cuda.current_stream().wait_stream(side)
    with _recording(side) as graph:
        function()
    return graph.replay


@contextmanager
def _recording(side: torch.cuda.Stream) -> Iterator[torch.cuda.CUDAGraph]:
    """As `torch.cuda.graph`, which neither names what broke a recording off nor leaves its stream then.

    Args:
        side: of this GPU; torch's own is of the GPU that it recorded on first, and sees nothing of another.
    """
    # A loader's thread may pin memory meanwhile.
    record = partial(torch.cuda.graph, stream=side, capture_error_mode="thread_local")
    graph, stream, pool = torch.cuda.CUDAGraph(), torch.cuda.current_stream(), torch.cuda.graph_pool_handle()
    try:
        recording = record(graph, pool=pool)
        recording.__enter__()
        try:
            yield graph
        except Exception:
            with suppress(Exception):  # the end of a broken recording says only that it was broken
                recording.__exit__(None, None, None)
            raise
        recording.__exit__(None, None, None)
    except Exception:
        torch.cuda.set_stream(stream)
        graph.reset()
        _release(pool)
        torch.cuda.empty_cache()
        with suppress(Exception), record(torch.cuda.CUDAGraph()):
            torch.zeros(1, device="cuda")  # in torch 2.11, generators may else wait for the end of the broken recording
        torch.cuda.set_stream(stream)
        raise


def _release(pool: tuple[int, int]) -> None:
    """Gives back the memory of a broken recording that was reset.

    In torch 2.11, `reset` does so only of one that came to its end: until the allocator is told, it keeps the pool, and
    takes a recording to be under way. Where `reset` did, the first call says that there is none, and all is done.
    """
    device = torch.cuda.current_device()
    with suppress(RuntimeError):
        torch._C._cuda_endAllocateToPool(device, pool)
        torch._C._cuda_releasePool(device, pool)
