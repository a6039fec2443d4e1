"""Recording what a function launches on a GPU, to launch all of it at once when it is wanted again."""

from collections.abc import Callable

import torch

WARM_UP_PASSES = 3

Capture = Callable[[Callable[[], None]], Callable[[], object]]
"""Makes of a function without arguments one that does the same again, on the same tensors."""


def cuda_graph(function: Callable[[], None]) -> Callable[[], object]:
    """Records what `function` launches. It runs some times before, so that libraries have made ready.

    Raises:
        RuntimeError: it waits for the GPU, or does else what cannot be recorded.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP_PASSES):
            function()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        function()
    return graph.replay
