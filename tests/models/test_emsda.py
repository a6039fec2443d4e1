"""EMSDA's sampling against Eq. 1 written down with grid_sample, one copy of the maps per head."""

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import grid_sample

from poseur_lib.models.poseur import sampling
from poseur_lib.models.poseur.deformable import EMSDA
from poseur_lib.models.poseur.memory import Memory, level_geometry
from poseur_lib.models.poseur.sampling import chosen_way, corner_rows, sample_bags, sample_dense, sample_memory
from tests.models.small import random_memory
from tests.study.projects import REPOSITORY

SIZES = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4).map(tuple)


def eq1_sums(values: Tensor, sizes, locations: Tensor, weights: Tensor) -> Tensor:
    """sum_l sum_s A x^l(location) for every query and head; `values` holds one image per instance."""
    maps = values.split([h * w for h, w in sizes], dim=1)
    heads = []
    for head in range(locations.shape[2]):
        total = 0
        for level, (rows, (h, w)) in enumerate(zip(maps, sizes, strict=True)):
            image = rows.transpose(1, 2).reshape(len(rows), -1, h, w)
            grid = 2 * locations[:, :, head, level] - 1
            sampled = grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
            total = total + (sampled * weights[:, None, :, head, level]).sum(dim=-1)
        heads.append(total.transpose(1, 2))
    return torch.stack(heads, dim=2)


def by_memory(values, sizes, locations, weights):
    return sample_memory(Memory.of(values, sizes), locations, weights)


def by_bags(values, sizes, locations, weights):
    rows, shares = corner_rows(level_geometry(sizes, values.device), locations, weights)
    return sample_bags(values, rows, shares)


def by_matrix(values, sizes, locations, weights):
    rows, shares = corner_rows(level_geometry(sizes, values.device), locations, weights)
    return sample_dense(values, rows, shares)


def assert_equals_eq1(sample, sizes, locations, weights, seed=0, dims=4):
    values = random_memory(sizes, len(locations), dims, seed).values
    inputs = [x.detach().clone().requires_grad_() for x in (values, locations, weights)]
    ours = sample(inputs[0], sizes, *inputs[1:])
    theirs = eq1_sums(inputs[0], sizes, *inputs[1:])
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    towards = torch.randn(ours.shape, generator=torch.Generator().manual_seed(seed))
    gradients = (torch.autograd.grad(sums, inputs, towards) for sums in (ours, theirs))
    for to_maps_locations_weights in zip(*gradients, strict=True):
        torch.testing.assert_close(*to_maps_locations_weights, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sample", [by_memory, by_bags, by_matrix])
@settings(max_examples=25)
@given(
    sizes=SIZES,
    counts=st.tuples(*(st.integers(1, 3) for _ in range(4))),
    seed=st.integers(0, 2**16),
)
def test_any_shape(sample, sizes, counts, seed):
    n, q, m, s = counts
    generator = torch.Generator().manual_seed(seed)
    locations = torch.rand(n, q, m, len(sizes), s, 2, generator=generator) * 2 - 0.5
    weights = torch.randn(n, q, m, len(sizes), s, generator=generator)
    assert_equals_eq1(sample, sizes, locations, weights, seed)


@pytest.mark.parametrize("sample", [by_memory, by_bags, by_matrix])
def test_borders_cell_centres_and_points_far_outside(sample):
    """Every place where a corner enters or leaves the map; sides are powers of two, so that they are hit exactly."""
    sizes = ((8, 4), (2, 2), (1, 1))
    one_axis = torch.tensor([-1e4, -1.0, -0.25, -0.125, 0.0, 0.125, 0.25, 0.5, 0.875, 1.0, 1.125, 1.25, 2.0, 1e4])
    points = torch.cartesian_prod(one_axis, one_axis)
    locations = points[None, :, None, None, None].expand(1, -1, 1, 3, 1, -1).contiguous()
    assert_equals_eq1(sample, sizes, locations, torch.ones(locations.shape[:-1]))


def test_the_matrix_is_for_a_gpu_and_maps_that_are_not_large():
    chosen = [chosen_way(cells, 64, device, True) for device in ("cpu", "cuda") for cells in (64, 4080, 4097)]
    assert chosen == ["bags"] * 3 + ["matrix"] * 2 + ["bags"]
    assert chosen_way(64, 64, "cuda", one_each=False) == "bags"


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_torch_differentiates_where_our_gradients_cannot(monkeypatch):
    """In 16 bits and inside torch.func; and where nobody asks, its sums are taken as they are."""
    taken = []
    for name in ("sum_bags", "torch_sum_bags"):
        sum_them = getattr(sampling, name)
        monkeypatch.setattr(sampling, name, lambda *x, n=name, of=sum_them: taken.append(n) or of(*x))
    values, rows, shares = torch.rand(2, 12, 3), torch.randint(12, (2, 5, 2, 4)), torch.rand(2, 5, 2, 4)

    def total(of: Tensor, bits: torch.dtype = torch.float32) -> Tensor:
        return sample_bags(of.to(bits), rows, shares).float().square().sum()

    (expected,) = torch.autograd.grad(total(values.requires_grad_()), values)
    (in_16_bits,) = torch.autograd.grad(total(values, torch.bfloat16), values)
    with torch.no_grad():
        total(values)
    assert taken == ["sum_bags", "torch_sum_bags", "torch_sum_bags"]
    torch.testing.assert_close(in_16_bits, expected, atol=0.1, rtol=0.05)
    taken.clear()
    torch.testing.assert_close(torch.func.grad(total)(values.detach()), expected)
    one = torch.func.vmap(torch.func.grad(lambda x: total(x.expand(2, -1, -1))))(values.detach())
    assert one.shape == values.shape and taken == ["torch_sum_bags"] * 2


WHOLE_GRAPH = """
import torch
from poseur_lib.models.poseur.sampling import sample_bags

values, rows, shares = torch.rand(2, 12, 3), torch.randint(12, (2, 5, 2, 4)), torch.rand(2, 5, 2, 4)
totals = [of(values.requires_grad_(), rows, shares).square().sum()
          for of in (sample_bags, torch.compile(sample_bags, backend="aot_eager", fullgraph=True))]
torch.testing.assert_close(*(torch.autograd.grad(total, values)[0] for total in totals))
"""


def test_it_compiles_as_one_graph_with_gradients():
    """In a process of its own: without the hook that checks types, through which torch cannot compile."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", WHOLE_GRAPH], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("sample", [by_bags, by_matrix])
@pytest.mark.parametrize(("images", "queries"), [(0, 5), (2, 0)])
def test_nothing_to_sample_gives_nothing(sample, images, queries):
    values = torch.rand(images, 4, 3).requires_grad_()
    locations, weights = torch.rand(images, queries, 2, 1, 1, 2), torch.ones(images, queries, 2, 1, 1)
    sums = sample(values, ((2, 2),), locations, weights.requires_grad_())
    assert sums.shape == (images, queries, 2, 3)
    of_values, of_weights = torch.autograd.grad(sums.sum(), (values, weights))
    assert not of_values.any() and of_weights.shape == weights.shape


def test_a_location_that_is_nan_gives_nan_and_no_error():
    locations = torch.full((1, 1, 1, 1, 1, 2), torch.nan)
    for sample in (by_bags, by_matrix):
        sums = sample(torch.ones(1, 4, 3), ((2, 2),), locations, torch.ones(1, 1, 1, 1, 1))
        assert sums.isnan().all()


def test_training_after_a_prediction_in_inference_mode():
    """What the prediction leaves in the caches must be fit for autograd."""
    layer = EMSDA(8, 2, 2, 1)
    memory = random_memory(((7, 3), (5, 2)), 1, 8)
    query, points = torch.randn(1, 3, 8), torch.rand(1, 3, 2)
    with torch.inference_mode():
        predicted = layer(query, points, memory)
    trained = layer(query, points, memory)
    trained.sum().backward()
    torch.testing.assert_close(trained.detach(), predicted.clone())


def test_attention_sums_to_one_and_offsets_count_cells():
    layer = EMSDA(8, 2, 2, 3)
    torch.nn.init.zeros_(layer.sampling_offsets.weight)
    points = torch.rand(2, 5, 2)
    locations, attention = layer.samples(torch.randn(2, 5, 8), points, level_geometry(((4, 8), (2, 5)), points.device))
    torch.testing.assert_close(attention.sum(dim=(-1, -2)), torch.ones(2, 5, 2))
    cells = torch.tensor([[8.0, 4.0], [5.0, 2.0]])  # (width, height)
    steps = (locations - points[:, :, None, None, None]) * cells[:, None]
    rays = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])  # two heads: a ring of two rays
    expected = rays[:, None, None] * torch.arange(1, 4)[:, None]
    torch.testing.assert_close(steps, expected.expand(2, 5, 2, 2, 3, 2), atol=1e-5, rtol=1e-5)
