"""The one-euro filter against closed forms."""

import math
from dataclasses import replace

import numpy as np
import pytest

from poseur_lib.keypoints import COCO_17
from poseur_lib.predict.people import PersonPose
from poseur_lib.predict.predictor import ImagePoses
from poseur_lib.predict.smoothing import LEAST_CUTOFF, OneEuro, Smoother, share

RATE, SIZE = 30.0, 100.0


def point(x: float, y: float = 0.0) -> np.ndarray:
    return np.array([[x, y]], np.float32)


def test_without_slope_a_step_is_approached_exponentially():
    """x_n = 1 - (1 - a)^n after a step from 0 to 1."""
    keep, a = OneEuro(RATE, slope=0.0), 1 / (1 + RATE / (2 * math.pi * LEAST_CUTOFF))
    assert not keep(point(0), SIZE).any()
    found = [keep(point(1), SIZE)[0, 0] for _ in range(20)]
    assert found == pytest.approx([1 - (1 - a) ** n for n in range(1, 21)], rel=1e-6)


def test_a_resting_keypoint_stays_and_the_first_frame_is_as_it_is():
    keep = OneEuro(RATE)
    assert all(np.array_equal(keep(point(7.5, 3), SIZE), point(7.5, 3)) for _ in range(5))


@pytest.mark.parametrize("velocity", [10.0, 60.0])
def test_a_steady_movement_lags_by_what_its_cutoff_says(velocity):
    """In the steady state the lag l solves v = a(least + slope (l + v) rate / size) (l + v), v in pixels a frame."""
    keep, step = OneEuro(RATE, slope=2.0), velocity / RATE
    for frame in range(2000):
        lag = frame * step - keep(point(frame * step), SIZE)[0, 0]
    away = lag + step
    a = float(share(np.array(LEAST_CUTOFF + 2.0 * away * RATE / SIZE), RATE))
    assert a * away == pytest.approx(step, rel=1e-2)
    still = OneEuro(RATE, slope=0.0)
    for frame in range(2000):
        without = frame * step - still(point(frame * step), SIZE)[0, 0]
    assert lag < 0.9 * without


def test_both_axes_are_filtered_alike_and_size_is_the_unit():
    diagonal, level, large = OneEuro(RATE), OneEuro(RATE), OneEuro(RATE)
    for frame in range(10):
        x = 3.0 * frame
        slanted = diagonal(point(x * math.sqrt(0.5), x * math.sqrt(0.5)), SIZE)
        straight = level(point(x), SIZE)
        assert np.hypot(*slanted[0]) == pytest.approx(straight[0, 0], abs=1e-3)
        assert large(point(4 * x), 4 * SIZE)[0, 0] == pytest.approx(4 * straight[0, 0], abs=1e-2)


def test_jitter_becomes_less():
    rng, keep = np.random.default_rng(0), OneEuro(RATE)
    noisy = [point(50 + error) for error in rng.normal(0, 1, 300)]
    smooth = np.array([keep(one, SIZE)[0, 0] for one in noisy[:]])[50:]
    assert smooth.std() < 0.5


def person(x: float, score: float = 1.0) -> PersonPose:
    return PersonPose(np.full((17, 2), x, np.float32), np.ones(17, np.float32), score, (x, 0.0, 10.0, 20.0))


def frame(*people: PersonPose) -> ImagePoses:
    return ImagePoses(np.zeros((20, 200, 3), np.uint8), people, COCO_17)


def test_people_keep_their_own_filter_whatever_their_order():
    """Two people who rest, found in another order in every frame, stay where they are; a new one begins anew."""
    smoother = Smoother(RATE)
    first, second = person(10, 0.9), person(100, 0.5)
    smoother(frame(first, second))
    for people in ((second, first), (first, second), (replace(second, score=2.0), first)):
        found = smoother(frame(*people)).people
        assert [one.keypoints_image[0, 0] for one in found] == [one.box[0] for one in people]
    assert smoother(frame(person(55))).people[0].keypoints_image[0, 0] == 55
    moved = smoother(frame(replace(person(57), box=(56.0, 0.0, 10.0, 20.0)))).people[0].keypoints_image[0, 0]
    assert 55 < moved < 57


@pytest.mark.parametrize(("step", "same"), [(5.0, True), (6.0, False), (10.0, False)])
def test_boxes_of_an_iou_of_a_third_are_one_person_s_and_of_a_quarter_are_not(step, same):
    smoother = Smoother(RATE)
    smoother(frame(person(10)))
    found = smoother(frame(person(10 + step))).people[0].keypoints_image[0, 0]
    assert (found != 10 + step) == same
