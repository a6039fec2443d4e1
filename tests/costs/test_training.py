"""What plans are made of: the forward half of a training step."""

import pytest

from poseur_lib.costs import cost
from poseur_lib.costs.training import training_multiply_adds
from tests.costs.models import small


def test_every_noisy_group_costs_another_pass_through_the_decoder():
    config = small(noise={"kind": "released", "groups": 5})
    at_inference = cost(config)
    of_queries = sum(at_inference.part(name).multiply_adds for name in ("decoder", "branches", "keypoint encoder"))
    every, backbone = training_multiply_adds(config)
    assert every == at_inference.multiply_adds + 5 * of_queries
    assert backbone == at_inference.part("backbone").multiply_adds


@pytest.mark.parametrize("head", [{"noise": {"kind": "none"}}, {"cross_attention": "msda", "noise": {"kind": "none"}}])
def test_without_noise_training_costs_what_inference_does(head):
    config = small(**head)
    assert training_multiply_adds(config)[0] == cost(config).multiply_adds


def test_other_heads_cost_what_they_do_at_inference():
    config = small().with_changes(**{"model.head": {"kind": "heatmap"}})
    assert training_multiply_adds(config)[0] == cost(config).multiply_adds
