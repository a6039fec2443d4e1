"""The default difficulty keeps the floors, and the files are COCO's."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as rle
from pycocotools.coco import COCO

from poseur_lib.data.coco import CocoPeople
from poseur_lib.keypoints import COCO_17
from synthetic_people.annotate import SMALL_AREA
from synthetic_people.detector import iou
from tests.synthetic_people.people_floors import measure


@pytest.fixture(scope="module")
def val(people_set: Path) -> COCO:
    return COCO(str(people_set / "annotations" / "person_keypoints_val2017.json"))


def test_floors_hold_at_the_default_dial(people_set: Path) -> None:
    floors = measure(people_set)
    assert floors.people >= 300
    assert floors.occluded >= 0.12
    assert floors.truncated >= 0.10
    assert floors.back_or_side >= 0.20
    assert 0.45 <= floors.mask_of_box <= 0.60
    assert floors.mean_pose_ap < 3.0


def test_area_and_box_are_those_of_the_mask(val: COCO) -> None:
    for row in val.dataset["annotations"]:
        mask = val.annToMask(row)
        assert row["area"] == mask.sum() == int(rle.area(val.annToRLE(row)))
        y, x = np.nonzero(mask)
        assert row["bbox"] == [x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1]
        assert row["iscrowd"] == 0


def test_masks_of_an_image_do_not_overlap(val: COCO) -> None:
    for image_id in val.getImgIds()[:100]:
        masks = [val.annToMask(row) for row in val.loadAnns(val.getAnnIds(image_id))]
        assert np.sum(masks, axis=0).max() <= 1


def test_keypoints_follow_cocos_rules(val: COCO) -> None:
    for row in val.dataset["annotations"]:
        keypoints = np.array(row["keypoints"]).reshape(17, 3)
        labelled = keypoints[:, 2] > 0
        assert row["num_keypoints"] == labelled.sum()
        assert (keypoints[~labelled] == 0).all()
        assert ((keypoints[labelled, :2] >= 0) & (keypoints[labelled, :2] <= (192, 256))).all()
        if row["area"] < SMALL_AREA:
            assert not labelled.any()


def test_a_visible_keypoint_lies_on_its_persons_mask(val: COCO) -> None:
    on, all_visible = 0, 0
    for row in val.dataset["annotations"]:
        mask = val.annToMask(row)
        for x, y, v in np.array(row["keypoints"]).reshape(17, 3):
            if v == 2:
                on, all_visible = on + int(mask[min(int(y + 0.5), 255), min(int(x + 0.5), 191)]), all_visible + 1
    assert on / all_visible > 0.998  # coordinates are rounded to a tenth of a pixel


def test_images_are_what_the_annotations_say_and_the_loader_reads_them(people_set: Path, val: COCO) -> None:
    for entry in val.dataset["images"][:20]:
        assert cv2.imread(str(people_set / "val2017" / entry["file_name"])).shape == (256, 192, 3)
    people = CocoPeople(people_set, "val", COCO_17)
    assert len(people.people()) == sum(row["num_keypoints"] > 0 for row in val.dataset["annotations"])
    assert len(people.detections()) > 300


def test_detections_are_like_a_detectors(people_set: Path, val: COCO) -> None:
    detections = json.loads((people_set / "annotations" / "person_detections_val2017.json").read_text())
    assert len(val.loadRes(detections).getAnnIds()) == len(detections)
    best = {row["id"]: 0.0 for row in val.dataset["annotations"]}
    true, false = [], []
    for detection in detections:
        rows = val.loadAnns(val.getAnnIds(detection["image_id"]))
        overlaps = {row["id"]: iou(tuple(detection["bbox"]), tuple(row["bbox"])) for row in rows}
        for key, value in overlaps.items():
            best[key] = max(best[key], value)
        (true if max(overlaps.values()) > 0.5 else false).append(detection["score"])
    missed = np.mean([value < 0.5 for value in best.values()])
    assert 0.02 < missed < 0.12
    assert 0.15 < len(false) / len(true) < 0.6
    assert 0.0 < min(true + false) and max(true + false) < 1.0
    beats_median = np.mean(np.array(false) > np.median(true))
    assert 0.02 < beats_median < 0.25  # the scores overlap: rescoring by keypoints can help
