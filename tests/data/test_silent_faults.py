"""Annotation files that once gave wrong numbers in silence: what is computed, mapped or refused in their place."""

import json
import os
import re
from functools import partial

import numpy as np
import pytest
from pycocotools import mask

from poseur_lib.data.check import check_dataset
from poseur_lib.data.coco import annotation_path
from poseur_lib.errors import UserError
from poseur_lib.evaluation.ceiling import codec_ceiling
from tests.data.faulty import BOXES, HEIGHT, NAMES, WIDTH, notes, read, set_to, write_faulty

TO_FILE = [0, 2, 1, *range(3, 17)]  # of a file that has the right eye before the left one


@pytest.fixture
def write(tmp_path):
    return partial(write_faulty, tmp_path)


def every_visibility(value):
    def change(person):
        person["keypoints"][2::3] = [value] * 17

    return change


def test_a_sound_file_has_no_notes(write):
    root = write()
    assert len(read(root).people()) == 4 and codec_ceiling(read(root), "regression", (64, 48)).AP == pytest.approx(100)
    assert notes(root) == ""


def test_nobody_is_counted_without_a_labelled_keypoint(write):
    root = write(every_visibility(0))
    with pytest.raises(UserError, match=r"nobody is left of 4 .* 4 without a labelled keypoint") as raised:
        read(root).people()
    assert str(raised.value) in check_dataset(root).problems
    with pytest.raises(UserError, match="nobody is left"):
        codec_ceiling(read(root), "regression", (64, 48))


@pytest.mark.parametrize("stale", [0, 3, 99])
def test_num_keypoints_is_counted_and_said(write, stale):
    root = write(set_to(num_keypoints=stale))
    people = read(root)
    assert len(people.people()) == 4
    assert {entry["num_keypoints"] for entry in people.coco.dataset["annotations"]} == {17}
    said = "num_keypoints of 4 annotations is not the number of labelled keypoints, which counts"
    assert f"{said}: annotation 1 says {stale}" in notes(root)


def polygon(person):
    x, y, width, height = person["bbox"]
    person["segmentation"] = [[x, y, x + width, y, x + width, y + height / 2, x, y + height / 2]]
    person["area"] = 0


def test_areas_that_are_missing_are_computed_and_said(write):
    """Of the box 0.53, as in xtcocotools and CrowdPose's code and as converted people have it; the whole raises OKS."""
    root = write(polygon)
    assert [person.area for person in read(root).people()] == [w * h / 2 for _, _, w, h in BOXES]
    assert "area of 4 annotations is missing or 0 (first 1): computed from the segmentation of 4" in notes(root)
    for change in (set_to(area=0), set_to(area=None), lambda person: person.pop("area"),
                   set_to(area=0, segmentation=[]), set_to(area=0, segmentation="none")):  # fmt: skip
        root = write(change)
        assert [person.area for person in read(root).people()] == [0.53 * w * h for _, _, w, h in BOXES]
        assert "as 0.53 of the box of 4" in notes(root)


def test_areas_of_those_who_are_not_counted_are_computed_too_and_their_0_is_kept(write):
    def change(person):
        person.pop("area")
        if person["id"] > 1:
            person |= {"iscrowd": 1, "area": {2: 0, 3: None, 4: 7}[person["id"]]}

    root = write(change)
    areas = [entry["area"] for entry in read(root).coco.dataset["annotations"]]
    assert areas == [0.53 * BOXES[0][2] * BOXES[0][3], 0, 0.53 * BOXES[2][2] * BOXES[2][3], 7]
    assert "area of 2 annotations is missing or 0 (first 1)" in notes(root)
    assert codec_ceiling(read(root), "regression", (64, 48)).AP == pytest.approx(100)


MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[60:160, 150:200] = 1
RUNS = [int(run) for run in np.diff(np.flatnonzero(np.diff(MASK.T.ravel(), prepend=1 - MASK[0, 0], append=2)))]
TEXT = mask.encode(np.asfortranarray(MASK))["counts"].decode()
SIZE = [HEIGHT, WIDTH]


@pytest.mark.parametrize(
    ("segmentation", "area"),
    [
        ({"size": SIZE, "counts": RUNS}, 5000),
        ({"size": SIZE, "counts": TEXT}, 5000),
        ([[150, 60, 200, 60, 200, 160, 150, 160]], 5000),
        ([[-20, 60, 60, 60, 60, 160, -20, 160]], 6000),
        ({"size": [WIDTH, HEIGHT], "counts": RUNS}, None),
        ({"size": SIZE, "counts": [10**12, 5]}, None),
        ({"size": SIZE, "counts": [RUNS[0] - 5, -5, *RUNS[1:]]}, None),
        ({"size": SIZE, "counts": TEXT[:-1]}, None),
        ({"size": SIZE, "counts": f"{TEXT[:-1]}~"}, None),
        ({"size": SIZE, "counts": TEXT[:-1] + "`"}, None),
        ({"size": SIZE, "counts": "~~~~zz"}, None),
        ([[10, 10, float("inf"), 10, 50, 50]], None),
        ([[10, 10, float("nan"), 10, 50, 50]], None),
        ([[10, 10, 1e8, 10, 1e8, 1e8]], None),
        ([[0, 0, WIDTH, HEIGHT] * 4000], None),
        ([[10, 10, 50, 50]], None),
        ([[[10, 10, 50, 10, 50, 50]]], None),
        ([["a"] * 6], None),
    ],
)
def test_a_mask_that_pycocotools_cannot_take_gives_way_to_the_box(write, segmentation, area):
    root = write(set_to(area=0, segmentation=segmentation))
    assert read(root).people()[0].area == (area or 0.53 * BOXES[0][2] * BOXES[0][3])
    assert f"segmentation of {4 if area else 0} and as 0.53 of the box of {0 if area else 4}" in notes(root)


def edit(root, change):
    file = annotation_path(root, "val")
    body = json.loads(file.read_text())
    change(body)
    file.write_text(json.dumps(body))


def test_people_who_come_twice_under_other_ids_are_refused_and_some_are_said(write):
    def again(body, count):
        people = body["annotations"]
        people += [person | {"id": 47 + len(people) + index} for index, person in enumerate(people[:count])]

    said = "the same box and keypoints come before on the same image, under another id"
    root = write()
    edit(root, lambda body: again(body, 1))
    assert len(read(root).people()) == 5 and f"1 of 5 people, first annotation 51: {said}" in notes(root)
    edit(root, lambda body: again(body, 3))
    assert len(read(root).people()) == 8 and f"4 of 8 people, first annotation 51: {said}" in notes(root)
    edit(root, lambda body: again(body, 8))
    with pytest.raises(UserError, match=f"annotation 51: {said}, as 12 of 16 people"):
        read(root)


def test_a_bad_image_is_still_known_to_its_annotations(write):
    root = write()
    edit(root, lambda body: body["images"][1].update(width=0))
    problems = [line for line in check_dataset(root).problems if "val2017.json" in line]
    assert len(problems) == 1 and "image 1: width must be a positive integer" in problems[0]


def test_a_pipe_for_an_image_is_no_missing_one(write):
    root = write()
    (root / "val2017").mkdir()
    os.mkfifo(root / "val2017" / "0.jpg")
    problems = [line for line in check_dataset(root).problems if "val2017/" in line]
    assert ["image cannot be read: not a regular file (image 0)" in line for line in problems] == [True, False]
    assert "no such image (image 1)" in problems[1]


def in_file_order(person):
    points = np.array(person["keypoints"]).reshape(17, 3)
    person["keypoints"] = points[TO_FILE].reshape(-1).tolist()


SWAPPED = [NAMES[index] for index in TO_FILE]


@pytest.mark.parametrize("written", [str, str.upper, lambda name: " ".join(reversed(name.split("_"))).title()])
def test_keypoints_in_another_order_are_mapped_and_said(write, written):
    as_ours = [person.keypoints_image for person in read(write()).people()]
    root = write(in_file_order, keypoints=[written(name) for name in SWAPPED])
    np.testing.assert_array_equal([person.keypoints_image for person in read(root).people()], as_ours)
    assert "keypoints are put into the order of 'coco17'" in notes(root)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["snout", *NAMES[1:]], "not those of 'coco17': the file has snout in place of nose"),
        ([*NAMES[:16], "left_ankle"], "the file has none in place of right_ankle; a name comes twice"),
        ([name.replace("left", "right") for name in NAMES], "a name comes twice"),
    ],
)
def test_other_keypoints_are_refused_with_the_difference(write, names, message):
    root = write(keypoints=names)
    with pytest.raises(UserError, match=message):
        read(root)
    assert any(message in problem for problem in check_dataset(root).problems)


@pytest.mark.parametrize("names", [None, [], [str(index) for index in range(17)], [f"kp_{i + 1}" for i in range(17)]])
def test_an_order_that_is_not_told_is_assumed_and_said(write, names):
    root = write(keypoints=names)
    assert len(read(root).people()) == 4
    assert "the file does not name its keypoints: taken in the order of 'coco17'" in notes(root)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (set_to(iscrowd=None), "iscrowd is not said: taken as 0"),
        (set_to(iscrowd="0"), "iscrowd '0' is taken as 0"),
        (set_to(iscrowd=False), ""),
        (set_to(category_id="1"), "category_id '1' is taken as 1 (4 annotations, first 1)"),
        (set_to(category_id=1.0), ""),
        (lambda person: person.pop("category_id"), "4 annotations have no category_id: taken as people"),
    ],
)
def test_what_can_mean_one_thing_only_is_taken_as_it(write, change, note):
    root = write(change)
    assert len(read(root).people()) == 4
    assert check_dataset(root).splits[1].people == 4
    assert note in notes(root)


@pytest.mark.parametrize("crowd", [1, "1", True, "true", 1.0])
def test_crowds_however_they_are_written_are_left_out(write, crowd):
    root = write(lambda person: person.update(iscrowd=crowd if person["id"] > 1 else 0))
    assert [person.annotation_id for person in read(root).people()] == [1]


def test_a_filter_that_leaves_nobody_is_named(write):
    with pytest.raises(UserError, match=r"nobody is left of 4 .*: 4 are of other categories, 0 crowds"):
        read(write(set_to(category_id=7))).people()
    with pytest.raises(UserError, match="0 are of other categories, 4 crowds"):
        read(write(set_to(iscrowd=1))).people()


def test_the_category_may_be_text_in_the_categories_too(write):
    root = write(set_to(category_id=1), id="1")
    assert read(root).category_id == 1 and len(read(root).people()) == 4


def test_people_of_several_labelled_categories_are_refused_with_their_counts(write):
    root = write(set_to(category_id=1))
    path = annotation_path(root, "val")
    content = json.loads(path.read_text())
    content["categories"].append({"id": 2, "name": "child", "keypoints": NAMES})
    path.write_text(json.dumps(content))
    assert len(read(root).people()) == 4  # nobody is labelled as a child
    content["annotations"][1]["category_id"] = 2
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"people of 2 categories are labelled \(1 'person' 3, 2 'child' 1\)") as raised:
        read(root)
    assert str(raised.value) in check_dataset(root).problems


def test_a_category_of_very_many_digits_is_refused_by_its_annotation(write):
    with pytest.raises(UserError, match=r"annotation 1: category_id '9{79}\.\.\. is not among the categories"):
        read(write(set_to(category_id="9" * 5000)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_to(category_id=True), "category_id True is not among the categories"),
        (set_to(image_id=[1]), r"annotation 1: image_id \[1\] is not among the images"),
        (set_to(image_id=2**70), "is not among the images"),
        (set_to(id=10**400), "id must be a positive integer .* an integer of very many digits"),
        (set_to(area=1e300), "area must be finite"),
        (set_to(bbox=[0, 0, 1e30, 5]), "bbox must be in pixels"),
        (lambda person: person["keypoints"].__setitem__(0, 10**400), "keypoints must be finite numbers"),
        (lambda person: person["keypoints"].__setitem__(0, 1e30), "keypoints must be in pixels"),
    ],
)
def test_what_no_computation_could_take_is_refused_by_the_checker_too(write, change, message):
    root = write(change)
    with pytest.raises(UserError, match=message) as raised:
        read(root)
    assert str(raised.value) in check_dataset(root).problems


def test_nobody_at_all_is_a_problem_for_the_checker(write):
    root = write()
    file = annotation_path(root, "val")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"annotations": []}))
    with pytest.raises(UserError, match="nobody is left of 0 annotations") as raised:
        read(root).people()
    assert str(raised.value) in check_dataset(root).problems


@pytest.mark.parametrize("content", [b"[" * 10**5, b"9" * 5000, b"\xff\xfe\x00", b"null"])
def test_what_is_no_json_is_one_line(write, content):
    root = write()
    annotation_path(root, "val").write_bytes(content)
    with pytest.raises(UserError, match=r"val2017\.json: (JSON that is nested|a number has|not valid JSON|expected)"):
        read(root)


def test_a_pipe_is_not_waited_for(write):
    root = write()
    annotation_path(root, "val").unlink()
    os.mkfifo(annotation_path(root, "val"))
    with pytest.raises(UserError, match="not a regular file"):
        read(root)


def test_two_images_of_one_file_are_refused(write):
    """As where folders were merged that had images of one name: labels would be of another picture."""
    root = write()
    for split in ("train", "val"):
        file = annotation_path(root, split)
        content = json.loads(file.read_text())
        content["images"][1]["file_name"] = "./0.jpg"
        file.write_text(json.dumps(content))
    said = "image 1: file_name './0.jpg' is that of image 0 too"
    assert any(said in problem for problem in check_dataset(root).problems)
    with pytest.raises(UserError, match=re.escape(said)):
        read(root)
