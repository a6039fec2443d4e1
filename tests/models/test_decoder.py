"""What may and what may not act on what in the decoder."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poseur_lib.models.poseur.decoder import inverse_sigmoid
from poseur_lib.models.poseur.queries import Queries
from tests.models.small import random_features, random_targets, small_head


def decoded(head, points, features):
    memory = head.memory_embedding(head.neck(features))
    return head.decoder(head.keypoint_encoder(points), points, memory)


def by_group(layers, groups):
    return [(x.keypoints.unflatten(0, (-1, groups)), x.sigma.unflatten(0, (-1, groups))) for x in layers]


@torch.no_grad()
def test_a_query_group_does_not_see_the_others():
    head, features = small_head(), random_features()
    points = torch.rand(2, 3, 5, 2)
    disturbed = points.clone()
    disturbed[:, 1] = torch.rand(2, 5, 2) * 4 - 2
    for (a, sigma_a), (b, sigma_b), alone in zip(
        by_group(decoded(head, points, features), 3),
        by_group(decoded(head, disturbed, features), 3),
        decoded(head, points[:, :1], features),
        strict=True,
    ):
        torch.testing.assert_close(a[:, [0, 2]], b[:, [0, 2]], atol=1e-6, rtol=0)
        torch.testing.assert_close(sigma_a[:, [0, 2]], sigma_b[:, [0, 2]], atol=1e-6, rtol=0)
        torch.testing.assert_close(a[:, 0], alone.keypoints, atol=1e-6, rtol=0)
        assert (a[:, 1] - b[:, 1]).abs().max() > 1e-3


@pytest.mark.parametrize("class_embedding", ["positional", "content"])
@torch.no_grad()
def test_permuted_queries_give_permuted_poses(class_embedding):
    head, features = small_head(class_embedding=class_embedding), random_features()
    memory = head.memory_embedding(head.neck(features))
    points, order = torch.rand(2, 2, 5, 2), torch.tensor([3, 0, 4, 1, 2])
    queries = head.keypoint_encoder(points)
    embedding = None if queries.class_embedding is None else queries.class_embedding[order]
    permuted = Queries(queries.content[:, :, order], embedding)
    straight = head.decoder(queries, points, memory)
    for ours, theirs in zip(head.decoder(permuted, points[:, :, order], memory), straight, strict=True):
        torch.testing.assert_close(ours.keypoints, theirs.keypoints[:, order], atol=1e-6, rtol=0)
        torch.testing.assert_close(ours.sigma, theirs.sigma[:, order], atol=1e-6, rtol=0)


@pytest.mark.parametrize("self_attention", [True, False])
@torch.no_grad()
def test_keypoints_act_on_each_other_through_self_attention_only(self_attention):
    head, features = small_head(self_attention=self_attention), random_features()
    points = torch.rand(2, 1, 5, 2)
    moved = points.clone()
    moved[:, :, 2] = torch.rand(2, 1, 2)
    change = decoded(head, points, features)[-1].keypoints - decoded(head, moved, features)[-1].keypoints
    others = change[:, [0, 1, 3, 4]].abs().max()
    assert change[:, 2].abs().max() > 1e-3
    assert others > 1e-5 if self_attention else others < 1e-6


def test_gradient_reaches_earlier_layers_through_the_references_but_not_the_coarse_stage():
    head = small_head()
    _, layers = head.forward_stages(random_features())
    layers[-1].keypoints.sum().backward()
    assert head.decoder.branches[0].step[0].weight.grad.abs().max() > 0
    assert head.decoder.branches[0].correction[0].weight.grad is None
    assert all(parameter.grad is None for parameter in head.coarse_stage.parameters())


def test_every_parameter_is_trained_by_the_total_loss():
    head = small_head().train()
    head.loss(random_features(), random_targets()).total.backward()
    untouched = [name for name, p in head.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not untouched


def test_a_network_that_holds_nan_loses_nan():
    """So that the loss, which is watched, tells of it; an index error in the sampler would hide the cause."""
    head = small_head()
    with torch.no_grad():
        head.coarse_stage.coordinates.weight[0, 0] = torch.nan
    assert head.loss(random_features(), random_targets()).total.isnan()


@given(st.floats(1e-4, 1 - 1e-4))
def test_inverse_sigmoid_round_trip(x):
    assert inverse_sigmoid(torch.tensor(x)).sigmoid().item() == pytest.approx(x, abs=1e-6)


def test_inverse_sigmoid_is_bounded():
    ends = inverse_sigmoid(torch.tensor([-3.0, 0.0, 1.0, 7.0]))
    bound = math.log(1e5)
    torch.testing.assert_close(ends, torch.tensor([-bound, -bound, bound, bound]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("num_keypoints", [1, 16, 133])
def test_any_number_of_keypoints(num_keypoints):
    head = small_head(num_keypoints).train()
    pose = head(random_features())
    assert pose.keypoints.shape == (2, num_keypoints, 2) and pose.keypoint_scores.shape == (2, num_keypoints)
    loss = head.loss(random_features(), random_targets(2, num_keypoints))
    assert loss.total.isfinite() and list(loss.terms) == ["coarse", "layer_0", "layer_1"]
