"""Crops against those that the released code made of the same 12 people and 118 detector boxes.

Centres, box scales and matrices are equal to rounding; pixels and warped keypoints are equal; means differ by less than
one pixel value in all of the crop.
"""

import numpy as np
import pytest

from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.crop import (
    CropRule,
    box_to_center_scale,
    crop_image,
    crop_matrix,
    inside_crop,
    keypoints_to_image,
    transform_points,
)
from poseur_lib.data.dataset import PoseCrops, normalise
from poseur_lib.data.images import read_image
from poseur_lib.keypoints import COCO_17

SIZE = (256, 192)
GROUPS = ("gt_boxes", "det_boxes")
ONE_PIXEL = 1 / (SIZE[0] * SIZE[1])


@pytest.fixture(scope="module")
def images(coco4):
    return {path.name: read_image(path) for path in (coco4 / "val2017").iterdir()}


@pytest.mark.parametrize("group", GROUPS)
def test_center_scale_and_matrix(data_reference, group):
    for theirs in data_reference[group]:
        center, box_scale = box_to_center_scale(tuple(theirs["bbox"]), SIZE, CropRule())
        assert center.tolist() == theirs["center"]
        assert box_scale.tolist() == theirs["scale"]
        for rotation in (0, 30):
            matrix = crop_matrix(center, box_scale, float(rotation), SIZE)
            np.testing.assert_allclose(matrix, theirs[f"matrix_rot{rotation}"], rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("rotation", [0, 30])
def test_pixels(data_reference, images, group, rotation):
    for theirs in data_reference[group]:
        matrix = np.array(theirs[f"matrix_rot{rotation}"])
        crop = crop_image(images[theirs["image"]], matrix, SIZE)
        for place, value in theirs[f"crop_px_rgb_rot{rotation}"].items():
            row, column = map(int, place.split(","))
            assert crop[row, column].tolist() == value
        mean = crop.reshape(-1, 3).mean(0)
        np.testing.assert_allclose(mean, theirs[f"crop_mean_rgb_rot{rotation}"], rtol=0, atol=ONE_PIXEL)


@pytest.mark.parametrize("group", GROUPS)
def test_normalisation(data_reference, images, group):
    for theirs in data_reference[group]:
        crop = normalise(crop_image(images[theirs["image"]], np.array(theirs["matrix_rot0"]), SIZE))
        np.testing.assert_allclose(crop.mean((1, 2)), theirs["normalized_mean_per_channel"], atol=1e-5)
        np.testing.assert_allclose(crop.std((1, 2), ddof=0), theirs["normalized_std_per_channel"], rtol=1e-4)


@pytest.mark.parametrize("rotation", [0, 30])
def test_targets_and_weights(data_reference, rotation):
    for theirs in data_reference["gt_boxes"]:
        visible = np.array(theirs["visible"]) > 0
        points = transform_points(np.array(theirs["keypoints"]), np.array(theirs[f"matrix_rot{rotation}"]))
        points = np.where(visible[:, None], points, np.float32(0))
        np.testing.assert_allclose(points, theirs[f"joints_warped_rot{rotation}"], rtol=0, atol=1e-5)
        weights = np.array(theirs[f"coord_target_weight_rot{rotation}"])
        assert (visible & inside_crop(points, SIZE)).tolist() == (weights[:, 0] > 0).tolist()
        np.testing.assert_allclose(points / [192, 256], theirs[f"coord_target_rot{rotation}"], rtol=0, atol=1e-6)


def test_dataset_gives_the_reference_people_in_their_order(data_reference, coco4):
    people = CocoPeople(coco4, "val", COCO_17).people()
    crops = PoseCrops(people, COCO_17, SIZE, CropRule(), None, 0)
    assert len(crops) == len(data_reference["gt_boxes"]) == 12
    for position, theirs in enumerate(data_reference["gt_boxes"]):
        person, sample = people[position], crops[position]
        assert person.image_path.name == theirs["image"]
        assert list(person.box) == theirs["bbox"]
        assert sample.position.item() == position
        assert sample.center.tolist() == theirs["center"]
        assert sample.box_scale.tolist() == theirs["scale"]
        np.testing.assert_allclose(sample.keypoints, theirs["coord_target_rot0"], rtol=0, atol=1e-6)
        assert sample.inside.float().tolist() == np.array(theirs["coord_target_weight_rot0"])[:, 0].tolist()
        np.testing.assert_allclose(sample.images.mean((1, 2)), theirs["normalized_mean_per_channel"], atol=1e-5)


def test_detections_are_the_reference_boxes(data_reference, coco4):
    detections = CocoPeople(coco4, "val", COCO_17).detections()
    ours = sorted((one.image_path.name, *one.box, one.bbox_score) for one in detections)
    theirs = sorted((one["image"], *one["bbox"], one["bbox_score"]) for one in data_reference["det_boxes"])
    assert len(ours) == 118
    assert ours == theirs


def test_predictions_go_back_where_the_keypoints_came_from(coco4):
    people = CocoPeople(coco4, "val", COCO_17).people()
    for size in (SIZE, (64, 48), (96, 72)):
        for person, sample in zip(people, PoseCrops(people, COCO_17, size, CropRule(), None, 0), strict=True):
            found = keypoints_to_image(sample.keypoints.numpy(), sample.center.numpy(), sample.box_scale.numpy())
            labelled = person.visibility > 0
            np.testing.assert_allclose(found[labelled], person.keypoints_image[labelled], rtol=0, atol=1e-3)


def test_rule_is_checked():
    with pytest.raises(ValueError, match=r"padding must be positive, got 0\.0"):
        CropRule(padding=0.0)
