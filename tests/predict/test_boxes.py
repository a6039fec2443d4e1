"""Boxes as arrays: both formats, scores, and what is refused, with its value."""

import numpy as np
import pytest
import torch

from poseur_lib.errors import UserError
from poseur_lib.predict.people import PersonBox, as_boxes

SIZE = (60, 80)


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_rows_of_four_and_five_numbers(kind):
    assert as_boxes(kind([[1.0, 2, 30, 40]]), SIZE) == [PersonBox((1, 2, 30, 40))]
    assert as_boxes(kind([[1, 2, 30, 40, 0.5]]), SIZE) == [PersonBox((1, 2, 30, 40), 0.5)]
    assert as_boxes(kind([[1, 2, 31, 42]]), SIZE, "xyxy") == [PersonBox((1, 2, 30, 40))]


def test_nobody_and_boxes_as_they_are():
    boxes = [PersonBox((1, 2, 3, 4), 0.25)]
    assert as_boxes([], SIZE) == as_boxes(np.zeros((0, 4)), SIZE) == []
    assert as_boxes(boxes, SIZE) == boxes


def test_a_box_may_reach_beyond_the_image():
    as_boxes([[-10, -10, 200, 200], [79, 59, 5, 5], [-4, -4, 5, 5]], SIZE)


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[1, 2, 0, 40]], r"\(1.0, 2.0, 0.0, 40.0\): width and height must be positive"),
        ([[1, 2, 30, -4]], r"\(1.0, 2.0, 30.0, -4.0\): width"),
        ([[1, 2, 30, float("nan")]], "nan.* must be finite"),
        ([[1, 2, 30, 40, float("inf")]], "score inf: values must be finite"),
        ([[80, 2, 5, 5]], r"\(80.0, 2.0, 5.0, 5.0\) lies outside the image of 80 x 60"),
        ([[1, -9, 5, 9]], "lies outside"),
        ([1, 2, 30, 40], r"shape N x 4, or N x 5 with the score, got \(4,\)"),
        ([[1, 2, 3]], r"got \(1, 3\)"),
        ([[1, 2, 3, 4], [1, 2]], "rows of 4 numbers"),
        ([["a", 2, 3, 4]], "rows of 4 numbers"),
    ],
)
def test_what_is_refused_is_named(boxes, message):
    with pytest.raises(UserError, match=message):
        as_boxes(boxes, SIZE)


def test_an_unknown_format_is_refused():
    with pytest.raises(UserError, match="'cxcywh'"):
        as_boxes([[1, 2, 3, 4]], SIZE, "cxcywh")


def test_corners_and_fractions_are_recognised():
    corners = [[60, 40, 150, 170], [10, 20, 90, 180]]
    with pytest.raises(UserError, match=r"box 0: bbox .* leaves the image of 200 x 200 .*box_format='xyxy'"):
        as_boxes(corners, (200, 200))
    assert [box.box for box in as_boxes(corners, (200, 200), "xyxy")] == [(60, 40, 90, 130), (10, 20, 80, 160)]
    for box_format in ("xyxy", "xywh"):
        with pytest.raises(UserError, match=r"box 0: bbox .* is a fraction of the image: boxes are in pixels$"):
            as_boxes([[0.2, 0.1, 0.5, 0.6]], (200, 200), box_format)
    with pytest.raises(UserError, match="values must be in pixels"):
        as_boxes([[0, 0, 1e30, 5]], (200, 200))


def test_boxes_that_a_detector_did_not_cut_are_kept():
    assert len(as_boxes([[-5, -5, 120, 215], [100, 20, 105, 90]], (200, 200))) == 2
