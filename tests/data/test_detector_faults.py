"""Detectors' files that once gave wrong numbers in silence: another convention, numbering or image size."""

import json
from functools import partial

import numpy as np
import pytest

from poseur_lib.data.check import check_dataset
from poseur_lib.data.coco import annotation_path, detection_path
from poseur_lib.errors import UserError
from tests.data.faulty import BOXES, HEIGHT, WIDTH, notes, read, set_to, write_faulty


@pytest.fixture
def write(tmp_path):
    return partial(write_faulty, tmp_path)


def detector(root, boxes, **other):
    """A detector's file beside the set, of the boxes of its people."""
    entries = [{"image_id": index // 2, "category_id": 1, "score": 0.5, "bbox": box} | other
               for index, box in enumerate(boxes)]  # fmt: skip
    detection_path(root, "val").write_text(json.dumps(entries))
    return entries


@pytest.mark.parametrize(("written", "of_set"), [(1, 1), ("1", 1), (1.0, 1), (None, 1), (3, 3), (1, 3), ("1", 3)])
def test_a_detector_s_people_are_found_in_its_own_numbering(write, written, of_set):
    """COCO's own person is 1, whatever the data set's is."""
    root = write(set_to(category_id=of_set), id=of_set)
    detector(root, BOXES, category_id=written)
    people = read(root)
    assert people.category_id == of_set and [one.box for one in people.detections()] == [tuple(box) for box in BOXES]
    said = "people are category 1, as COCO counts (those of the data set are 3)"
    assert (said in notes(root)) == (of_set == 3 and written != 3)


def test_a_detector_that_counts_from_0_as_the_set_does_is_not_taken_for_coco_s(write):
    """0 is the person and 1 the bicycle, as YOLO counts."""
    root = write(set_to(category_id=0), id=0)
    people = detector(root, BOXES, category_id=0)
    bicycles = [one | {"category_id": 1, "bbox": [1, 2, 3, 4]} for one in people]
    detection_path(root, "val").write_text(json.dumps([*bicycles, *people]))
    assert [one.box for one in read(root).detections()] == [tuple(box) for box in BOXES]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_id": 0}, "category_id is 0, but people are category 1: the file seems to count categories from 0"),
        ({"category_id": "person"}, "category_id must be an integer, got 'person'"),
        ({"category_id": 2}, "no detection of a person on the 2 images of val"),
        ({"score": 1e300}, "score must be at most 1000000"),
        ({"bbox": [1e30, 0, 5, 5]}, "bbox must be in pixels, at most 1000000"),
        ({"bbox": [0.4, 0.2, 0.3, 0.5]}, "is a fraction of the image"),
        ({"bbox": [-0.4, -1, 1.3, 1.5]}, "is a fraction of the image"),
    ],
)
def test_a_detector_s_file_of_another_convention_is_refused(write, change, message):
    root = write()
    detector(root, BOXES, **change)
    with pytest.raises(UserError, match=message) as raised:
        read(root).detections()
    if "no detection" not in message:
        assert str(raised.value) in check_dataset(root).problems


def some_boxes(seed=0):
    """60 boxes of people anywhere in the image, some of which a detector did not cut."""
    rng = np.random.default_rng(seed)
    sides = rng.uniform((20, 40), (120, 180), (60, 2))
    return np.hstack([rng.uniform(-0.1, 1.0, (60, 2)) * ((WIDTH, HEIGHT) - 0.9 * sides), sides]).round(1)


@pytest.mark.parametrize("form", ["left, top, right, bottom", "centre x, centre y, width, height"])
def test_a_detector_s_convention_shows_through_odd_boxes(write, form):
    root, boxes = write(), some_boxes().clip(0)
    boxes[:, 2:] = np.minimum(boxes[:, 2:], (WIDTH, HEIGHT) - boxes[:, :2])
    corner, sides = boxes[:, :2], boxes[:, 2:]
    written = np.hstack([corner, corner + sides] if "left" in form else [corner + sides / 2, sides])
    written[7] = 300, 10, 5, 200
    detector(root, written.tolist(), image_id=1)
    with pytest.raises(UserError, match=rf"of 60 boxes do, and 59 fit as \({form}\); write \[x, y") as raised:
        read(root).detections()
    assert str(raised.value) in check_dataset(root).problems


@pytest.mark.parametrize("seed", range(5))
def test_a_detector_may_leave_boxes_uncut(write, seed):
    root = write()
    detector(root, some_boxes(seed).tolist(), image_id=1)
    assert len(read(root).detections()) == 60


def test_boxes_of_images_of_another_size_are_said(write, capsys):
    root = write()
    file = annotation_path(root, "val")
    body = json.loads(file.read_text())
    body["annotations"] += [person | {"id": 10 + person["id"], "image_id": 1 - person["image_id"]}
                            for person in body["annotations"]]  # fmt: skip
    file.write_text(json.dumps(body))
    for factor, found in ((0.5, False), (0.9, True)):
        boxes = [[factor * value for value in person["bbox"]] for person in body["annotations"]]
        images = [person["image_id"] for person in body["annotations"]]
        entries = [{"image_id": image, "bbox": box, "score": 1} for image, box in zip(images, boxes, strict=True)]
        detection_path(root, "val").write_text(json.dumps(entries))
        assert len(read(root).detections()) == 8
        said = "only 0 of 8 labelled people on images with boxes have a box that overlaps theirs"
        assert (said not in notes(root), said not in capsys.readouterr().err) == (found, found)


def test_a_file_of_few_of_the_images_is_said(write, capsys):
    root = write()
    detector(root, BOXES)
    read(root).detections()
    assert "no box on" not in capsys.readouterr().err
    detector(root, BOXES[:2])
    for _ in range(2):
        assert len(read(root).detections()) == 2
    said = "no box on 1 of the 2 images of val, 1 of them with labelled people, who count as missed"
    assert capsys.readouterr().err.count(said) == 1


def test_a_detector_s_corners_are_refused_and_boxes_elsewhere_are_said(write, capsys):
    root = write()
    detector(root, [(x, y, x + w, y + h) for x, y, w, h in BOXES])
    with pytest.raises(UserError, match=r"detection 0 \(image 0\): bbox .* leaves the image of 320 x 240 .* right"):
        read(root).detections()
    entries = detector(root, BOXES)
    detection_path(root, "val").write_text(json.dumps([*entries, entries[0] | {"image_id": 99}]))
    assert len(read(root).detections()) == 4
    assert "1 boxes on images that are not in the split are left out" in capsys.readouterr().err
