"""Initial values against facts recorded from the released code (ResNet-50, 256x192)."""

import json
import math
import re
from typing import NamedTuple

import pytest
import torch

from poseur_lib.checkpoints.released_keys import our_name
from poseur_lib.config import PoseurConfig
from poseur_lib.models.poseur.head import PoseurHead


class Fact(NamedTuple):
    """One parameter of the released head after initialisation; `bound` is xavier's, where the shape has one."""

    key: str
    shape: list[int]
    mean: float
    std: float
    absmax: float
    bound: float | None
    redrawn: bool

    @property
    def name(self) -> str:
        """Our name."""
        return our_name(f"keypoint_head.{self.key}").removeprefix("head.")


@pytest.fixture(scope="module")
def facts(shared):
    return [Fact(*row) for row in json.loads((shared / "reference" / "init_facts_res50.json").read_text())]


@pytest.fixture(scope="module")
def head():
    torch.manual_seed(0)
    return PoseurHead(PoseurConfig(decoder_layers=3), 17, (256, 512, 1024, 2048))


@pytest.fixture(scope="module")
def parameters(head):
    return dict(head.named_parameters())


def test_the_facts_cover_the_head(facts, parameters):
    """Decoder layer 0 and coupling layer 0 stand for all of them; neck and second FFN matrix are not recorded."""
    known = {fact.name: fact.shape for fact in facts}
    ours = {
        re.sub(r"(layers|branches|shift|log_scale)\.\d+", r"\1.0", name): list(parameter.shape)
        for name, parameter in parameters.items()
        if not name.startswith("neck.") and ".ffn.3." not in name
    }
    assert ours == known


def test_constants_are_the_same_constants(facts, parameters):
    constant = [fact for fact in facts if fact.std == 0]
    assert {fact.mean for fact in constant} == {0.0, 1.0}
    for fact in constant:
        assert parameters[fact.name].eq(fact.mean).all(), fact.name


def test_spread_is_that_of_the_released_draw(facts, parameters):
    """Two draws of n values: their standard deviations differ by at most six sampling errors (normal: the wider)."""
    for fact in facts:
        ours = parameters[fact.name]
        if fact.std == 0 or ours.numel() < 64:
            continue
        tolerance = 6 * math.sqrt(0.5 / ours.numel()) * math.sqrt(2)
        assert ours.std().item() == pytest.approx(fact.std, rel=tolerance), fact.name
        assert abs(ours.mean().item()) < 6 * fact.std / math.sqrt(ours.numel()), fact.name


def test_xavier_matrices_fill_their_bound(facts, parameters):
    """The released absmax tells which parameters are xavier uniform: it comes close to the bound without passing it."""
    xavier = [f for f in facts if f.bound and 0.95 * f.bound < f.absmax <= f.bound * 1.0001]
    named = " ".join(fact.name for fact in xavier)
    for part in ("in_proj", "sampling_offsets", "value_proj_weight", "value_proj_bias", "coordinates", "location_proj"):
        assert part in named
    for fact in xavier:
        largest = parameters[fact.name].abs().max().item()
        assert 0.95 * fact.bound < largest <= fact.bound * 1.0001, fact.name


def test_uniform_draws_of_torch_keep_their_bound(facts, parameters):
    """1 / sqrt(fan in) for the linear layers that nobody re-initialises: output branches and flows."""
    for fact in facts:
        values = parameters[fact.name]
        if "flow" not in fact.name and "branches" not in fact.name:
            continue
        weight = parameters[fact.name.rsplit(".", 1)[0] + ".weight"]
        bound = 1 / math.sqrt(weight.shape[1])
        if fact.name.endswith("sigma.2.weight"):
            bound = 0.01 * fact.bound
        assert max(values.abs().max().item(), fact.absmax) <= bound * 1.0001, fact.name
        assert values.numel() < 64 or values.abs().max() > 0.9 * bound, fact.name


def test_sampling_offsets_start_on_a_ring(facts, head):
    """Head m looks along the m-th of eight rays; point s lies s + 1 cells away on the longer axis, on every level."""
    expected = torch.empty(8, 4, 4, 2)
    for m in range(8):
        angle = 2 * math.pi * m / 8
        ray = torch.tensor([math.cos(angle), math.sin(angle)])
        for s in range(4):
            expected[m, :, s] = ray / ray.abs().max() * (s + 1)
    for layer in head.decoder.layers:
        bias = layer.cross_attention.sampling_offsets.bias
        torch.testing.assert_close(bias.view(8, 4, 4, 2), expected)
    fact = next(f for f in facts if f.name.endswith("sampling_offsets.bias"))
    assert bias.abs().max().item() == pytest.approx(fact.absmax, abs=1e-5) == 4
    assert bias.std().item() == pytest.approx(fact.std, rel=1e-6)


def test_coordinate_branches_of_all_layers_start_alike(head):
    first = head.decoder.branches[0].step.state_dict()
    for branches in head.decoder.branches:
        for branch in (branches.step, branches.correction):
            assert all(torch.equal(value, first[name]) for name, value in branch.state_dict().items())
    shared = {id(p) for b in head.decoder.branches for m in (b.step, b.correction) for p in m.parameters()}
    assert len(shared) == 12 * len(head.decoder.branches), "equal values, separate parameters"
    sigma = [branches.sigma[0].weight for branches in head.decoder.branches]
    assert not torch.equal(sigma[0], sigma[1])
