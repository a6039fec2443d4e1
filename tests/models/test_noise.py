"""Noisy reference points: the released scheme against recorded facts, the paper's words, and nothing at inference."""

import json

import pytest
import torch

from poseur_lib.config import NoNoise, PaperNoise, ReleasedNoise
from poseur_lib.models.poseur.queries import move_points, starting_points
from tests.models.small import random_features, small_head

DRAWS = 400


@pytest.fixture(scope="module")
def facts(shared):
    return json.loads((shared / "reference" / "noise_facts.json").read_text())


@pytest.fixture(scope="module")
def draws():
    """Noisy groups of many steps around one point in the middle: [steps, batch, groups x keypoints, 2]."""
    torch.manual_seed(0)
    proposal = torch.full((3, 17, 2), 0.5)
    points = torch.stack([starting_points(ReleasedNoise(), proposal) for _ in range(DRAWS)])
    assert torch.equal(points[:, :, 0], proposal.expand(DRAWS, -1, -1, -1)), "group 0 is clean"
    return points[:, :, 1:].flatten(2, 3)


def test_released_scheme_against_its_facts(draws, facts):
    moved = (draws != 0.5).all(dim=-1)
    assert draws.shape[2] == facts["of"] == 51
    assert (moved.sum(dim=2) == facts["perturbed_per_sample"]).all()
    assert facts["same_indices_across_batch"] and torch.equal(moved, moved[:, :1].expand_as(moved))
    assert torch.equal((draws != 0.5).any(dim=-1), moved), "both coordinates of a moved point move"
    assert any(not torch.equal(moved[0], other) for other in moved[1:]), "indices are drawn anew each step"
    groups = moved[:, 0].view(DRAWS, facts["num_noise_sample"], 17).sum(dim=2)
    assert groups.min() <= 1 and groups.max() >= facts["per_group_max"] - 1, "the 12 fall on the groups as they like"
    assert moved[:, 0].any(dim=0).all(), "every point is moved at some time"


def test_released_offsets(draws, facts):
    offset = (draws - 0.5)[draws != 0.5]
    assert offset.std().item() == pytest.approx(facts["empirical_std"], abs=0.01)
    assert offset.mean().abs() < 0.01
    assert (offset.min().item(), offset.max().item()) == tuple(facts["noise_clip"])
    instances = (draws - 0.5)[0].flatten(1)
    assert not torch.equal(instances[0], instances[1]), "each instance has its own offsets"


def test_only_moved_points_are_clipped_to_the_bounds(facts):
    noise = ReleasedNoise()
    points = torch.tensor([[[5.0, -5.0], [5.0, -5.0], [1.5, -0.5]]])
    offset = torch.tensor([[[0.1, 0.1], [0.1, 0.1], [9.0, -9.0]]])
    ours = move_points(points, offset, torch.tensor([True, False, True]), noise)
    low, high = facts["point_clip"]
    torch.testing.assert_close(ours, torch.tensor([[[high, low], [5.0, -5.0], [high, low]]]))
    assert noise.bounds == (low, high) and [-noise.clip, noise.clip] == facts["noise_clip"]
    inner = move_points(torch.zeros(1, 1, 2), torch.tensor([[[3.0, -0.3]]]), torch.tensor([True]), noise)
    torch.testing.assert_close(inner, torch.tensor([[[1.0, -0.3]]]))


def test_paper_scheme_draws_all_points_anew_inside_the_crop():
    torch.manual_seed(0)
    proposal = torch.full((200, 17, 2), 3.0)
    points = starting_points(PaperNoise(groups=2), proposal)
    assert points.shape == (200, 3, 17, 2)
    assert torch.equal(points[:, 0], proposal)
    random = points[:, 1:]
    assert random.min() >= 0 and random.max() <= 1
    deciles = torch.histc(random, 10, 0, 1) / random.numel()
    torch.testing.assert_close(deciles, torch.full((10,), 0.1), atol=0.01, rtol=0)


def test_without_noise_there_is_one_clean_group():
    proposal = torch.randn(2, 5, 2)
    assert torch.equal(starting_points(NoNoise(), proposal), proposal[:, None])


def test_an_unknown_noise_is_an_error():
    with pytest.raises(TypeError):
        starting_points("released", torch.randn(2, 5, 2))


@pytest.mark.parametrize("noise", [ReleasedNoise(), PaperNoise()])
@torch.no_grad()
def test_no_noise_at_inference(noise):
    """One row per image, whatever the state of the random numbers; training has all groups."""
    head, features = small_head(noise=noise), random_features()
    first, second = head(features), head(features)
    assert len(first.keypoints) == 2 and torch.equal(first.keypoints, second.keypoints)
    _, layers = head.forward_stages(features, noisy=True)
    noisy = layers[-1].keypoints.unflatten(0, (2, -1))
    assert noisy.shape[1] == 1 + noise.groups
    torch.testing.assert_close(noisy[:, 0], first.keypoints, atol=1e-6, rtol=0)
    assert (noisy[:, 1:] - first.keypoints[:, None]).abs().max() > 1e-3


def test_inference_makes_no_configuration(monkeypatch):
    """torch.compile breaks its graph where one is made."""
    monkeypatch.setattr("poseur_lib.models.poseur.head.NoNoise", None)
    assert small_head()(random_features()).keypoints.shape == (2, 5, 2)
