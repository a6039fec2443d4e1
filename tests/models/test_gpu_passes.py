"""Passes on a GPU, seen on tensors without values: nothing is waited for, nor copied from the processor."""

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from poseur_lib.models.poseur.sampling import sample_bags
from poseur_lib.training.fit import pose_loss
from tests.models.test_pose_model import HEADS, model_of
from tests.training.batches import random_batch

GPU = torch.device("cuda", 0)
RECORDABLE = [name for name in HEADS if name != "prtr"]
"""PRTR pairs queries with keypoints on the processor."""


def move_to_gpu(module: torch.nn.Module, mode: FakeTensorMode) -> None:
    for part in module.modules():
        for name, value in part._parameters.items():
            part._parameters[name] = None if value is None else torch.nn.Parameter(mode.from_tensor(value).to(GPU))
        for name, value in part._buffers.items():
            part._buffers[name] = None if value is None else mode.from_tensor(value).to(GPU)


class Copies(TorchDispatchMode):
    """Operations that take or give tensors of the processor."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        places = {x.device.type for x in tree_leaves((args, kwargs, found)) if isinstance(x, torch.Tensor)}
        if "copy" in str(func) and places == {"cpu", "cuda"}:
            self.seen.append(str(func))
        return found


@pytest.mark.parametrize("name", RECORDABLE)
def test_a_loss_and_a_prediction_copy_nothing_to_the_gpu(name):
    """As a CUDA graph cannot; the first pass may, for what is then kept."""
    model, batch, copies = model_of(name), random_batch(4, 0), Copies()

    def passes():
        pose_loss(model.train(), batch)
        model.eval().predict_flipped(batch.images)

    with FakeTensorMode() as mode:
        move_to_gpu(model, mode)
        batch = type(batch)(*(mode.from_tensor(field).to(GPU) for field in batch))
        passes()
        with copies:
            passes()
    assert not copies.seen


def test_bags_of_16_bits_are_summed_in_float32_on_a_gpu():
    """CUDA's have no gradient of 16-bit weights, which MSDA under autocast would need."""
    with FakeTensorMode():
        values, weights = (torch.zeros(2, 6, 3, device=GPU, dtype=torch.bfloat16) for _ in range(2))
        rows = torch.zeros(2, 6, 3, 4, dtype=torch.long, device=GPU)
        assert sample_bags(values, rows, weights[..., None].expand(-1, -1, -1, 4)).dtype == torch.float32
