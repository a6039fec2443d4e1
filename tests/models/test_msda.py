"""MSDA against grid_sample of projected maps, and against EMSDA with the same weights."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from poseur_lib.models.poseur.deformable import EMSDA, MSDA
from poseur_lib.models.poseur.memory import Memory
from tests.models.small import random_memory
from tests.models.test_emsda import eq1_sums

SIZES = ((6, 8), (4, 4))
DIMS, HEADS = 12, 3


def layer_of(kind, seed=0):
    torch.manual_seed(seed)
    layer = kind(DIMS, HEADS, len(SIZES), 2)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return layer


def with_weights_of(msda: MSDA) -> EMSDA:
    """The EMSDA whose head m has the rows of `value_proj` that make MSDA's head m."""
    emsda = layer_of(EMSDA)
    state = msda.state_dict()
    state["value_proj_weight"] = state.pop("value_proj.weight").unflatten(0, (HEADS, -1)).transpose(1, 2).flatten(0, 1)
    state["value_proj_bias"] = state.pop("value_proj.bias").unflatten(0, (HEADS, -1))
    emsda.load_state_dict(state)
    return emsda


def by_grid_sample(layer: MSDA, query, points, memory: Memory):
    """Deformable DETR's order, head by head."""
    locations, attention = layer.samples(query, points, memory.levels)
    values = layer.value_proj(memory.values)
    heads = [
        eq1_sums(own, memory.sizes, locations[:, :, m : m + 1], attention[:, :, m : m + 1])
        for m, own in enumerate(values.chunk(HEADS, dim=2))
    ]
    return layer.output_proj(torch.cat(heads, dim=2).flatten(2))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**16), spread=st.floats(0.1, 2))
def test_msda_is_grid_sample_of_projected_maps(seed, spread):
    """Value, and gradient to maps, queries, points and parameters; also where samples fall outside."""
    layer, memory = layer_of(MSDA, seed), random_memory(SIZES, 2, DIMS, seed)
    inputs = [torch.randn(2, 5, DIMS), 0.5 + spread * (torch.rand(2, 5, 2) - 0.5), memory.values]
    query, points, values = (x.requires_grad_() for x in inputs)
    ours = layer(query, points, Memory.of(values, SIZES))
    theirs = by_grid_sample(layer, query, points, Memory.of(values, SIZES))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    towards = torch.randn_like(ours)
    of = [query, points, values, *layer.parameters()]
    for a, b in zip(*(torch.autograd.grad(y, of, towards) for y in (ours, theirs)), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_emsda_and_msda_agree_on_the_maps_and_differ_beyond():
    """Beyond the border MSDA samples zeros, and EMSDA still adds its bias; without a bias they never differ."""
    msda, memory, query = layer_of(MSDA), random_memory(SIZES, 2, DIMS), torch.randn(2, 5, DIMS)
    with torch.no_grad():
        msda.sampling_offsets.weight.zero_()
        msda.sampling_offsets.bias.uniform_(-0.4, 0.4)
    inside, outside = torch.rand(2, 5, 2) * 0.2 + 0.4, torch.full((2, 5, 2), 3.0)
    emsda = with_weights_of(msda)
    torch.testing.assert_close(emsda(query, inside, memory), msda(query, inside, memory), atol=1e-5, rtol=1e-5)
    assert (emsda(query, outside, memory) - msda(query, outside, memory)).abs().max() > 1e-3
    torch.nn.init.zeros_(msda.value_proj.bias)
    emsda = with_weights_of(msda)
    for points in (inside, torch.rand(2, 5, 2) * 3 - 1):
        torch.testing.assert_close(emsda(query, points, memory), msda(query, points, memory), atol=1e-5, rtol=1e-5)


def test_equally_many_parameters():
    """Supp. Table 4 compares costs only: W^v and its bias have C x C and C numbers in both."""
    assert sum(p.numel() for p in layer_of(MSDA).parameters()) == sum(p.numel() for p in layer_of(EMSDA).parameters())


@pytest.mark.parametrize("kind", [EMSDA, MSDA])
def test_many_people_in_one_image(kind):
    layer, memory = layer_of(kind), random_memory(SIZES, 2, DIMS)
    query, points, image = torch.randn(3, 5, DIMS), torch.rand(3, 5, 2), torch.tensor([1, 0, 1])
    together = layer(query, points, memory, image)
    copied = layer(query, points, Memory.of(memory.values[image], SIZES))
    torch.testing.assert_close(together, copied, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="3 instances in 2 images need an image_index"):
        layer(query, points, memory)
