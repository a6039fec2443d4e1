"""The Triton kernels against the ways that torch computes, in Triton's interpreter where there is no GPU."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from poseur_lib.models.poseur.memory import Memory
from poseur_lib.models.poseur.sampling import corner_rows, sample_bags, sample_memory, sampled_by
from tests.models.small import random_memory

pytest.importorskip("triton", reason="Triton comes with CUDA builds of torch")
kernels = pytest.importorskip("poseur_lib.models.poseur.sampling_kernels")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def by_torch(memory: Memory, locations, weights, image_index=None):
    rows, shares = corner_rows(memory.levels, locations, weights)
    return sample_bags(memory.values, rows, shares.to(memory.values.dtype), image_index)


def ways(image_index):
    found = {"rows": lambda m, *places: kernels.sum_rows(m.values, m.levels, *places, image_index)}
    if image_index is None:
        found["matrix"] = lambda m, *places: kernels.sum_by_matrix(m.values, m.levels, *places)
    return found


def assert_same(sizes, locations, weights, image_index=None, images=None, dims=4, atol=1e-5):
    images = len(locations) if images is None else images
    values = random_memory(sizes, images, dims, seed=1).values.to(DEVICE)
    index = None if image_index is None else image_index.to(DEVICE)

    def computed(way):
        leaves = [x.detach().clone().to(DEVICE).requires_grad_() for x in (values, locations, weights)]
        sums = way(Memory.of(leaves[0], sizes), *leaves[1:])
        towards = torch.randn(sums.shape, generator=torch.Generator().manual_seed(2)).to(DEVICE)
        return sums, *torch.autograd.grad(sums, leaves, towards)

    expected = computed(lambda *given: by_torch(*given, index))
    for name, way in ways(index).items():
        for ours, theirs in zip(computed(way), expected, strict=True):
            torch.testing.assert_close(
                ours, theirs, atol=atol, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
            )


@settings(max_examples=5)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=3).map(tuple),
    counts=st.tuples(*(st.integers(1, 2) for _ in range(4))),
    dims=st.sampled_from([1, 3, 8]),
    seed=st.integers(0, 2**16),
)
def test_sums_and_gradients_are_those_of_torch(sizes, counts, dims, seed):
    n, q, m, s = counts
    generator = torch.Generator().manual_seed(seed)
    locations = torch.rand(n, q, m, len(sizes), s, 2, generator=generator) * 2 - 0.5
    weights = torch.randn(n, q, m, len(sizes), s, generator=generator)
    assert_same(sizes, locations, weights, dims=dims)


def test_several_instances_of_an_image():
    locations, weights = torch.rand(5, 2, 2, 2, 1, 2) * 1.4 - 0.2, torch.rand(5, 2, 2, 2, 1)
    assert_same(((3, 5), (2, 2)), locations, weights, torch.tensor([1, 0, 1, 2, 0]), images=3)


def test_more_instances_than_images_need_their_index():
    memory = random_memory(((2, 2),), 2, 3)
    with pytest.raises(ValueError, match="3 instances in 2 images need an image_index"):
        kernels.sum_rows(memory.values, memory.levels, torch.rand(3, 1, 1, 1, 1, 2), torch.rand(3, 1, 1, 1, 1))


def test_borders_cell_centres_and_points_far_outside():
    sizes = ((4, 8), (1, 1))
    axis = torch.tensor([-1e4, -0.125, 0.0, 0.5, 1.0, 1.125])
    points = torch.cartesian_prod(axis, axis)
    locations = points[None, :, None, None, None].expand(1, -1, 1, 2, 1, -1).contiguous()
    assert_same(sizes, locations, torch.ones(locations.shape[:-1]), atol=1e-4)


def test_samples_that_share_a_cell_add_up():
    """Each head's points lie in one cell: the matrix gets its corners several times."""
    locations = torch.full((1, 2, 1, 1, 7, 2), 0.4)
    assert_same(((3, 3),), locations, torch.rand(1, 2, 1, 1, 7))


def test_a_location_that_is_nan_gives_nan_and_no_error():
    memory = Memory.of(torch.ones(1, 4, 3, device=DEVICE), ((2, 2),))
    places = torch.full((1, 1, 1, 1, 1, 2), torch.nan, device=DEVICE), torch.ones(1, 1, 1, 1, 1, device=DEVICE)
    for way in ways(None).values():
        assert way(memory, *places).isnan().all()


def test_half_precision_maps():
    """Rows are read in 16 bits and added up in 32; the matrix is of 16 bits, as the products' other factor."""
    memory = random_memory(((4, 4),), 2, 8, seed=3)
    half = Memory.of(memory.values.half().to(DEVICE), memory.sizes)
    locations, weights = torch.rand(2, 3, 2, 1, 2, 2, device=DEVICE), torch.rand(2, 3, 2, 1, 2, device=DEVICE)
    expected = by_torch(Memory.of(half.values.float(), memory.sizes), locations, weights)
    for way in ways(None).values():
        found = way(half, locations, weights)
        assert found.dtype == torch.float16
        torch.testing.assert_close(found.float(), expected, atol=5e-3, rtol=5e-3)


@pytest.mark.parametrize("queries, images", [(0, 2), (3, 0)])
def test_nobody_gives_no_sums(queries, images):
    locations = torch.rand(images, queries, 2, 1, 2, 2)
    assert_same(((2, 3),), locations, torch.rand(locations.shape[:-1]), images=images)


@pytest.mark.skipif(DEVICE != "cuda", reason="needs a GPU")
@pytest.mark.parametrize("weights_too", [False, True])
def test_bfloat16_maps_on_a_gpu(weights_too):
    """Sums and gradients of all that goes in, at a training step's sizes; Triton's interpreter has no such numbers."""
    sizes, kind = ((64, 48), (32, 24), (16, 12), (8, 6)), torch.bfloat16
    torch.manual_seed(0)
    values = random_memory(sizes, 4, 64, seed=3).values.to(DEVICE, kind)
    locations = torch.rand(4, 68, 8, 4, 4, 2, device=DEVICE) * 1.4 - 0.2
    weights = torch.rand(4, 68, 8, 4, 4, device=DEVICE).softmax(dim=-1).to(kind if weights_too else torch.float32)
    towards = torch.randn(4, 68, 8, 64, device=DEVICE)

    def computed(way, *given):
        leaves = [x.detach().clone().requires_grad_() for x in given]
        sums = way(Memory.of(leaves[0], sizes), *leaves[1:])
        return [x.float() for x in (sums, *torch.autograd.grad(sums, leaves, towards.to(sums.dtype)))]

    expected = computed(by_torch, values.float(), locations, weights.float())
    for name, way in ways(None).items():
        for what, ours, theirs in zip(("sums", "maps", "places", "weights"),
                                      computed(way, values, locations, weights), expected, strict=True):  # fmt: skip
            apart = ((ours - theirs).norm() / theirs.norm()).item()
            assert apart < 0.02, f"{name}: {what} are {apart:.3f} away"


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_kernels_are_launched_where_the_tensors_are():
    memory = random_memory(((3, 2),), 2, 4, seed=5)
    places = torch.rand(2, 1, 1, 1, 2, 2), torch.rand(2, 1, 1, 1, 2)
    expected = by_torch(memory, *places)
    there = Memory.of(memory.values.to("cuda:1"), memory.sizes)
    for way in ways(None).values():
        torch.testing.assert_close(way(there, *(x.to("cuda:1") for x in places)).cpu(), expected)


def test_a_way_that_is_asked_for_is_taken():
    memory = random_memory(((3, 2),), 2, 4, seed=5)
    memory = Memory.of(memory.values.to(DEVICE), memory.sizes)
    locations, weights = torch.rand(2, 1, 1, 1, 2, 2, device=DEVICE), torch.rand(2, 1, 1, 1, 2, device=DEVICE)
    expected = by_torch(memory, locations, weights)
    for way in ("matrix", "bags", "matrix kernel", "rows kernel"):
        with sampled_by(way):
            found = sample_memory(memory, locations, weights)
        torch.testing.assert_close(found, expected)
