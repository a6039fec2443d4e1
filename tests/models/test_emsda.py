"""EMSDA's sampling against Eq. 1 written down with grid_sample, one copy of the maps per head."""

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


def test_both_ways_are_taken():
    """`sample_memory` chooses by the size of the maps; both choices are exercised above only if both exist."""
    locations = torch.rand(1, 2, 2, 1, 1, 2)
    weights = torch.ones(1, 2, 2, 1, 1)
    assert [chosen_way(cells, 4, "cpu", True, True) for cells in (4, 12, 13, 1600)] == ["matrix"] * 2 + ["bags"] * 2
    assert chosen_way(4, 4, "cpu", True, False) == "bags"
    assert chosen_way(4080, 64, "cuda", True, False) == "matrix" and chosen_way(4, 4, "cuda", False, True) == "bags"
    for side in (2, 40):
        assert_equals_eq1(by_memory, ((side, side),), locations, weights)


def test_the_way_depends_on_whether_gradients_are_asked_for(monkeypatch):
    """For small maps, training takes the matrix and inference does not; the sums are the same."""
    taken = []
    for name in ("sample_dense", "sample_bags"):
        sample = getattr(sampling, name)
        monkeypatch.setattr(sampling, name, lambda *x, n=name, of=sample: taken.append(n) or of(*x))
    memory, weights = random_memory(((3, 4),), 2, 3), torch.rand(2, 5, 2, 1, 1)
    locations = torch.rand(2, 5, 2, 1, 1, 2)
    plain = sample_memory(memory, locations, weights)
    trained = sample_memory(memory, locations, weights.clone().requires_grad_())
    with torch.no_grad():
        sample_memory(memory, locations, weights.clone().requires_grad_())
    assert taken == ["sample_bags", "sample_dense", "sample_bags"]
    torch.testing.assert_close(trained, plain)


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
