"""Calibration against samples whose scale is known, and resampling against images that are really repeated."""

from pathlib import Path

import numpy as np
import pytest

from poseur_lib.data.coco import Person
from poseur_lib.data.crop import CropRule
from poseur_lib.evaluation.calibration import (
    binned,
    calibration_error,
    equal_mass_edges,
    error_factor,
    keypoint_errors,
    label_offsets,
    means,
    skill,
)
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.keypoints import KeypointSet

IMAGES = 300
TWO = KeypointSet("two", ("left", "right"), ((0, 1),), (0.05, 0.1), ((0, 1),), (0,), (1,))


@pytest.fixture(scope="module")
def laplace():
    """True scales of 200,000 keypoints on two axes, errors drawn from them, and the image of each."""
    rng = np.random.default_rng(0)
    scale = np.exp(rng.uniform(np.log(0.01), np.log(0.3), (200_000, 2)))
    return scale, np.abs(rng.laplace(0, scale)), rng.integers(0, IMAGES, len(scale))


def once(images=IMAGES):
    return np.ones((1, images))


def scale_bins(predicted, error, image):
    return binned(predicted, error, image, IMAGES, equal_mass_edges([predicted], 10))


def test_a_laplace_sample_of_known_scale_lies_on_the_line(laplace):
    scale, error, image = laplace
    bins = scale_bins(scale[:, 0], error[:, 0], image)
    predicted, observed = means(bins, once())
    assert predicted.shape == (1, 10)
    np.testing.assert_allclose(observed, predicted, rtol=0.03)
    np.testing.assert_allclose(bins.number.sum(axis=0), 20_000, atol=1)
    assert error_factor(bins, once())[0] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("times", [2.0, 0.25])
def test_a_scale_that_is_wrong_by_a_factor_is_found_out(laplace, times):
    scale, error, image = laplace
    assert error_factor(scale_bins(times * scale[:, 0], error[:, 0], image), once())[0] == pytest.approx(
        1 / times, rel=0.01
    )


@pytest.mark.parametrize("radius", [0.2, 0.05, 0.02])
def test_eq_8_of_the_true_scale_is_calibrated_and_of_another_is_not(laplace, radius):
    scale, error, image = laplace
    within = (error.max(axis=1) <= radius) * 1.0

    def ece(b):
        score = (1 - np.exp(-radius / b)).prod(axis=1)
        return calibration_error(binned(score, within, image, IMAGES, equal_mass_edges([score], 10)), once())[0]

    assert ece(scale) < 0.006
    assert ece(2 * scale) > 0.05 and ece(scale / 2) > 0.05


def test_the_error_of_a_constant_score_is_its_distance_from_the_share():
    within = np.array([1.0, 1, 1, 0])
    bins = binned(np.full(4, 0.5), within, np.arange(4), 4, equal_mass_edges([np.full(4, 0.5)], 10))
    assert calibration_error(bins, once(4))[0] == pytest.approx(0.25)


def test_brier_s_skill_over_a_constant_has_a_closed_form():
    """A score s or 1 - s that comes true as it says, against a half: s (1 - s) for the one, 1/4 for the other."""
    said, came = np.repeat([0.9, 0.1], 10), np.array([1] * 9 + [0] + [1] + [0] * 9)
    own, half = (said - came) ** 2, (0.5 - came) ** 2
    image, edges = np.arange(20) % 4, equal_mass_edges([own], 10)

    def over(predicted):
        return skill(binned(predicted, half, image, 4, edges), once(4))[0]

    assert over(own) == pytest.approx(1 - 0.9 * 0.1 / 0.25)
    assert over(half) == pytest.approx(0) and over(0 * own) == 1 and over(2 * half) == pytest.approx(-1)
    assert np.isnan(skill(binned(own, 0 * own, image, 4, edges), once(4))[0])
    twice = np.array([[2.0, 0, 0, 0]])
    expected = 1 - own[image == 0].mean() / half[image == 0].mean()
    assert skill(binned(own, half, image, 4, edges), twice)[0] == pytest.approx(expected)


def test_weights_are_images_that_are_there_several_times(laplace):
    scale, error, image = (values[:3000] for values in laplace)
    counts = np.random.default_rng(1).integers(0, 3, IMAGES)
    edges = equal_mass_edges([scale[:, 0]], 5)
    weighted = binned(scale[:, 0], error[:, 0], image, IMAGES, edges)
    copies = np.repeat(np.arange(len(image)), counts[image])
    repeated = binned(scale[copies, 0], error[copies, 0], image[copies], IMAGES, edges)
    weights = counts[None].astype(float)
    for a, b in zip(means(weighted, weights), means(repeated, once()), strict=True):
        np.testing.assert_allclose(a, b)
    for measure in (error_factor, calibration_error):
        np.testing.assert_allclose(measure(weighted, weights), measure(repeated, once()))


def test_errors_are_fractions_of_the_crop_of_labelled_keypoints_inside_it():
    side = np.array([100.0, 200.0])
    center = np.array([150.0, 300.0])
    truth = np.array([[[0.5, 0.5], [0.25, 0.75]], [[0.1, 0.9], [0.99, 0.5]]])
    offset = np.array([[[0.1, -0.05], [0.0, 0.2]], [[0.3, 0.0], [0.0, 0.0]]])
    people = [
        Person(image, Path("no.jpg"), (100, 200, 100, 200), annotation_id=image, area=400.0,
               keypoints_image=(points * side + center - side / 2).astype(np.float32), visibility=np.array(visible))
        for image, points, visible in zip((7, 9), truth, ([2, 0], [1, 2]), strict=True)
    ]  # fmt: skip
    predictions = PredictedPeople(
        image_id=np.array([7, 9]), bbox_scores=np.ones(2, np.float32), center=np.stack([center, center]).astype("f4"),
        box_scale=np.stack([side, side]).astype("f4") / 200, keypoints=(truth + offset).astype("f4"), sigma=None,
        keypoint_scores=np.ones((2, 2), np.float32), input_size=(64, 32),
    )  # fmt: skip
    errors = keypoint_errors(predictions, people, TWO, [5, 7, 9])
    assert errors.chosen.tolist() == [[True, False], [True, False]]  # not labelled; beyond the last of 32 columns
    assert errors.image.tolist() == [1, 2]
    unbiased = label_offsets(predictions, people, CropRule(unbiased=True))[1]
    assert unbiased.tolist() == [[True, False], [True, True]]  # there the last column lies at 1
    np.testing.assert_allclose(errors.error, [[0.1, 0.05], [0.3, 0.0]], atol=1e-5)
    np.testing.assert_allclose(errors.larger, [0.1, 0.3], atol=1e-5)
    distance = (10.0**2 + 10.0**2, 30.0**2)  # 0.1 of 100 and 0.05 of 200 pixels; 0.3 of 100
    np.testing.assert_allclose(errors.similarity, [np.exp(-d / (2 * 400 * 0.1**2)) for d in distance], rtol=1e-3)
