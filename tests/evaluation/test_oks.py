"""OKS against its closed form and against pycocotools; mean OKS on real people."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.crop import CropRule, box_to_center_scale
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.metrics import coco_evaluation
from poseur_lib.evaluation.oks import mean_oks, oks, oks_of_people
from poseur_lib.keypoints import COCO_17

SIZE = (256, 192)


def test_closed_form():
    """One keypoint that is off by d: exp(-d^2 / (2 area (2 sigma)^2)); the others are right."""
    reference = np.zeros((17, 2))
    moved = reference.copy()
    moved[9] = 3, 4
    one = math.exp(-25 / (2 * 1000 * (2 * 0.062) ** 2))
    assert oks(moved, reference, np.ones(17, bool), np.array(1000.0), COCO_17.oks_sigmas) == pytest.approx(
        (16 + one) / 17
    )
    only = np.arange(17) == 9
    assert oks(moved, reference, only, np.array(1000.0), COCO_17.oks_sigmas) == pytest.approx(one)
    assert oks(moved, reference, ~np.ones(17, bool), np.array(1000.0), COCO_17.oks_sigmas) == 0


@given(st.floats(0, 50), st.floats(100, 1e5), st.floats(1.1, 3))
@settings(max_examples=30, deadline=None)
def test_larger_people_and_smaller_errors_are_more_similar(distance, area, factor):
    def similarity(distance, area):
        moved = np.full((17, 2), distance / math.sqrt(2))
        return float(oks(moved, np.zeros((17, 2)), np.ones(17, bool), np.array(area), COCO_17.oks_sigmas))

    base = similarity(distance, area)
    assert 0 <= base <= 1
    assert similarity(distance * factor, area) <= base <= similarity(distance, area * factor)
    assert similarity(distance * factor, area * factor**2) == pytest.approx(base)


def predictions_of(people, noise, seed=0):
    rng = np.random.default_rng(seed)
    boxes = [box_to_center_scale(person.box, SIZE, CropRule()) for person in people]
    center, box_scale = (np.stack(values) for values in zip(*boxes, strict=True))
    points = np.stack([person.keypoints_image for person in people])
    points = (points - center[:, None]) / (200 * box_scale[:, None]) + 0.5
    return PredictedPeople(
        image_id=np.array([person.image_id for person in people]),
        bbox_scores=np.ones(len(people), np.float32),
        center=center,
        box_scale=box_scale,
        keypoints=(points + noise * rng.standard_normal(points.shape)).astype(np.float32),
        sigma=None,
        keypoint_scores=rng.random((len(people), 17)).astype(np.float32),
        input_size=SIZE,
    )


def test_oks_of_real_people_is_that_of_pycocotools(coco_tiny):
    index = CocoPeople(coco_tiny, "val", COCO_17)
    people = index.people()
    predictions = predictions_of(people, noise=0.05)
    ours = oks_of_people(predictions, people, COCO_17)
    for person, points, similarity in zip(people, predictions.keypoints_image(), ours, strict=True):
        keypoints = np.column_stack([points, np.ones(17)]).astype(float).reshape(-1).tolist()
        one = {"image_id": person.image_id, "category_id": 1, "keypoints": keypoints, "score": 1.0}
        evaluation = coco_evaluation(index.coco, [one], COCO_17)
        row = [other["id"] for other in evaluation._gts[person.image_id, 1]].index(person.annotation_id)
        assert evaluation.ious[person.image_id, 1][0, row] == pytest.approx(similarity, abs=1e-9)


def test_mean_oks_falls_with_noise(coco_tiny):
    people = CocoPeople(coco_tiny, "train", COCO_17).people()
    means = [mean_oks(predictions_of(people, noise), people, COCO_17) for noise in (0, 0.02, 0.1, 0.5)]
    assert means[0] == pytest.approx(1, abs=1e-4)
    assert means == sorted(means, reverse=True) and means[-1] < 0.1


def test_predictions_of_other_people_are_refused(coco_tiny):
    people = CocoPeople(coco_tiny, "val", COCO_17).people()
    predictions = predictions_of(people, 0.0)
    with pytest.raises(ValueError, match="45 people"):
        oks_of_people(predictions, people[1:], COCO_17)
    assert math.isnan(mean_oks(predictions.select(np.arange(0)), [], COCO_17))


def test_predictions_that_are_not_finite_are_refused(coco_tiny):
    people = CocoPeople(coco_tiny, "val", COCO_17).people()[:3]
    good = predictions_of(people, 0.0)
    keypoints = good.keypoints.copy()
    keypoints[2, 4, 1] = np.nan
    with pytest.raises(ValueError, match=r"keypoints\[2, 4, 1\] is nan"):
        PredictedPeople(**{**vars(good), "keypoints": keypoints})
    assert len(good.select(np.array([True, False, True]))) == 2
