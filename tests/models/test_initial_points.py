"""Learned initial reference points, the baseline of Table 1a."""

import pytest
import torch

from poseur_lib.config import NoNoise, ReleasedNoise
from poseur_lib.training.optimiser import parameter_groups
from tests.models.small import random_features, random_targets, small_head
from tests.training.tiny import tiny_config


@pytest.fixture
def head():
    return small_head(initial_points="learned")


@torch.no_grad()
def test_every_image_starts_at_the_same_points(head):
    """The decoder, given sigmoid(W e + b) of each class embedding e and the learned content, by hand."""
    encoder = head.keypoint_encoder
    points = (encoder.class_embedding @ encoder.reference_points.weight.T + encoder.reference_points.bias).sigmoid()
    memory = head.memory_embedding(head.neck(random_features()))
    starts = points.expand(2, 1, -1, -1)
    queries = encoder(starts)
    assert torch.equal(queries.content[0], queries.content[1]) and queries.class_embedding is encoder.class_embedding
    expected = head.decoder(queries, starts, memory)[-1]
    pose = head(random_features())
    torch.testing.assert_close(pose.keypoints, expected.keypoints)
    assert (pose.keypoints[0] - pose.keypoints[1]).abs().max() > 1e-3, "what the image shows still decides"


def test_there_is_no_coarse_stage(head):
    assert head(random_features()).coarse is None
    assert not [name for name in head.state_dict() if "coarse" in name or "location" in name]
    losses = head.loss(random_features(), random_targets())
    assert list(losses.terms) == ["layer_0", "layer_1"]
    torch.testing.assert_close(losses.total, sum(losses.terms.values()))


@pytest.mark.parametrize("noise", [NoNoise(), ReleasedNoise()])
def test_the_loss_trains_the_points(noise):
    head = small_head(initial_points="learned", noise=noise)
    head.loss(random_features(), random_targets()).total.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


def test_points_start_all_over_the_crop():
    """N(0, 1) embeddings and a xavier layer, as Deformable DETR has them: logits of deviation near sqrt(2)."""
    points = small_head(500, initial_points="learned").keypoint_encoder.learned_points()
    assert points.min() < 0.1 and points.max() > 0.9
    assert points.logit().std().item() == pytest.approx(2**0.5, rel=0.35)


def test_the_projection_of_learned_points_is_slow(head):
    """Sec. 4.1 multiplies the learning rate of both projections, of sampling offsets and of reference points."""
    _, slow = parameter_groups(head, head.slow_parameters(), tiny_config().train)
    ids = {id(p) for p in slow["params"]}
    names = {name for name, p in head.named_parameters() if id(p) in ids}
    assert {name.split(".")[-2] for name in names} == {"sampling_offsets", "reference_points"}
    assert len(names) == 2 * len(head.decoder.layers) + 2
