"""Coordinates, boxes and areas of another scale or order: held against the image and each other."""

import json
from functools import partial

import numpy as np
import pytest

from poseur_lib.data.check import check_dataset
from poseur_lib.data.coco import annotation_path
from poseur_lib.data.consistency import LabelledPeople, upside_down
from poseur_lib.errors import UserError
from tests.data.faulty import BOXES, HEIGHT, NAMES, WIDTH, notes, read, set_to, stick_person, write_faulty


@pytest.fixture
def write(tmp_path):
    return partial(write_faulty, tmp_path)


def scaled(x, y, *fields):
    def change(person):
        if "bbox" in fields:
            person["bbox"] = [value * factor for value, factor in zip(person["bbox"], (x, y, x, y), strict=True)]
        if "keypoints" in fields:
            person["keypoints"][::3] = [value * x for value in person["keypoints"][::3]]
            person["keypoints"][1::3] = [value * y for value in person["keypoints"][1::3]]
        if "area" in fields:
            person["area"] *= x * y

    return change


def signed(*fields):
    """To coordinates from -1 to 1."""

    def change(person):
        scaled(2 / WIDTH, 2 / HEIGHT, *fields)(person)
        if "bbox" in fields:
            person["bbox"][:2] = [value - 1 for value in person["bbox"][:2]]
        person["keypoints"] = [value - (index % 3 < 2) for index, value in enumerate(person["keypoints"])]

    return change


def at_zero(count):
    def change(person):
        person["keypoints"][: 3 * count] = [0, 0, 1] * count

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (scaled(1 / WIDTH, 1 / HEIGHT, "bbox", "keypoints"), r"annotation 1: bbox .* is a fraction of the image"),
        (scaled(1 / WIDTH, 1 / HEIGHT, "bbox", "keypoints", "area"), "annotation 1: bbox .* is a fraction"),
        (scaled(1 / WIDTH, 1 / HEIGHT, "keypoints"), "annotation 1: keypoint .* is a fraction of the image of 320 x"),
        (scaled(1 / WIDTH, 1 / HEIGHT, "bbox"), "annotation 1: bbox .* is a fraction"),
        (scaled(1 / WIDTH, 1 / HEIGHT, "area"), "annotation 1: area .* is less than a pixel"),
        (scaled(100 / WIDTH, 100 / HEIGHT, "bbox", "keypoints"), "annotation 1: area is more than 2 times the bbox's"),
        (signed("bbox", "keypoints"), "annotation 1: bbox .* is a fraction of the image of 320 x 240 pixels"),
        (signed("keypoints"), "annotation 1: keypoint .* is a fraction of the image of 320 x 240 pixels"),
        (scaled(3, 3, "keypoints"), "keypoint .* lies outside the image of 320 x 240 pixels"),
        (
            scaled(0.3, 0.3, "keypoints"),
            "most labelled keypoints lie outside the bbox .* of 4 people; .* times 3",
        ),
        (
            at_zero(17),
            "annotation 1: all its keypoints are labelled at 0, 0, as those of 4 of 4 people: write",
        ),
        (at_zero(3), "annotation 1: a keypoint is labelled .visibility 1 or 2. at 0, 0, as 4 of 4 people"),
        (set_to(area=1), "annotation 1: area is less than 0.01 of the bbox's"),
        (set_to(bbox=[0, 0, 0, 0]), "the bbox is empty, so no crop is taken"),
    ],
)
def test_coordinates_boxes_and_areas_are_held_against_the_image_and_each_other(write, change, message):
    root = write(change)
    with pytest.raises(UserError, match=message) as raised:
        read(root)
    assert str(raised.value) in check_dataset(root).problems


def corners(person):
    x, y, width, height = person["bbox"]
    person["bbox"] = [x, y, x + width, y + height]


@pytest.mark.parametrize(
    ("scale", "doubt"),
    [
        (lambda side: 1, ""),
        (lambda side: 0.6, ""),
        (
            lambda side: 0.5,
            "8 people lie in the upper left quarter of their images: are they in pixels of the images'",
        ),
        (lambda side: 100 / side, "all boxes and labels of 8 people lie in 100 x 100 pixels of images that are larger"),
        (lambda side: 256 / side, "all boxes and labels of 8 people lie in 256 x 256 pixels of images that are larger"),
    ],
)
def test_coordinates_of_another_scale_are_doubted(write, scale, doubt):
    path = annotation_path(root := write(), "val")
    content = json.loads(path.read_text())
    sizes = [(320, 300), (427, 640), (500, 375), (640, 480)]
    content["images"] = [{"id": index, "file_name": f"{index}.jpg", "width": width, "height": height}
                         for index, (width, height) in enumerate(sizes)]  # fmt: skip
    content["annotations"] = []
    for index, (width, height) in enumerate(sizes):
        for x, y, w, h in ((0.05, 0.1, 0.4, 0.8), (0.5, 0.2, 0.48, 0.78)):
            box = (x * width, y * height, w * width, h * height)
            person = stick_person(len(content["annotations"]) + 1, index, box)
            scaled(scale(width), scale(height), "bbox", "keypoints", "area")(person)
            content["annotations"].append(person)
    path.write_text(json.dumps(content))
    assert doubt in notes(root) and bool(doubt) == bool(notes(root))
    content["annotations"] = content["annotations"][:7]  # too few to tell
    path.write_text(json.dumps(content))
    assert notes(root) == ""


def test_boxes_by_corners_are_refused_and_named(write):
    with pytest.raises(UserError, match=r"annotation 1: bbox \[150.0, 60.0, 240.0, 220.0\] leaves the image of 320 x"):
        read(write(corners))


@pytest.mark.parametrize(
    ("others", "sloppy"),
    [(BOXES, [5]), (BOXES, [5, 6, 7]), ([(3, 3, 310, 230)], [5])],
    ids=["one", "three", "close-ups"],
)
def test_a_few_sloppy_boxes_are_said_and_do_not_refuse_the_file(write, others, sloppy):
    """They leave their images by 10 px; as corners they would not, as boxes of close-ups in general."""
    path = annotation_path(root := write(), "val")
    content = json.loads(path.read_text())
    content["annotations"] = [stick_person(one, one % 2, others[one % len(others)]) for one in range(1, 13)]
    for one in sloppy:
        content["annotations"][one - 1] = stick_person(one, one % 2, (12, 12, 290, 210), bbox=[10, 10, WIDTH, HEIGHT])
    path.write_text(json.dumps(content))
    assert len(read(root).people()) == 12
    said = f"{len(sloppy)} of 12 people, first annotation 5: the bbox leaves the image, and holds its keypoints if"
    assert said in notes(root)


def by_centre(person):
    x, y, width, height = person["bbox"]
    person["bbox"] = [x + width / 2, y + height / 2, width, height]


def exchanged(person):
    person["bbox"] = [person["bbox"][axis] for axis in (1, 0, 3, 2)]


def one_large_person(person):
    person.update(stick_person(person["id"], person["image_id"], (5, 5, 310, 230)))
    scaled(0.4, 0.4, "keypoints")(person)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            by_centre,
            r"annotation 1: .* 3 of 4 boxes leave the image; they hold .* as \(centre x, centre y",
        ),
        (exchanged, r"annotation 1: .* they hold them as \(y, x, height, width\), or with keypoints as \(y, x\)"),
        (scaled(0.5, 0.5, "keypoints"), "annotation 1: .* keypoints times 2 lie inside"),
        (one_large_person, r"or in a small part of it, as those of 4 of 4 people; keypoints times 2\.\d lie inside"),
    ],
)
def test_boxes_that_do_not_hold_the_keypoints_are_refused_with_what_fits(write, change, message):
    with pytest.raises(UserError, match=message):
        read(write(change))


def test_one_person_beside_the_box_is_said(write):
    root = write(lambda person: person["id"] == 4 and scaled(2, 2, "keypoints")(person))
    assert len(read(root).people()) == 4
    assert "1 of 4 people, first annotation 4: most labelled keypoints lie far outside the bbox" in notes(root)


def test_boxes_that_reach_beyond_the_image_are_cut_as_before(write):
    beyond = write(lambda person: person.update(bbox=[*person["bbox"][:2], 330, 250]))
    assert len(read(beyond).people()) == 4


def test_labels_that_stand_on_their_heads_are_doubted():
    """As where y was counted from below, with boxes that were turned too."""
    entries = [stick_person(one, 1, BOXES[one % len(BOXES)]) for one in range(1, 13)]
    values = np.array([entry["keypoints"] for entry in entries], float).reshape(-1, 17, 3)
    values[:, :, 1] = np.arange(17)
    images = {1: {"height": HEIGHT, "width": WIDTH}}
    upright, turned = (LabelledPeople.of(entries, images, values * [1, sign, 1]) for sign in (1, -1))
    assert [*upside_down(upright, NAMES)] == [] == [*upside_down(turned, NAMES[1:])]
    assert [*upside_down(turned, NAMES)] == [
        "the nose of 12 of 12 people lies below their ankles: is y counted from above?"
    ]
