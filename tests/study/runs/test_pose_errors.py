"""Sums of errors by image: closed forms on two people whose poses are exact but for one keypoint."""

from pathlib import Path

import numpy as np
import pytest

from poseur_lib.data.coco import Person
from poseur_lib.data.crop import CropRule, box_to_center_scale
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.errors import ErrorType
from poseur_lib.keypoints import COCO_17
from poseur_study.runs.evaluation_of_predictions import pose_errors

SIZE = (64, 48)


def person(image_id: int, visibility: np.ndarray) -> Person:
    keypoints = np.stack([20 + 10 * np.arange(17), 30 + 12 * np.arange(17)], axis=1).astype(np.float32)
    return Person(image_id, Path("x.jpg"), (10.0, 20.0, 200.0, 220.0), 1.0, image_id, keypoints, visibility, 1000.0)


def exact(people: list[Person]) -> PredictedPeople:
    boxes = [box_to_center_scale(one.box, SIZE, CropRule()) for one in people]
    center, scale = (np.stack(values) for values in zip(*boxes, strict=True))
    corner = center - 100 * scale
    keypoints = np.stack([one.keypoints_image for one in people])
    normalised = (keypoints - corner[:, None]) / (200 * scale[:, None])
    return PredictedPeople(
        np.array([one.image_id for one in people]), np.ones(len(people)), center, scale, normalised, None,
        np.ones((len(people), 17)), SIZE,
    )  # fmt: skip


@pytest.fixture
def errors():
    """Image 7 has nobody; in image 9 the nose is far off, and the left wrist is not labelled."""
    hidden = np.full(17, 2)
    hidden[5], hidden[9] = 1, 0
    people = [person(3, np.full(17, 2)), person(9, hidden)]
    predictions = exact(people)
    predictions.keypoints[1, 0] -= 5.0
    return pose_errors(predictions, people, COCO_17, [3, 7, 9])


def test_shares_of_error_types(errors):
    assert errors.types[ErrorType.MISS].tolist() == [0, 0, 1] and errors.types.sum(axis=0).tolist() == [17, 0, 16]
    found = {name: (number, share, draws) for name, number, share, draws in errors.shares()}
    number, share, draws = found["miss"]
    assert number == 33 and share == pytest.approx(100 / 33)
    assert np.nanmax(draws) == pytest.approx(100 / 16) and np.nanmin(draws) == 0
    assert sum(share for _, share, _ in found.values()) == pytest.approx(100)


def test_similarities_by_keypoint_and_visibility(errors):
    found = {(part, name): (number, mean, draws) for part, name, number, mean, draws in errors.similarities()}
    number, mean, draws = found["keypoint", "nose"]
    assert number == 2 and mean == pytest.approx(50, abs=1e-3)
    assert np.nanmax(draws) == pytest.approx(100, abs=1e-2) and np.nanmin(draws) == pytest.approx(0, abs=1e-2)
    assert np.isnan(draws).any()
    assert found["keypoint", "wrist"][0] == 3
    assert found["visibility", "hidden"][:2] == (1, pytest.approx(100, abs=1e-2))
