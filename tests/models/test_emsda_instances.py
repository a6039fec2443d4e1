"""Many people in one image, and EMSDA's promise: the linear layer after sampling says the same as before it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from poseur_lib.models.poseur.deformable import EMSDA
from poseur_lib.models.poseur.memory import Memory
from poseur_lib.models.poseur.sampling import sample_memory
from tests.models.small import random_features, random_memory, small_head

SIZES = ((8, 6), (4, 3), (1, 1))


class LargestTensor(TorchDispatchMode):
    """Records the most elements that any operation's result has in storage."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        stored = [x.untyped_storage().nbytes() // x.element_size() for x in tree_leaves(out) if torch.is_tensor(x)]
        self.elements = max([self.elements, *stored])
        return out


@settings(max_examples=15)
@given(images=st.lists(st.integers(0, 2), min_size=1, max_size=7), seed=st.integers(0, 2**16))
def test_instances_in_pyramids_equal_each_alone_in_its_image(images, seed):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    layer = EMSDA(8, 2, 3, 2)
    memory = random_memory(SIZES, 3, 8, seed)
    query = torch.randn(len(images), 4, 8, generator=generator)
    points = torch.rand(len(images), 4, 2, generator=generator)
    together = layer(query, points, memory, torch.tensor(images))
    for number, image in enumerate(images):
        own = Memory(memory.values[image : image + 1], SIZES)
        alone = layer(query[number : number + 1], points[number : number + 1], own)
        torch.testing.assert_close(together[number : number + 1], alone, atol=1e-5, rtol=1e-5)


def test_gradients_of_people_in_one_image_add_up():
    memory = random_memory(SIZES, 2, 3)
    locations, weights = torch.rand(3, 2, 2, 3, 1, 2), torch.rand(3, 2, 2, 3, 1)
    index = torch.tensor([1, 1, 0])
    shared = memory.values.clone().requires_grad_()
    sample_memory(Memory(shared, SIZES), locations, weights, index).square().sum().backward()
    copied = memory.values[index].requires_grad_()
    sample_memory(Memory(copied, SIZES), locations, weights).square().sum().backward()
    expected = torch.zeros_like(shared).index_add_(0, index, copied.grad)
    torch.testing.assert_close(shared.grad, expected, atol=1e-5, rtol=1e-5)


def test_a_thousand_instances_share_one_image():
    """No operation, forward or backward, makes anything of the size of one map per instance or per head."""
    instances, dims = 1000, 16
    memory = random_memory(((24, 18), (12, 9)), 1, dims)
    locations, weights = torch.rand(instances, 1, 2, 2, 2, 2), torch.rand(instances, 1, 2, 2, 2)
    values = memory.values.clone().requires_grad_()
    with LargestTensor() as largest:
        sample_memory(
            Memory(values, memory.sizes), locations, weights, torch.zeros(instances, dtype=torch.long)
        ).sum().backward()
    assert values.grad.shape == values.shape
    assert largest.elements < 0.02 * instances * values.numel()


def test_the_whole_decoder_copies_no_map_per_instance():
    head = small_head()
    instances = 300
    index = torch.arange(instances) % 2
    points = torch.rand(instances, 1, 5, 2)
    with torch.no_grad():
        memory = head.memory_embedding(head.neck(random_features()))
        queries = head.keypoint_encoder(points)
        with LargestTensor() as largest:
            layers = head.decoder(queries, points, memory, index)
        alone = head.decoder(head.keypoint_encoder(points[7:8]), points[7:8], Memory(memory.values[1:], memory.sizes))
    assert largest.elements < 0.6 * instances * memory.values[0].numel()
    torch.testing.assert_close(layers[-1].keypoints[7:8], alone[-1].keypoints, atol=1e-5, rtol=1e-5)


def test_instances_without_an_index_must_be_as_many_as_images():
    with pytest.raises(ValueError, match="3 instances in 2 images need an image_index"):
        sample_memory(random_memory(SIZES, 2, 3), torch.rand(3, 1, 1, 3, 1, 2), torch.rand(3, 1, 1, 3, 1))


def msda(layer: EMSDA, query, points, memory: Memory):
    """The original order (Deformable DETR): W^v and its bias on every cell of the maps, then sampling."""
    locations, attention = layer.sampling(query, points, memory.sizes)
    projections = layer.value_proj_weight.view(layer.num_heads, -1, layer.value_proj_weight.shape[1])
    heads = [
        sample_memory(
            Memory(memory.values @ projections[m] + layer.value_proj_bias[m], memory.sizes),
            locations[:, :, m : m + 1],
            attention[:, :, m : m + 1],
        )
        for m in range(layer.num_heads)
    ]
    return layer.output_proj(torch.cat(heads, dim=2).flatten(2))


def test_projecting_samples_equals_projecting_maps():
    """Sampling is linear and the weights inside a map sum to one, so even the bias agrees; beyond the border it
    does not, where MSDA samples zeros and EMSDA still adds its bias once."""
    torch.manual_seed(0)
    layer, memory = EMSDA(12, 3, 2, 2), random_memory(((6, 8), (4, 4)), 2, 12)
    with torch.no_grad():
        layer.sampling_offsets.weight.zero_()
        layer.sampling_offsets.bias.uniform_(-0.4, 0.4)
    query = torch.randn(2, 5, 12)
    inside = torch.rand(2, 5, 2) * 0.2 + 0.4
    torch.testing.assert_close(
        layer(query, inside, memory), msda(layer, query, inside, memory), atol=1e-5, rtol=1e-5
    )
    outside = torch.full((2, 5, 2), 3.0)
    zeros_and_bias = layer.output_proj(layer.value_proj_bias.flatten()).expand(2, 5, -1)
    torch.testing.assert_close(layer(query, outside, memory), zeros_and_bias)
    torch.testing.assert_close(msda(layer, query, outside, memory), layer.output_proj.bias.expand(2, 5, -1))
