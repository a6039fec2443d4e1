"""AP in boxes that were moved: none moved is the run's own AP, and other boxes than the labels' are left alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from poseur_lib.data.coco import Person, detection_path
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.measurements.moved_boxes import SPREADS, move_boxes, moved_boxes
from tests.measurements.studies import finish, open_study
from tests.training.tiny import write_people


def test_corners_are_moved_alike_along_both_axes_and_by_sides_of_the_box():
    people = [Person(0, Path("a.jpg"), (100.0, 50.0, 40.0, 200.0))] * 4000
    boxes = np.array([person.box for person in move_boxes(people, 0.1, seed=0)])
    corners = (np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]) - [100, 50, 140, 250]) / [40, 200, 40, 200]
    assert corners.std(axis=0) == pytest.approx([0.1] * 4, rel=0.05)
    assert np.abs(np.corrcoef(corners.T) - np.eye(4)).max() < 0.06 and np.abs(corners.mean(axis=0)).max() < 0.01
    assert [person.box for person in move_boxes(people, 0.0, seed=0)] == [person.box for person in people]


def test_a_run_is_predicted_again_for_each_spread(tmp_path, monkeypatch):
    monkeypatch.setenv("POSEUR_ROOT", str(tmp_path))
    data = write_people(tmp_path / "coco", train=2, val=4)
    study = open_study("budget", data, tmp_path / "runs")
    finish(study, "poseur_10")
    found = moved_boxes(study)
    assert found["spread"].to_list() == list(SPREADS) and set(found["row"]) == {study.table.row("poseur_10").label}
    own = study.record("poseur_10", 0).of(BoxSource.GROUND_TRUTH).AP
    assert found["sample"].iloc[0].value == pytest.approx(own, abs=1e-3)
    detection_path(data, "val").write_text(
        json.dumps([{"image_id": 0, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 1}])
    )
    assert moved_boxes(open_study("budget", data, tmp_path / "runs")).empty
