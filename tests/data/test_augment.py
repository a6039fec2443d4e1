"""Augmentation: distributions against their closed forms, mirror images, keypoints that move with pixels, purity."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poseur_lib.config.data import AugmentConfig
from poseur_lib.data.augment import (
    augment_colours,
    augmentation_rng,
    distort_colours,
    draw_colours,
    half_body,
    mirror_keypoints,
    place_crop,
    region_of,
)
from poseur_lib.data.coco import Person
from poseur_lib.data.crop import CropRule, crop_image, crop_matrix, inside_crop, mirror_matrix
from poseur_lib.data.dataset import PoseCrops, view_person
from poseur_lib.keypoints import COCO_17

SIZE = (256, 192)
DRAWS = 1500
ALL_VISIBLE = np.full(17, 2)
POINTS = np.stack([np.linspace(30, 90, 17), np.linspace(20, 160, 17)], axis=1).astype(np.float32)
CENTER, SCALE = np.array([60.0, 90.0], np.float32), np.array([0.6, 0.8], np.float32)
NONE = AugmentConfig(flip_probability=0.0, half_body_probability=0.0, scale_factor=0.0, rotation_probability=0.0)


def placements(config, visibility=ALL_VISIBLE):
    for index in range(DRAWS):
        rng = augmentation_rng(0, 0, index)
        yield place_crop(rng, CENTER, SCALE, POINTS, visibility, 200, COCO_17, SIZE, config)[0]


def share(values):
    return float(np.mean(list(values)))


def near(probability):
    """Four standard errors of a share of DRAWS."""
    return pytest.approx(probability, abs=4 * math.sqrt(probability * (1 - probability) / DRAWS))


def normal_below(x):
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def test_flip():
    drawn = list(placements(NONE.with_changes(flip_probability=0.5)))
    assert share(one.mirrored for one in drawn) == near(0.5)
    assert {one.center[0] for one in drawn if one.mirrored} == {np.float32(200 - 1 - 60)}
    assert not any(one.mirrored for one in placements(NONE))


def test_scale():
    factors = np.array([one.box_scale[0] / 0.6 for one in placements(NONE.with_changes(scale_factor=0.5))])
    assert factors.min() == pytest.approx(0.5) and factors.max() == pytest.approx(1.5)
    assert share(factors < 0.5001) == near(normal_below(-1))
    assert share(factors > 1.4999) == near(normal_below(-1))
    assert share(factors < 1.25) == near(normal_below(0.5))


def test_rotation():
    config = NONE.with_changes(rotation_probability=0.6)
    degrees = np.array([one.rotation_degrees for one in placements(config)])
    assert share(degrees == 0) == near(0.4)
    turned = degrees[degrees != 0]
    assert np.abs(turned).max() == 80
    assert share(np.abs(degrees) == 80) == near(0.6 * 2 * normal_below(-2))
    assert share(degrees > 40) == near(0.6 * normal_below(-1))


def test_half_body_happens_with_more_than_eight_keypoints():
    config = NONE.with_changes(half_body_probability=0.3)
    moved = [one for one in placements(config) if not np.array_equal(one.center, CENTER)]
    assert len(moved) / DRAWS == near(0.3)
    upper = region_of(POINTS[:11], SIZE, 1.5)[0]
    assert share(np.array_equal(one.center, upper) for one in moved) == pytest.approx(normal_below(0.5), abs=0.09)
    eight = np.where(np.arange(17) < 8, 2, 0)
    assert all(np.array_equal(one.center, CENTER) for one in placements(config, eight))
    nine = np.where(np.arange(17) < 9, 1, 0)
    assert any(not np.array_equal(one.center, CENTER) for one in placements(config, nine))


@pytest.mark.parametrize(
    ("upper", "lower", "chosen"),
    [(11, 6, {"upper", "lower"}), (11, 2, {"upper"}), (2, 6, {"lower"}), (2, 2, {"upper"}), (3, 3, {"upper", "lower"})],
)
def test_which_half(upper, lower, chosen):
    visibility = np.zeros(17, int)
    visibility[:upper] = 2
    visibility[11 : 11 + lower] = 2
    found = {
        tuple(half_body(augmentation_rng(0, 0, index).standard_normal(), visibility, COCO_17)) for index in range(60)
    }
    halves = {"upper": tuple(range(upper)), "lower": tuple(range(11, 11 + lower))}
    assert found == {halves[name] for name in chosen}


def test_region_is_the_mean_and_the_padded_extent():
    center, box_scale = region_of(np.array([[10, 10], [10, 110], [40, 60]], np.float32), SIZE, 1.5)
    assert center.tolist() == [20.0, 60.0]
    np.testing.assert_allclose(box_scale * 200, [1.5 * 75, 1.5 * 100], rtol=1e-6)
    assert (region_of(np.zeros((2, 2), np.float32), SIZE, 1.5)[1] > 0).all()


points = st.lists(st.tuples(st.floats(0, 300, width=32), st.floats(0, 300, width=32)), min_size=17, max_size=17)


@given(points, st.lists(st.sampled_from([0, 1, 2]), min_size=17, max_size=17), st.integers(1, 640))
@settings(max_examples=50, deadline=None)
def test_flip_twice_is_identity(places, visibility, width):
    visibility = np.array(visibility)
    before = np.where(visibility[:, None] > 0, np.array(places, np.float32), np.float32(0))
    once = mirror_keypoints(before, visibility, width, COCO_17)
    after, again = mirror_keypoints(*once, width, COCO_17)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-4)
    assert again.tolist() == visibility.tolist()
    np.testing.assert_array_equal(mirror_matrix(width) @ mirror_matrix(width), np.eye(3))


@given(st.floats(20, 280), st.floats(20, 180), st.floats(0.2, 2), st.floats(-80, 80))
@settings(max_examples=50, deadline=None)
def test_matrix_keeps_the_centre_and_all_shapes(x, y, scale, degrees):
    matrix = crop_matrix(np.array([x, y], np.float32), np.array([scale, scale / 0.75], np.float32), degrees, SIZE)
    np.testing.assert_allclose(matrix @ [x, y, 1], [96, 128], rtol=0, atol=5e-3)
    zoom = 192 / (200 * scale)
    np.testing.assert_allclose(matrix[:, :2] @ matrix[:, :2].T, zoom**2 * np.eye(2), rtol=0, atol=2e-4 * zoom**2)
    turned = math.degrees(math.atan2(matrix[0, 1], matrix[0, 0]))
    assert turned == pytest.approx(degrees, abs=1e-2)


def test_mirrored_map_is_the_map_of_the_mirrored_image():
    smooth = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (150, 201, 3), np.uint8), (0, 0), 4)
    matrix = crop_matrix(CENTER, SCALE, 20.0, SIZE)
    ours = crop_image(smooth, matrix @ mirror_matrix(201), SIZE)
    theirs = crop_image(np.ascontiguousarray(smooth[:, ::-1]), matrix, SIZE)
    inner = cv2.erode((theirs.max(-1) > 0).astype(np.uint8), np.ones((5, 5))) > 0
    assert np.abs(ours.astype(int) - theirs)[inner].max() <= 1


DOTS = np.stack([70 + 16 * (np.arange(17) % 5), 60 + 22 * (np.arange(17) // 5)], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def dotted(tmp_path_factory):
    """A black image in which the i-th keypoint is a dot of its own grey, 14 (i + 1)."""
    image = np.zeros((220, 240, 3), np.uint8)
    for index, (x, y) in enumerate(DOTS.astype(int)):
        image[y - 2 : y + 3, x - 2 : x + 3] = 14 * (index + 1)
    path = tmp_path_factory.mktemp("dots") / "dots.png"
    cv2.imwrite(str(path), image)
    return Person(1, path, (60.0, 50.0, 90.0, 110.0), keypoints_image=DOTS, visibility=np.full(17, 2), area=5000.0)


def test_keypoints_move_with_pixels(dotted):
    """After any augmentation a dot is found where its keypoint is, left and right exchanged in mirror images."""
    image = cv2.imread(str(dotted.image_path))
    mirrored = turned = found = 0
    for index in range(60):
        view = view_person(dotted, 240, COCO_17, SIZE, CropRule(), AugmentConfig(), (3, 0, index))
        crop = crop_image(image, view.matrix, SIZE)[..., 0]
        grey = 14 * (np.array(COCO_17.flip_index if view.placement.mirrored else range(17)) + 1)
        mirrored, turned = mirrored + view.placement.mirrored, turned + (view.placement.rotation_degrees != 0)
        for point, value in zip(view.keypoints_px, grey, strict=True):
            if inside_crop(point, SIZE):
                column, row = np.rint(point).astype(int)
                assert abs(int(crop[row, column]) - value) <= 1, (index, point, value)
                found += 1
    assert mirrored > 10 and turned > 10 and found > 600


def test_centre_of_a_dot_is_exact(dotted):
    """The centroid of a dot in the crop is the warped keypoint (OpenCV samples at 1/32 of an image pixel)."""
    image = np.zeros((220, 240, 3), np.uint8)
    image[98:103, 108:113] = 255
    person = Person(1, dotted.image_path, dotted.box, keypoints_image=np.full((17, 2), (110, 100), np.float32),
                    visibility=np.full(17, 2), area=5000.0)  # fmt: skip
    for index in range(20):
        config = AugmentConfig(half_body_probability=0.0)
        view = view_person(person, 240, COCO_17, SIZE, CropRule(), config, (0, 0, index))
        weight = crop_image(image, view.matrix, SIZE)[..., 0].astype(float)
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
        centroid = [(weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()]
        np.testing.assert_allclose(centroid, view.keypoints_px[0], rtol=0, atol=0.1)


def test_a_sample_is_a_pure_function_of_seed_epoch_and_index(dotted):
    config = AugmentConfig(photometric=True, cutout=True)

    def crops(seed=0):
        return PoseCrops([dotted] * 3, COCO_17, (64, 48), CropRule(), config, seed)

    def same(a, b):
        return all((left == right).all() for left, right in zip(a, b, strict=True))

    first = crops()
    forwards = [first[5, index] for index in range(3)]
    second = crops()
    second[4, 0]
    assert all(same(second[5, index], forwards[index]) for index in (2, 0, 1))
    others = [first[6, 1], crops(seed=1)[5, 1], forwards[2]]
    assert not any(same(other._replace(position=forwards[1].position), forwards[1]) for other in others)


def grey_ramp():
    return np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)


def test_photometric_distortion_changes_colours_in_place_and_half_the_time():
    image, kept = grey_ramp(), grey_ramp()
    results = [distort_colours(image, draw_colours(augmentation_rng(0, 0, index))) for index in range(300)]
    np.testing.assert_array_equal(image, kept)
    untouched = share(np.array_equal(result, image) for result in results)
    assert 0.03 < untouched + share(np.array_equal(np.sort(r), np.sort(image)) for r in results) < 0.20
    assert all(result.shape == image.shape and result.dtype == np.uint8 for result in results)


def test_photometric_steps_have_their_ranges():
    """On mid grey saturation, hue and channel order do nothing: (128 + b) and contrast bound the result."""
    grey = np.full((4, 4, 3), 128, np.uint8)
    values = np.array([distort_colours(grey, draw_colours(augmentation_rng(0, 0, i)))[0, 0, 0] for i in range(2000)])
    assert share(values == 128) == pytest.approx(0.25, abs=0.05)
    assert values.min() >= (128 - 32) * 0.5 - 1 and values.max() <= (128 + 32) * 1.5 + 1
    assert values.min() < 60 and values.max() > 225


def test_cutout_is_a_black_ellipse():
    white = np.full((256, 192, 3), 255, np.uint8)
    shares, centres = [], []
    for index in range(400):
        result = augment_colours(augmentation_rng(0, 0, index), white, AugmentConfig(cutout=True))
        assert set(np.unique(result)) == {0, 255}
        shares.append((result == 0).mean() * 256 / 192)
        rows, columns = np.nonzero(result[..., 0] == 0)
        centres.append((columns.mean(), rows.mean()))
    largest = math.pi * 0.4 * 0.4
    assert 0.9 * largest < max(shares) < 1.02 * largest
    assert np.allclose(np.mean(centres, axis=0), [96, 128], atol=10)


def test_colours_are_left_alone_unless_asked_for():
    image = grey_ramp()
    assert augment_colours(augmentation_rng(0, 0, 0), image, AugmentConfig()) is image
