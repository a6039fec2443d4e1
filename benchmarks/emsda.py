"""EMSDA in several ways: as Eq. 1 is written, with one shared map, with bags of rows, projected first (MSDA)."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from benchmarks.timing import Extras, Goal, Setting, compared, times_ms
from poseur_lib.costs.speed import peak_mib
from poseur_lib.models.poseur.bag_gradients import torch_sum_bags
from poseur_lib.models.poseur.memory import Memory, level_geometry
from poseur_lib.models.poseur.sampling import Way, corner_rows, sample_bags, sample_dense, sample_memory, sampled_by
from poseur_study.costs.benchmark_record import Comparison

HEADS, LEVELS, POINTS, CHANNELS = 8, 4, 4, 256
SIZES = ((64, 48), (32, 24), (16, 12), (8, 6))
SMALLER = {"64x48": ((16, 12), (8, 6), (4, 3), (2, 2)), "128x96": ((32, 24), (16, 12), (8, 6), (4, 3))}
"""The maps of smaller crops."""


def inputs(batch: int, queries: int, sizes: Sequence[tuple[int, int]] = SIZES) -> tuple[Tensor, Tensor, Tensor]:
    """Random rows of the maps of a crop (256x192), locations (three in ten outside) and attention weights."""
    generator = torch.Generator().manual_seed(0)
    cells = sum(h * w for h, w in sizes)
    values = torch.randn(batch, cells, CHANNELS, generator=generator)
    locations = torch.rand(batch, queries, HEADS, LEVELS, POINTS, 2, generator=generator) * 1.2 - 0.1
    weights = torch.rand(batch, queries, HEADS, LEVELS * POINTS, generator=generator).softmax(-1)
    return values, locations, weights.unflatten(-1, (LEVELS, POINTS))


def level_maps(values: Tensor) -> list[Tensor]:
    """Flattened rows back to maps [B, C, H, W]."""
    parts = values.split([h * w for h, w in SIZES], dim=1)
    return [x.transpose(1, 2).unflatten(2, size) for x, size in zip(parts, SIZES, strict=True)]


def replicated(values: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """Eq. 1 to the letter: every head samples its own copy of the maps."""
    batch, queries = locations.shape[:2]
    total = 0
    for level, maps in enumerate(level_maps(values)):
        copies = maps[:, None].expand(-1, HEADS, -1, -1, -1).flatten(0, 1).contiguous()
        grid = locations[:, :, :, level].transpose(1, 2).reshape(batch * HEADS, queries, POINTS, 2) * 2 - 1
        sampled = grid_sample(copies, grid, align_corners=False).view(batch, HEADS, CHANNELS, queries, POINTS)
        total = total + torch.einsum("bmcqs,bqms->bqmc", sampled, weights[:, :, :, level])
    return total


def shared(values: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """One map for all heads, sampled by grid_sample."""
    total = 0
    for level, maps in enumerate(level_maps(values)):
        grid = locations[:, :, :, level].flatten(2, 3) * 2 - 1
        sampled = grid_sample(maps, grid, align_corners=False)
        sampled = sampled.view(*sampled.shape[:3], HEADS, POINTS)
        total = total + torch.einsum("bcqms,bqms->bqmc", sampled, weights[:, :, :, level])
    return total


def bags(values: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """Ours, for maps of thousands of cells."""
    rows, shares = corner_rows(level_geometry(SIZES, locations.device), locations, weights)
    return sample_bags(values, rows.flatten(3), shares.flatten(3))


def bags_by_torch(values: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """The same bags with torch's own gradients."""
    rows, shares = corner_rows(level_geometry(SIZES, locations.device), locations, weights)
    first = torch.arange(len(values), device=values.device)[:, None, None, None] * values.shape[1]
    bags_of = (rows.shape[:3].numel(), rows.shape[3])
    sums = torch_sum_bags(values.flatten(0, 1), (rows + first).view(bags_of), shares.view(bags_of))
    return sums.view(*rows.shape[:3], values.shape[2])


def dense(values: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """Ours, for maps of hundreds of cells."""
    rows, shares = corner_rows(level_geometry(SIZES, locations.device), locations, weights)
    return sample_dense(values, rows.flatten(3), shares.flatten(3))


def projected_after(sample: Callable, values: Tensor, locations: Tensor, weights: Tensor, matrix: Tensor) -> Tensor:
    """EMSDA: the linear layer on what was sampled."""
    return torch.einsum("bqmc,mcd->bqmd", sample(values, locations, weights), matrix)


def msda(values: Tensor, locations: Tensor, weights: Tensor, matrix: Tensor) -> Tensor:
    """MSDA (Deformable DETR): the linear layer on the whole map, then each head samples its own channels."""
    batch = locations.shape[0]
    projected = torch.einsum("bpc,mcd->bmpd", values, matrix).flatten(0, 1)
    total = 0
    for level, maps in enumerate(level_maps(projected)):
        grid = locations[:, :, :, level].transpose(1, 2).flatten(0, 1) * 2 - 1
        sampled = grid_sample(maps, grid, align_corners=False).unflatten(0, (batch, HEADS))
        total = total + torch.einsum("bmdqs,bqms->bqmd", sampled, weights[:, :, :, level])
    return total


WAYS = {
    "bags (ours)": bags,
    "dense (ours)": dense,
    "one shared grid_sample": shared,
    "replicated (Eq. 1)": replicated,
}
OURS, PROJECTED = "bags (ours)", "MSDA, projected first"
FORWARD_GOALS = {"replicated (Eq. 1)": Goal(25, at_least=True), PROJECTED: Goal(8, at_least=True)}
BOTH_GOALS = {"one shared grid_sample": Goal(2, at_least=True)}
BATCH = 8


def compare(setting: Setting) -> Iterator[Comparison]:
    """Forward at inference (17 queries) and forward + backward in training (68 queries), with peaks of memory.

    Of smaller crops, the two ways alone that `sample_memory` chooses from.
    """
    matrix = torch.randn(HEADS, CHANNELS, CHANNELS // HEADS).to(setting.device) / 16
    yield _forward(matrix, setting)
    yield _forward_backward(matrix, setting)
    for crop, sizes in SMALLER.items():
        yield from _smaller(crop, sizes, setting)


def _forward(matrix: Tensor, setting: Setting) -> Comparison:
    arguments = (*(x.to(setting.device) for x in inputs(BATCH, 17)), matrix)
    runs = {name: partial(projected_after, way, *arguments) for name, way in WAYS.items()}
    runs[PROJECTED] = partial(msda, *arguments)
    with torch.inference_mode():
        times = times_ms(runs, setting)
        peaks = {name: peak_mib(run, setting.device) for name, run in runs.items()}
    title, goals = f"EMSDA forward, batch {BATCH}, 17 queries", setting.goals(FORWARD_GOALS)
    return compared(title, times, OURS, Extras(peaks, goals))


def _forward_backward(matrix: Tensor, setting: Setting) -> Comparison:
    leaves = [x.to(setting.device).requires_grad_() for x in inputs(BATCH, 68)]

    def step(way: Callable) -> None:
        projected_after(way, *leaves, matrix).square().mean().backward()
        for leaf in leaves:
            leaf.grad = None

    trained = {**WAYS, "bags, torch's gradients": bags_by_torch}
    runs = {name: partial(step, way) for name, way in trained.items() if way is not replicated}
    times = times_ms(runs, setting)
    peaks = {name: peak_mib(run, setting.device) for name, run in runs.items()}
    title = f"EMSDA forward and backward, batch {BATCH}, 68 queries"
    return compared(title, times, OURS, Extras(peaks, setting.goals(BOTH_GOALS)))


def _smaller(crop: str, sizes: Sequence[tuple[int, int]], setting: Setting) -> Iterator[Comparison]:
    for queries, trained in ((17, False), (68, True)):
        leaves = [x.to(setting.device).requires_grad_(trained) for x in inputs(BATCH, queries, sizes)]

        def step(way: Way, leaves: Sequence[Tensor] = leaves, trained: bool = trained) -> None:
            with sampled_by(way):
                sums = sample_memory(Memory.of(leaves[0], sizes), *leaves[1:])
            if trained:
                torch.autograd.grad(sums.square().mean(), leaves)

        what = "forward and backward" if trained else "forward"
        title = f"Sampling {what}, crops of {crop}, batch {BATCH}, {queries} queries"
        yield compared(title, times_ms({way: partial(step, way) for way in ("bags", "matrix")}, setting), "bags")
