"""Keypoint scores, instance scores, and the fusion of mirrored predictions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import minimize_scalar

from poseur_lib.config import PoseurConfig
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.poseur.head import keypoint_scores
from poseur_lib.poses import StagePrediction
from poseur_lib.scoring.flip import fuse, unflip
from poseur_lib.scoring.instance import instance_scores
from poseur_lib.scoring.uncertainty import laplace_factor, laplace_scores, rle_scores
from tests.models.small import random_features, small_head

SIGMA = st.floats(0.01, 1.0)


@given(SIGMA, SIGMA, st.floats(0.02, 0.6))
def test_laplace_score_is_the_integral_of_eq_7_over_a_square(sigma_x, sigma_y, radius):
    axis = torch.linspace(-radius, radius, 20001, dtype=torch.float64)
    mass = 1.0
    for b in (sigma_x, sigma_y):
        mass *= torch.trapezoid((-axis.abs() / b).exp() / (2 * b), axis).item()
    assert laplace_scores(torch.tensor([sigma_x, sigma_y], dtype=torch.float64), radius).item() == pytest.approx(
        mass, rel=1e-5
    )


def test_scores_fall_with_sigma_on_either_axis_and_stay_in_the_unit_interval():
    sigma = torch.linspace(0.01, 0.99, 50)
    for score in (laplace_scores, rle_scores):
        for pair in ((sigma, torch.full((50,), 0.3)), (torch.full((50,), 0.3), sigma)):
            scores = score(torch.stack(pair, dim=-1))
            assert (scores.diff() < 0).all()
            assert scores.min() >= 0 and scores.max() <= 1


def test_scores_by_hand():
    sigma = torch.tensor([0.1, 0.4])
    expected = (1 - np.exp(-0.2 / 0.1)) * (1 - np.exp(-0.2 / 0.4))
    assert laplace_scores(sigma).item() == pytest.approx(expected, rel=1e-6)
    assert rle_scores(sigma).item() == pytest.approx(0.75)


@pytest.mark.parametrize("radius", [0.0, -0.1])
def test_radius_must_be_positive(radius):
    with pytest.raises(ValueError, match=f"radius {radius} is not positive"):
        laplace_scores(torch.ones(1, 2), radius)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("box", [0.9, 0.5]),
        ("paper", [0.9 * 0.4, 0.5 * 0.15]),
        ("released", [0.9 + 0.4 + 0.8, 0.5 + 0.15 + 0.2]),
        ("classic", [0.9 * (0.8 + 0.3) / 2, 0.0]),
    ],
)
def test_instance_scores_by_hand(rule, expected):
    """The second person has no keypoint score above 0.2: exactly 0.2 does not count."""
    keypoint_scores = np.array([[0.8, 0.1, 0.3], [0.2, 0.1, 0.15]])
    np.testing.assert_allclose(instance_scores(np.array([0.9, 0.5]), keypoint_scores, rule), expected)


def prediction(seed: int) -> StagePrediction:
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.rand(3, 17, 2, generator=generator)
    return StagePrediction(keypoints, torch.rand(3, 17, 2, generator=generator) * 0.8 + 0.1)


def test_unflip_mirrors_x_and_exchanges_left_and_right():
    flip_index = torch.tensor(COCO_17.flip_index)
    flipped = unflip(prediction(0), flip_index)
    left, right = COCO_17.names.index("left_wrist"), COCO_17.names.index("right_wrist")
    x, y = prediction(0).keypoints[1, right]
    torch.testing.assert_close(flipped.keypoints[1, left], torch.stack([1 - x, y]))
    assert torch.equal(flipped.sigma[1, left], prediction(0).sigma[1, right])
    back = unflip(flipped, flip_index)
    torch.testing.assert_close(back.keypoints, prediction(0).keypoints)
    assert torch.equal(back.sigma, prediction(0).sigma)


def by_hand(fusion: str, radius: float, a: tuple, b: tuple) -> tuple[float, float | None]:
    """x of one keypoint, and its score; `a` and `b` are (x, sigma_x, sigma_y)."""
    if fusion == "mean":
        return (a[0] + b[0]) / 2, None
    if fusion == "type1":
        s, t = 1 - (a[1] + a[2]) / 2, 1 - (b[1] + b[2]) / 2
        return (s * a[0] + t * b[0]) / (s + t), (s * t * (1 - abs(s - t))) ** 2
    p, q = (0.7 * (1 - np.exp(-radius / v[1])) * (1 - np.exp(-radius / v[2])) for v in (a, b))
    return (p**5 * a[0] + q**5 * b[0]) / (p**5 + q**5), (p + q) / 2


@pytest.mark.parametrize(("fusion", "radius"), [("mean", 0.2), ("type1", 0.2), ("type2", 0.2), ("type2", 0.05)])
def test_fusions_by_hand(fusion, radius):
    image, mirrored = prediction(1), prediction(2)
    points, scores = fuse(image, mirrored, fusion, radius)
    for axis in (0, 1):
        a, b = ((p.keypoints[2, 4, axis].item(), *p.sigma[2, 4].tolist()) for p in (image, mirrored))
        expected, score = by_hand(fusion, radius, a, b)
        assert points[2, 4, axis].item() == pytest.approx(expected, rel=1e-4)
        assert (scores is None) == (score is None)
        assert score is None or scores[2, 4].item() == pytest.approx(score, rel=1e-5)


@pytest.mark.parametrize("fusion", ["mean", "type1", "type2"])
def test_fusing_is_symmetric_and_leans_to_the_surer_one(fusion):
    image, mirrored = prediction(1), prediction(2)
    torch.testing.assert_close(fuse(image, mirrored, fusion)[0], fuse(mirrored, image, fusion)[0])
    sure = StagePrediction(torch.zeros(1, 1, 2), torch.full((1, 1, 2), 0.05))
    unsure = StagePrediction(torch.ones(1, 1, 2), torch.full((1, 1, 2), 0.9))
    fused = fuse(sure, unsure, fusion)[0]
    assert fused.max() == 0.5 if fusion == "mean" else fused.max() < 0.2


def test_a_head_fuses_with_its_own_radius():
    head, flip_index = small_head(flip_fusion="type2", keypoint_score="laplace", score_radius=0.05), torch.arange(5)
    with torch.no_grad():
        image, mirrored = (head(random_features(seed=seed)) for seed in (1, 3))
        merged = head.merge_flipped(image, mirrored, flip_index)
    points, scores = fuse(image.layers[-1], unflip(mirrored.layers[-1], flip_index), "type2", 0.05)
    assert torch.equal(merged.keypoints, points) and torch.equal(merged.keypoint_scores, scores)


def test_a_head_averages_sigma_and_the_scores_of_both_passes():
    head, flip_index = small_head(keypoint_score="laplace"), torch.tensor([0, 2, 1, 4, 3])
    with torch.no_grad():
        image, mirrored = (head(random_features(seed=seed)) for seed in (1, 3))
        merged = head.merge_flipped(image, mirrored, flip_index)
    sigmas = image.sigma, mirrored.sigma[:, flip_index]
    torch.testing.assert_close(merged.sigma, (sigmas[0] + sigmas[1]) / 2)
    torch.testing.assert_close(merged.keypoint_scores, sum(laplace_scores(sigma) for sigma in sigmas) / 2)
    assert (merged.keypoint_scores - laplace_scores(merged.sigma)).abs().max() > 1e-4, "not Eq. 8 of the mean sigma"


def test_a_calibrated_score_is_eq_8_of_sigma_times_the_factor():
    sigma = 0.05 + 0.4 * torch.rand(4, 5, 2, generator=torch.Generator().manual_seed(0))
    plain, one, half = (
        keypoint_scores(small_head(keypoint_score=score, sigma_factor=factor, score_radius=0.1).config, sigma)
        for score, factor in (("laplace", None), ("calibrated", 1.0), ("calibrated", 0.5))
    )
    assert torch.equal(one, plain) and torch.equal(plain, laplace_scores(sigma, 0.1))
    torch.testing.assert_close(half, laplace_scores(sigma, 0.2))
    assert (half > plain).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"keypoint_score": "calibrated"}, "keypoint_score 'calibrated' with sigma_factor None"),
        ({"keypoint_score": "laplace", "sigma_factor": 0.1}, "keypoint_score 'laplace' with sigma_factor 0.1"),
        ({"keypoint_score": "calibrated", "sigma_factor": 0.0}, "greater than 0"),
        ({"keypoint_score": "calibrated", "sigma_factor": 0.1, "flip_fusion": "type2"}, "flip_fusion 'type2'"),
    ],
)
def test_a_factor_goes_with_the_calibrated_score_alone(changes, says):
    with pytest.raises(ValidationError, match=says):
        PoseurConfig().with_changes(**changes)


@given(st.floats(0.02, 3.0), st.integers(0, 2**32 - 1))
def test_the_laplace_factor_is_what_the_errors_were_drawn_with(factor, seed):
    rng = np.random.default_rng(seed)
    sigma = np.exp(rng.uniform(-3, 0, (4000, 2)))
    error = np.abs(rng.laplace(0, factor * sigma))
    assert laplace_factor(error, sigma) == pytest.approx(factor, rel=0.06)
    assert laplace_factor(2 * error, sigma) == pytest.approx(2 * laplace_factor(error, sigma))


def test_the_laplace_factor_maximises_the_likelihood():
    rng = np.random.default_rng(0)
    sigma = np.exp(rng.uniform(-3, 0, (50, 2)))
    error = rng.exponential(0.1, (50, 2))

    def loss(s):
        return (np.log(2 * s * sigma) + error / (s * sigma)).sum()

    best = minimize_scalar(loss, bounds=(1e-3, 50), method="bounded", options={"xatol": 1e-10}).x
    assert laplace_factor(error, sigma) == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("error", [np.zeros((3, 2)), np.zeros((0, 2))])
def test_errors_that_fit_no_factor_are_named(error):
    with pytest.raises(ValueError, match=rf"Laplace factor of {len(error)} keypoints is 0.0"):
        laplace_factor(error, np.ones_like(error))
