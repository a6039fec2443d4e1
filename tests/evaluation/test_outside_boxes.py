"""Keypoints outside the boxes that a model found: a person by hand."""

import numpy as np

from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.crop import PIXELS_PER_SCALE
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.outside_boxes import outside_boxes
from poseur_lib.keypoints import COCO_17
from tests.end_to_end.small import write_images


def own_boxes(boxes, keypoints, images):
    """Predictions in boxes (left, top, right, bottom), keypoints in [0, 1] of them."""
    boxes = np.array(boxes, np.float32)
    return PredictedPeople(
        image_id=np.array(images, np.int64), bbox_scores=np.ones(len(boxes), np.float32),
        center=(boxes[:, :2] + boxes[:, 2:]) / 2 - np.float32(0.5),
        box_scale=(boxes[:, 2:] - boxes[:, :2]) / np.float32(PIXELS_PER_SCALE),
        keypoints=np.array(keypoints, np.float32), sigma=None,
        keypoint_scores=np.ones((len(boxes), 17), np.float32), input_size=(64, 64),
    )  # fmt: skip


def test_by_hand(tmp_path):
    points = [value for k in range(17) for value in (20, 10 + 2 * k, 2)]  # y from 10 to 42
    unfound = {"bbox": [1, 1, 20, 60]}
    data = write_images(tmp_path / "data", [[{"bbox": [10, 5, 20, 50], "keypoints": points}], [unfound]])
    people = CocoPeople(data, "val", COCO_17)
    y = (np.array([10 + 2 * k for k in range(17)]) + 0.5 - 5) / 28  # of the box (10, 5, 30, 33), whose last pixel is 32
    exact = np.stack([np.full(17, 10.5 / 20), y], axis=1)
    boxes, images = [[10, 5, 30, 33], [40, 0, 47, 9]], [1, 2]
    found = outside_boxes(own_boxes(boxes, [exact, exact], images), people)
    outside = sum(10 + 2 * k > 32.5 for k in range(17))
    assert [of.tolist() for of in found] == [[1, 0]] + 4 * [[outside, 0]] and outside == 5
    confined = exact.clip(0, 1)
    confined = outside_boxes(own_boxes(boxes, [confined, confined], images), people)
    assert confined.labelled.tolist() == [outside, 0] and 0 < confined.near.sum() < outside
    assert confined.placed.sum() == confined.found.sum() == 0
    nobody = outside_boxes(own_boxes(np.zeros((0, 4)), np.zeros((0, 17, 2)), []), people)
    assert [of.tolist() for of in nobody] == 5 * [[0, 0]]
