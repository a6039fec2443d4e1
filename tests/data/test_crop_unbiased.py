"""UDP's crop rule: lengths are counted between pixel centres."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poseur_lib.config.data import AugmentConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.crop import (
    CropRule,
    box_to_center_scale,
    crop_matrix,
    keypoints_to_image,
    mirror_matrix,
    transform_points,
)
from poseur_lib.data.dataset import PoseCrops
from poseur_lib.keypoints import COCO_17

UNBIASED = CropRule(unbiased=True)
SIZES = st.sampled_from([(64, 48), (256, 192), (384, 288), (128, 128)])
SIDES = st.floats(5.0, 600.0)
PLACES = st.floats(-50.0, 700.0)


def region(x, y, width, height, size):
    return box_to_center_scale((x, y, width, height), size, UNBIASED)


@given(PLACES, PLACES, SIDES, SIDES, SIZES)
def test_corners_of_the_region_are_the_outermost_pixel_centres(x, y, width, height, size):
    center, box_scale = region(x, y, width, height, size)
    matrix = crop_matrix(center, box_scale, 0.0, size, UNBIASED)
    side = box_scale * 200
    corners = np.stack([center - side / 2, center + side / 2])
    expected = [[0, 0], [size[1] - 1, size[0] - 1]]
    np.testing.assert_allclose(transform_points(corners, matrix), expected, rtol=0, atol=1e-2)


@given(PLACES, PLACES, SIDES, SIDES, SIZES, st.integers(0, 10**6))
def test_image_to_crop_and_back(x, y, width, height, size, seed):
    center, box_scale = region(x, y, width, height, size)
    points = np.random.default_rng(seed).uniform((x, y), (x + width, y + height), (17, 2))
    points_px = transform_points(points, crop_matrix(center, box_scale, 0.0, size, UNBIASED))
    found = keypoints_to_image(points_px / UNBIASED.extent_px(size), center, box_scale)
    np.testing.assert_allclose(found, points, rtol=0, atol=1e-3)


def test_closed_form():
    """A region of 96 x 128 at (48, 64): image pixel 0 is crop pixel 0, image pixel 96 the last one."""
    center, box_scale = np.array([48, 64], np.float32), np.array([96, 128], np.float32) / 200
    matrix = crop_matrix(center, box_scale, 0.0, (256, 192), UNBIASED)
    np.testing.assert_allclose(matrix, [[191 / 96, 0, 0], [0, 255 / 128, 0]], atol=1e-5)


@given(st.floats(-180, 180), PLACES, PLACES, SIDES)
def test_rotation_turns_like_the_plain_rule(degrees, x, y, width):
    """The centre stays; what lies half a width off, turned clockwise, comes straight above it."""
    size = (256, 192)
    center, box_scale = region(x, y, width, width, size)
    matrix = crop_matrix(center, box_scale, degrees, size, UNBIASED)
    half = box_scale[0] * 100.0
    angle = math.radians(degrees)
    ends = np.stack([center, center + half * np.array([math.sin(angle), -math.cos(angle)])])
    above = (size[0] - 1) / (box_scale[1] * 200) * half
    expected = [[95.5, 127.5], [95.5, 127.5 - above]]
    np.testing.assert_allclose(transform_points(ends, matrix), expected, rtol=0, atol=5e-3)
    plain = transform_points(ends, crop_matrix(center, box_scale, degrees, size))
    np.testing.assert_allclose(plain, [[96, 128], [96, 32]], rtol=0, atol=2e-2)


@given(SIZES, SIDES, SIDES, st.integers(0, 10**6))
def test_cropping_the_mirror_image_mirrors_the_keypoints_exactly(size, width, height, seed):
    """x becomes 1 - x; by the plain rule there would be one crop pixel between them."""
    image_width = 200
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 200, 2)
    center, box_scale = region(x, y, width, height, size)
    points = rng.uniform(0, 200, (9, 2))
    mirrored_center = np.array([image_width - 1 - center[0], center[1]], np.float32)
    mirrored = points * [-1, 1] + [image_width - 1, 0]

    def normalised(where, what, rule):
        return transform_points(what, crop_matrix(where, box_scale, 0.0, size, rule)) / rule.extent_px(size)

    ours, theirs = normalised(center, points, UNBIASED), normalised(mirrored_center, mirrored, UNBIASED)
    np.testing.assert_allclose(theirs, np.stack([1 - ours[:, 0], ours[:, 1]], -1), rtol=0, atol=2e-3)


def test_the_flipped_crop_is_the_crop_of_the_flipped_image():
    """The pixels themselves, which the plain rule moves by up to one."""
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 255, (120, 100, 3), np.uint8), (9, 9), 0)
    center, box_scale = np.array([47.3, 61.8], np.float32), np.array([60, 80], np.float32) / 200
    other = np.array([99 - 47.3, 61.8], np.float32)
    difference = {}
    for rule in (UNBIASED, CropRule()):
        crops = []
        for where, mirror in ((center, np.eye(3)), (other, mirror_matrix(100))):
            matrix = crop_matrix(where, box_scale, 0.0, (128, 96), rule) @ mirror
            crops.append(cv2.warpAffine(image.astype(np.float32), matrix, (96, 128)))
        difference[rule.unbiased] = np.abs(crops[0] - crops[1][:, ::-1]).mean()
    assert difference[True] < 0.1 < difference[False]


def test_samples_are_normalised_by_the_rule(coco_tiny):
    """Without augmentation they go back to the image; with it, each lies on the crop's pixels where it is inside."""
    people = CocoPeople(coco_tiny, "val", COCO_17).people()[:12]
    for person, sample in zip(people, PoseCrops(people, COCO_17, (64, 48), UNBIASED, None, 0), strict=True):
        found = keypoints_to_image(sample.keypoints.numpy(), sample.center.numpy(), sample.box_scale.numpy())
        labelled = person.visibility > 0
        np.testing.assert_allclose(found[labelled], person.keypoints_image[labelled], rtol=0, atol=1e-3)
    for sample in PoseCrops(people, COCO_17, (64, 48), UNBIASED, AugmentConfig(), 0):
        points = sample.keypoints[sample.inside]
        assert ((points >= 0) & (points <= 1)).all()


def test_extent():
    assert CropRule().extent_px((256, 192)).tolist() == [192, 256]
    assert UNBIASED.extent_px((256, 192)).tolist() == [191, 255]


@pytest.mark.parametrize("rule", [CropRule(), UNBIASED])
def test_the_rule_does_not_change_the_region(rule):
    center, box_scale = box_to_center_scale((10.0, 20.0, 30.0, 80.0), (256, 192), rule)
    assert center.tolist() == [25, 60] and (box_scale * 200).tolist() == pytest.approx([75, 100])
