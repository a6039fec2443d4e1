"""Overlays: whose colours, how sure, how wide; nothing outside the image does harm."""

from dataclasses import replace

import numpy as np
import pytest

from poseur_lib.keypoints import COCO_17, COCO_WHOLEBODY_133, KEYPOINT_SETS, MPII_16
from poseur_lib.predict.drawing import (
    FAINT,
    LEFT,
    MIDDLE,
    RIGHT,
    Pen,
    draw_people,
    keypoint_colour,
    limb_colour,
    opacities,
)
from poseur_lib.predict.people import PersonPose

GREY = np.full((200, 160, 3), 110, np.uint8)


def person(scores: float | np.ndarray = 1.0, keypoints: int = 17, seed: int = 0) -> PersonPose:
    points = np.random.default_rng(seed).uniform((30, 30), (130, 170), (keypoints, 2)).astype(np.float32)
    scores = np.broadcast_to(np.float32(scores), keypoints).copy()
    return PersonPose(points, scores, 0.87, (20.0, 20.0, 120.0, 160.0))


def at(image: np.ndarray, point: np.ndarray) -> tuple[int, ...]:
    x, y = point.round().astype(int)
    return tuple(int(value) for value in image[y, x])


@pytest.mark.parametrize("keypoint_set", KEYPOINT_SETS, ids=lambda one: one.name)
def test_sides_have_their_colours(keypoint_set):
    for index, name in enumerate(keypoint_set.names):
        for side, colour in (("left_", LEFT), ("right_", RIGHT)):
            if name.startswith(side):
                assert keypoint_colour(keypoint_set, index) == colour
    assert keypoint_colour(COCO_17, 0) == keypoint_colour(MPII_16, 6) == MIDDLE
    jaw = COCO_WHOLEBODY_133.names.index("face_0")  # landmarks run from the person's right ear to the left one
    assert keypoint_colour(COCO_WHOLEBODY_133, jaw) == RIGHT


def test_limbs_of_a_side_across_and_from_the_middle():
    assert limb_colour(COCO_17, 5, 7) == LEFT and limb_colour(COCO_17, 6, 8) == RIGHT
    assert limb_colour(COCO_17, 5, 6) == MIDDLE
    assert limb_colour(COCO_17, 0, 1) == LEFT and limb_colour(MPII_16, 6, 7) == MIDDLE


def test_the_image_given_stays_as_it_is_and_nobody_changes_nothing():
    before = GREY.copy()
    assert np.array_equal(draw_people(GREY, [], COCO_17), GREY)
    assert not np.array_equal(draw_people(GREY, [person()], COCO_17), GREY)
    assert np.array_equal(GREY, before)


def test_a_sure_keypoint_is_filled_and_an_unsure_one_empty():
    some = replace(person(), keypoints_image=np.float32([[20 + 7 * k, 100] for k in range(17)]))
    single = replace(COCO_17, skeleton=())
    sure = draw_people(GREY, [some], single)
    assert at(sure, some.keypoints_image[5]) == LEFT and at(sure, some.keypoints_image[6]) == RIGHT
    faint = np.full(17, 0.9, np.float32)
    faint[5] = 0.4
    points = some.keypoints_image * 10
    large = replace(some, keypoints_image=points, keypoint_scores=faint, box=(0.0, 0.0, 1500.0, 1900.0))
    canvas = draw_people(np.full((2000, 1600, 3), 110, np.uint8), [large], single)
    assert at(canvas, large.keypoints_image[5]) == (110, 110, 110)
    pen = Pen(canvas.copy(), large, single, 0.5)
    ring = large.keypoints_image[5] + np.float32([pen.width * 1.15 - 1, 0])
    assert at(canvas, ring) == LEFT


def test_opacity_follows_the_score():
    limb = replace(COCO_17, skeleton=((5, 7),))
    distances = []
    for score in (0.6, 0.8, 1.0):
        some = person(score)
        middle = some.keypoints_image[[5, 7]].mean(axis=0)
        far = some.keypoints_image.copy()
        far[[k for k in range(17) if k not in (5, 7)]] = (35, 165)
        drawn = draw_people(GREY, [replace(some, keypoints_image=far)], limb)
        distances.append(np.abs(np.subtract(at(drawn, middle), LEFT)).sum())
    assert distances[0] > distances[1] > distances[2] == 0


@pytest.mark.parametrize("scores", [(0.55, 0.7, 0.85, 0.95), (0.9, 0.94, 0.96, 0.98)], ids=["spread", "near 1"])
def test_scores_are_told_apart_whether_they_are_spread_or_near_1(scores):
    """In the picture: neighbours differ by at least a fifteenth of the way from background to colour."""
    limb = replace(COCO_17, skeleton=((5, 7),))
    points = np.full((17, 2), (35, 165), np.float32)
    points[[5, 7]] = (40, 40), (120, 40)
    drawn = [draw_people(GREY, [replace(person(one), keypoints_image=points)], limb) for one in scores]
    distances = np.array([np.abs(np.subtract(at(one, np.float32([80, 40])), LEFT)).sum() for one in drawn])
    assert (np.diff(distances) < -np.abs(np.subtract((110, 110, 110), LEFT)).sum() / 15).all(), distances


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.9])
def test_opacity_grows_from_the_threshold_by_equal_steps_a_halving_of_the_doubt(threshold):
    scores = np.float32([0, threshold, 0.98, 1, 1.5])
    assert opacities(scores, threshold) == pytest.approx([FAINT, FAINT, 1, 1, 1], abs=1e-5)
    halved = opacities(1 - (1 - threshold) * np.float32([1, 0.5, 0.25]), threshold)
    assert np.diff(halved)[0] == pytest.approx(np.diff(halved)[1], abs=1e-5)


@pytest.mark.parametrize("threshold", [0.98, 1.0])
def test_who_asks_for_nearly_certain_keypoints_gets_them_opaque(threshold):
    assert (opacities(np.float32([0.2, 0.99, 1]), threshold) == 1).all()


def test_no_limb_leads_to_an_unsure_keypoint():
    scores = np.ones(17, np.float32)
    scores[7] = 0.2
    limbs = replace(COCO_17, skeleton=((5, 7),))
    none = replace(COCO_17, skeleton=())
    assert np.array_equal(draw_people(GREY, [person(scores)], limbs), draw_people(GREY, [person(scores)], none))


def test_lines_are_as_wide_as_the_person_is_large():
    small = Pen(GREY.copy(), person(), COCO_17, 0.5)
    huge = replace(person(), keypoints_image=person().keypoints_image * 20, box=(400.0, 400.0, 2400.0, 3200.0))
    large = Pen(np.zeros((4000, 3200, 3), np.uint8), huge, COCO_17, 0.5)
    assert large.width == pytest.approx(20 * 0.011 * np.hypot(*np.ptp(person().keypoints_image, axis=0)), rel=1e-4)
    assert small.width >= 1.6


@pytest.mark.parametrize("far", [1e3, 1e7, -1e7])
def test_keypoints_and_boxes_far_outside_do_no_harm(far):
    points = person().keypoints_image
    points[9] = far
    outside = replace(person(), keypoints_image=points, box=(-500.0, -500.0, 40000.0, 40000.0))
    draw_people(GREY, [outside, replace(outside, keypoints_image=points + np.float32(far))], COCO_17)


def test_tiny_images_take_what_fits():
    for size in ((1, 1), (3, 40), (40, 3)):
        draw_people(np.zeros((*size, 3), np.uint8), [person()], COCO_17)
