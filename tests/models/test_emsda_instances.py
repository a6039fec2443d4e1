"""Many people in one image: no map is copied for any of them."""

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
        own = Memory.of(memory.values[image : image + 1], SIZES)
        alone = layer(query[number : number + 1], points[number : number + 1], own)
        torch.testing.assert_close(together[number : number + 1], alone, atol=1e-5, rtol=1e-5)


def test_gradients_of_people_in_one_image_add_up():
    memory = random_memory(SIZES, 2, 3)
    locations, weights = torch.rand(3, 2, 2, 3, 1, 2), torch.rand(3, 2, 2, 3, 1)
    index = torch.tensor([1, 1, 0])
    shared = memory.values.clone().requires_grad_()
    sample_memory(Memory.of(shared, SIZES), locations, weights, index).square().sum().backward()
    copied = memory.values[index].requires_grad_()
    sample_memory(Memory.of(copied, SIZES), locations, weights).square().sum().backward()
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
            Memory.of(values, memory.sizes), locations, weights, torch.zeros(instances, dtype=torch.long)
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
        alone = head.decoder(
            head.keypoint_encoder(points[7:8]), points[7:8], Memory.of(memory.values[1:], memory.sizes)
        )
    assert largest.elements < 0.6 * instances * memory.values[0].numel()
    torch.testing.assert_close(layers[-1].keypoints[7:8], alone[-1].keypoints, atol=1e-5, rtol=1e-5)


def test_instances_without_an_index_must_be_as_many_as_images():
    with pytest.raises(ValueError, match="3 instances in 2 images need an image_index"):
        sample_memory(random_memory(SIZES, 2, 3), torch.rand(3, 1, 1, 3, 1, 2), torch.rand(3, 1, 1, 3, 1))
