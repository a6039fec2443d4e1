"""Shifted proposals: none is exactly none, directions do not depend on the model, the mirror image's are mirrored."""

import numpy as np
import pytest
import torch

from poseur_lib.config import ExperimentConfig
from poseur_lib.data.dataset import PoseBatch
from poseur_lib.models.build import build_model
from poseur_study.measurements.proposal_robustness import ShiftedModel, random_directions, stage_distances
from tests.training.tiny import TINY


def small_model(seed=0, **changes):
    torch.manual_seed(seed)
    return build_model(ExperimentConfig().with_changes(**{**TINY, **changes})).eval()


@pytest.fixture
def images():
    return torch.randn(3, 3, 64, 48, generator=torch.Generator().manual_seed(5))


def tensors(prediction):
    layers = [one for layer in (prediction.coarse, *prediction.layers) for one in (layer.keypoints, layer.sigma)]
    return [prediction.keypoints, prediction.keypoint_scores, prediction.sigma, *layers]


@torch.no_grad()
def test_a_shift_of_length_0_gives_the_model_s_own_predictions_bit_by_bit(images):
    model = small_model()
    still = ShiftedModel(model, 0.0, seed=0)
    for predict, own in ((still, model), (still.predict_flipped, model.predict_flipped)):
        assert all(torch.equal(a, b) for a, b in zip(tensors(predict(images)), tensors(own(images)), strict=True))


def shifts_given_to(model, monkeypatch, run):
    """What the head was told to move the starting points by, pass by pass."""
    given, stages = [], model.head.forward_stages

    def recorded(features, shift):
        given.append(shift)
        return stages(features, shift=shift)

    monkeypatch.setattr(model.head, "forward_stages", recorded)
    with torch.no_grad():
        run(ShiftedModel(model, 0.3, seed=7))
    return given


def test_every_keypoint_moves_by_the_length_and_alike_in_every_model(images, monkeypatch):
    (one,), (other,) = (shifts_given_to(small_model(seed), monkeypatch, lambda m: m(images)) for seed in (0, 1))
    assert torch.equal(one, other)
    torch.testing.assert_close(one.norm(dim=-1), torch.full((3, 17), 0.3))
    assert len(torch.unique(one.reshape(-1, 2), dim=0)) == 3 * 17


def test_the_mirror_image_s_proposals_move_to_the_same_place(images, monkeypatch):
    model = small_model()
    plain, mirrored = shifts_given_to(model, monkeypatch, lambda shifted: shifted.predict_flipped(images))
    for left, right in enumerate(model.flip_index):
        torch.testing.assert_close(mirrored[:, left], plain[:, right] * torch.tensor([-1.0, 1.0]))


@torch.no_grad()
def test_the_proposal_itself_stays_and_what_starts_beside_it_does_not(images):
    model = small_model()
    features = model.backbone(images)
    coarse, layers = model.head.forward_stages(features)
    moved_coarse, moved = model.head.forward_stages(features, shift=torch.full((3, 17, 2), 0.3))
    assert torch.equal(coarse.keypoints, moved_coarse.keypoints)
    assert not torch.allclose(layers[0].keypoints, moved[0].keypoints)


def test_directions_are_uniform_over_the_circle():
    directions = random_directions(4000, 17, torch.Generator().manual_seed(0))
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(4000, 17))
    angle = torch.atan2(directions[..., 1], directions[..., 0]).flatten()
    counts = torch.histc(angle, bins=8, min=-np.pi, max=np.pi)
    assert (counts / counts.sum() - 1 / 8).abs().max() < 0.005


def test_the_error_of_moved_proposals_is_that_of_the_moved_points():
    """E |e + s u|^2 = |e|^2 + s^2 for a direction u of its own for every keypoint."""
    model, count = small_model(), 400
    images = torch.randn(1, 3, 64, 48).expand(count, -1, -1, -1)
    batch = PoseBatch(
        images=images, keypoints=torch.rand(count, 17, 2), visibility=torch.full((count, 17), 2),
        inside=torch.rand(count, 17) > 0.5, position=torch.arange(count), center=torch.zeros(count, 2),
        box_scale=torch.ones(count, 2),
    )  # fmt: skip
    distances, inside = stage_distances(model, [batch], (0.0, 0.3), torch.device("cpu"))
    assert distances.shape == (2, 3, count, 17) and (inside == batch.inside.numpy()).all()
    own, moved = (distances[:, 0] ** 2).mean(axis=(1, 2))
    assert moved == pytest.approx(own + 0.3**2, rel=0.03)
