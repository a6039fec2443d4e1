"""What a model says that it attends to is what it attends to, and asking changes nothing."""

import pytest
import torch

from poseur_lib.errors import UserError
from poseur_lib.models.build import build_model
from tests.models.small import random_features, small_head
from tests.models.test_emsda import eq1_sums
from tests.training.tiny import tiny_config

VARIANTS = [
    {},
    {"share_layers": True, "decoder_layers": 3},
    {"cross_attention": "msda"},
    {"self_attention": False},
    {"initial_points": "learned"},
    {"class_embedding": "content"},
]


def tensors(prediction) -> list[torch.Tensor]:
    stages = [stage for stage in (prediction.coarse, *prediction.layers) if stage is not None]
    return [
        prediction.keypoints,
        prediction.keypoint_scores,
        prediction.sigma,
        *(x for stage in stages for x in (stage.keypoints, stage.sigma)),
    ]


def hooks_of(module) -> int:
    return sum(len(part._forward_pre_hooks) + len(part._forward_hooks) for part in module.modules())


def passes(head):
    """The explanation, and inputs and outputs of both attentions in each pass, as hooks of the test see them."""
    seen = {"self": [], "cross": []}
    for layer in head.decoder.layers:
        for kind in seen:
            module = getattr(layer, f"{kind}_attention")
            if module is not None:
                module.register_forward_hook(lambda m, inputs, output, kind=kind: seen[kind].append((inputs, output)))
    return head.explain(random_features()), seen


@pytest.mark.parametrize("changes", VARIANTS)
@torch.no_grad()
def test_the_prediction_is_that_of_a_normal_forward_bit_by_bit(changes):
    head, features = small_head(**changes), random_features()
    before = head.decode(head(features))
    explained = head.explain(features).prediction
    after = head.decode(head(features))
    for one, two, three in zip(tensors(before), tensors(explained), tensors(after), strict=True):
        assert torch.equal(one, two) and torch.equal(one, three)


@torch.no_grad()
def test_the_whole_model_too():
    model, images = build_model(tiny_config()).eval(), torch.randn(2, 3, 64, 48)
    explanation = model.explain(images)
    for one, two in zip(tensors(model(images)), tensors(explanation.prediction), strict=True):
        assert torch.equal(one, two)
    assert explanation.level_sizes == ((16, 12), (8, 6), (4, 3), (2, 2))


@pytest.mark.parametrize("changes", VARIANTS)
@torch.no_grad()
def test_weights_are_shares_and_layers_sample_around_what_the_one_before_says(changes):
    head = small_head(**changes, output_branch="paper")
    explanation = head.explain(random_features())
    prediction = explanation.prediction
    assert len(explanation.layers) == head.config.decoder_layers
    coarse = prediction.coarse
    first = coarse.keypoints if coarse else head.keypoint_encoder.learned_points().expand(2, -1, -1)
    for layer, start in zip(explanation.layers, (first, *(x.keypoints for x in prediction.layers)), strict=False):
        assert torch.equal(layer.reference_points, start)
        assert layer.sampling_locations.shape == (2, 5, 4, 4, 2, 2)
        torch.testing.assert_close(layer.attention_weights.sum(dim=(-1, -2)), torch.ones(2, 5, 4))
        if head.config.self_attention:
            assert layer.self_attention.shape == (2, 4, 5, 5)
            torch.testing.assert_close(layer.self_attention.sum(dim=-1), torch.ones(2, 4, 5))
        else:
            assert layer.self_attention is None


@torch.no_grad()
def test_self_attention_of_the_values_is_the_layers_output():
    head = small_head(share_layers=True, decoder_layers=3)
    explanation, seen = passes(head)
    attention = head.decoder.layers[0].self_attention
    for layer, ((content, _), output) in zip(explanation.layers, seen["self"], strict=True):
        value = attention.in_proj(content[:, 0])[..., 64:].unflatten(2, (4, 8))  # heads of 8 channels
        mixed = torch.einsum("nmqk,nkmd->nqmd", layer.self_attention, value).flatten(2)
        torch.testing.assert_close(attention.out_proj(mixed), output[:, 0], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_samples_and_weights_give_the_layers_output_by_grid_sample():
    head = small_head()
    explanation, seen = passes(head)
    for module, layer, (inputs, output) in zip(head.decoder.layers, explanation.layers, seen["cross"], strict=True):
        memory, emsda = inputs[2], module.cross_attention
        sums = eq1_sums(memory.values, explanation.level_sizes, layer.sampling_locations, layer.attention_weights)
        projection = emsda.value_proj_weight.unflatten(0, (4, -1))
        heads = torch.einsum("nqmc,mcd->nqmd", sums, projection) + emsda.value_proj_bias
        torch.testing.assert_close(emsda.output_proj(heads.flatten(2)), output, atol=1e-5, rtol=1e-5)


def test_nothing_is_left_behind_also_after_an_error():
    head = small_head()
    head.explain(random_features())
    assert hooks_of(head) == 0
    head.decoder.branches[1].sigma[2] = torch.nn.Linear(7, 2)  # fails in the second pass
    with pytest.raises(RuntimeError):
        head.explain(random_features())
    assert hooks_of(head) == 0


@pytest.mark.parametrize("kind", ["heatmap", "integral", "regression", "prtr"])
def test_a_head_without_queries_says_so(kind):
    model = build_model(tiny_config(**{"model.head": {"kind": kind}})).eval()
    with pytest.raises(UserError, match=f"{type(model.head).__name__} has no keypoint queries to explain"):
        model.explain(torch.randn(1, 3, 64, 48))
