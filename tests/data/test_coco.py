"""The index of a data set folder: who is taken, and what bad files are told."""

import json
import shutil

import cv2
import numpy as np
import pytest

from poseur_lib.data.check import check_dataset
from poseur_lib.data.coco import CocoPeople, annotation_path, clip_box, detection_path, fingerprint
from poseur_lib.data.images import read_image, read_labels
from poseur_lib.errors import UserError
from poseur_lib.keypoints import COCO_17


def write_dataset(root, change=None, detections=None):
    """A val split of one 64 x 48 image with two people; `change` may spoil the annotation file's content."""
    for folder in ("annotations", "train2017", "val2017"):
        (root / folder).mkdir(parents=True)
    cv2.imwrite(str(root / "val2017" / "a.jpg"), np.full((48, 64, 3), 90, np.uint8))
    keypoints = [value for index in range(17) for value in (10 + index, 20, 2 if index else 1)]
    person = {"image_id": 7, "category_id": 1, "bbox": [5, 6, 30, 40], "area": 700.0, "iscrowd": 0,
              "keypoints": keypoints, "num_keypoints": 17}  # fmt: skip
    dataset = {
        "images": [{"id": 7, "file_name": "a.jpg", "height": 48, "width": 64}],
        "annotations": [{**person, "id": 11}, {**person, "id": 12}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.names)}],
    }
    if change:
        change(dataset)
    annotation_path(root, "val").write_text(json.dumps(dataset))
    annotation_path(root, "train").write_text(json.dumps({**dataset, "images": [], "annotations": []}))
    if detections is not None:
        detection_path(root, "val").write_text(json.dumps(detections))
    return root


@pytest.mark.parametrize(("split", "people"), [("train", 57), ("val", 46)])
def test_real_people(coco_tiny, split, people):
    index = CocoPeople(coco_tiny, split, COCO_17)
    found = index.people()
    assert len(found) == people
    for person in found:
        annotation = index.coco.anns[person.annotation_id]
        assert not annotation["iscrowd"] and annotation["num_keypoints"] == (person.visibility > 0).sum() > 0
        assert person.image_path.is_file()
        assert person.area == annotation["area"]


def test_real_data_set_is_in_order(coco_tiny):
    report = check_dataset(coco_tiny, check_images=True)
    assert report.ok
    assert [(split.images, split.people, split.crowds, split.images_read) for split in report.splits] == [
        (50, 57, 3, 50),
        (50, 46, 4, 50),
    ]
    assert "57 labelled" in str(report)
    assert [split.images_read for split in check_dataset(coco_tiny, check_images=True, limit=3).splits] == [3, 3]


def test_who_is_left_out(tmp_path):
    def change(dataset):
        first = dataset["annotations"][0]
        dataset["annotations"] += [
            {**first, "id": 13, "iscrowd": 1},
            {**first, "id": 14, "num_keypoints": 0, "keypoints": [0] * 51},
            {**first, "id": 15, "bbox": [70, 6, 10, 10]},
            {**first, "id": 16, "area": 0},
            {**first, "id": 17, "category_id": 3, "keypoints": "of another category"},
        ]

    people = CocoPeople(write_dataset(tmp_path / "set", change), "val", COCO_17).people()
    assert [person.annotation_id for person in people] == [11, 12, 16]  # an area of 0 says nothing


def test_boxes_are_clipped_to_the_image():
    image = {"width": 640, "height": 480}
    assert clip_box([540.0, -5.0, 110.0, 20.0], image) == (540.0, 0.0, 99.0, 20.0)
    assert clip_box([0, 0, 10, 0], image) is None


def test_fingerprint_is_of_the_content(tmp_path):
    first = write_dataset(tmp_path / "a", detections=[])
    copy = shutil.copytree(first, tmp_path / "b c")
    digest = fingerprint(first)
    assert fingerprint(copy) == digest
    assert len(digest) == 16 and int(digest, 16) >= 0
    detection_path(copy, "val").write_text("[ ]")
    assert fingerprint(copy) != digest


@pytest.mark.parametrize("named", [True, False])
def test_a_keypoint_file_counts_where_it_says_the_order_of_the_labels(tmp_path, named):
    root = write_dataset(tmp_path / "set", None if named else lambda dataset: dataset["categories"][0].pop("keypoints"))
    before = fingerprint(root)
    (root / "keypoints.toml").write_text(f"names = {list(COCO_17.names)}")
    first = fingerprint(root)
    (root / "keypoints.toml").write_text(f"names = {list(COCO_17.names[::-1])}")
    assert len({before, first, fingerprint(root)}) == (1 if named else 3)


def spoil(**values):
    return lambda dataset: dataset["annotations"][1].update(values)


BAD_ENTRIES = [
    (spoil(keypoints=[1, 2, 2]), r"annotation 12: keypoints must be 51 values .* got 3 values"),
    (spoil(keypoints=[float("nan"), 2, 2] + [0] * 48), "annotation 12: keypoints must be finite"),
    (spoil(keypoints=["x", 2, 2] + [0] * 48), "annotation 12: keypoints must be finite"),
    (spoil(keypoints=[1, 2, 5] + [0] * 48), "annotation 12: visibility must be 0, 1 or 2, got 5"),
    (spoil(bbox=[1, 2, 3]), r"annotation 12: bbox must be 4 numbers, got \[1, 2, 3\]"),
    (spoil(bbox=[1, 2, 3, float("inf")]), "annotation 12: bbox must be finite"),
    (spoil(num_keypoints="17"), "annotation 12: num_keypoints must be an integer, got '17'"),
    (spoil(image_id=8), "annotation 12: image_id 8 is not among the images"),
    (spoil(area="700"), "annotation 12: area must be finite and not negative, got '700'"),
    (spoil(area=-1), "annotation 12: area must be finite and not negative, got -1"),
    (spoil(keypoints=[10**400, 2, 2] + [0] * 48), "annotation 12: keypoints must be finite"),
    (spoil(id=2**63), "annotation 9223372036854775808: id must be a positive integer"),
    (spoil(iscrowd="maybe"), "annotation 12: iscrowd must be 0 or 1, got 'maybe'"),
    (spoil(category_id="dog"), "annotation 12: category_id 'dog' is not among the categories .people are 1"),
    (spoil(category_id=0), "annotation 12: category_id 0 is not among the categories .people are 1"),
    (spoil(bbox=[20, 20, -5, 9]), "annotation 12: width and height of the bbox must not be negative"),
    (spoil(id=11), "annotation 11: a second annotation has this id"),
    (spoil(id=0), "annotation 0: id must be a positive integer"),
    (lambda dataset: dataset["images"][0].pop("file_name"), "image 7: file_name"),
    (lambda dataset: dataset["images"].append(dataset["images"][0]), "image 7: a second image"),
    (lambda dataset: dataset["categories"][0]["keypoints"].pop(), "16 keypoints, but keypoint set 'coco17' has 17"),
    (lambda dataset: dataset.update(categories=[]), "no category has a list of keypoint names"),
    (lambda dataset: dataset.update(annotations=None), "'annotations' must be a list of objects"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ENTRIES)
def test_bad_entries_are_named(tmp_path, change, message):
    root = write_dataset(tmp_path / "set", change)
    with pytest.raises(UserError, match=message) as raised:
        CocoPeople(root, "val", COCO_17)
    assert str(annotation_path(root, "val")) in str(raised.value) and "\n" not in str(raised.value)
    report = check_dataset(root)
    assert not report.ok
    assert str(raised.value) in report.problems


def test_broken_files_are_named(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such data set folder"):
        CocoPeople(tmp_path / "nowhere", "val", COCO_17)
    with pytest.raises(UserError, match="nowhere: no such data set folder"):
        check_dataset(tmp_path / "nowhere")
    root = write_dataset(tmp_path / "set")
    annotation_path(root, "val").write_text('{"images": [\n  1,,\n]}')
    with pytest.raises(UserError, match=r"person_keypoints_val2017.json: not valid JSON at line 2 column 5"):
        CocoPeople(root, "val", COCO_17)
    annotation_path(root, "val").unlink()
    with pytest.raises(UserError, match=r"person_keypoints_val2017.json: no such file"):
        CocoPeople(root, "val", COCO_17)
    assert any("no such file" in problem for problem in check_dataset(root).problems)


def test_the_person_category_may_have_any_number(tmp_path):
    def renumber(dataset):
        for entry in (*dataset["annotations"], *dataset["categories"]):
            entry["category_id" if "bbox" in entry else "id"] = 5

    found = [{**DETECTION, "category_id": 5}, DETECTION]
    index = CocoPeople(write_dataset(tmp_path / "set", renumber, found), "val", COCO_17)
    assert index.category_id == 5 and len(index.people()) == 2 and len(index.detections()) == 1


DETECTION = {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}


def test_detections_of_people_on_these_images(tmp_path):
    others = [{"category_id": 2}, {"image_id": 8}, {"bbox": [1, 2, 0, 4]}, {"score": 0.1}]
    found = [DETECTION, *({**DETECTION, **other} for other in others)]
    index = CocoPeople(write_dataset(tmp_path / "set", detections=found), "val", COCO_17)
    assert [(one.box, one.bbox_score, one.keypoints_image) for one in index.detections()] == [
        ((1.0, 2.0, 3.0, 4.0), score, None) for score in (0.5, 0.1)
    ]
    nobody = CocoPeople(write_dataset(tmp_path / "nobody", detections=found[1:2]), "val", COCO_17)
    with pytest.raises(UserError, match="no detection of a person"):
        nobody.detections()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "expected a list"),
        ([DETECTION, {**DETECTION, "bbox": [1, 2]}], r"detection 1 \(image 7\): bbox must be 4 numbers"),
        ([{**DETECTION, "score": float("nan")}], r"detection 0 \(image 7\): score must be finite"),
        ([{**DETECTION, "image_id": "7"}], "detection 0: image_id must be an integer"),
        ([3], "detection 0: expected an object"),
    ],
)
def test_bad_detections_are_named(tmp_path, content, message):
    root = write_dataset(tmp_path / "set", detections=content)
    with pytest.raises(UserError, match=message):
        CocoPeople(root, "val", COCO_17).detections()
    assert not check_dataset(root).ok


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_truncated_and_unreadable_images_are_named(tmp_path, suffix):
    root = write_dataset(tmp_path / "set")
    path = root / "val2017" / f"b{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    cv2.imwrite(str(path), noise)
    assert read_image(path).shape == (48, 64, 3)
    whole = path.read_bytes()
    for share in (0.5, 0.9, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(UserError, match=rf"b\{suffix}: image file is truncated"):
            read_image(path)
    path.write_bytes(b"not an image")
    with pytest.raises(UserError, match="not a readable image"):
        read_image(path)
    with pytest.raises(UserError, match=r"c.jpg: image cannot be read: No such file"):
        read_image(path.with_name("c.jpg"))


def test_read_image_is_rgb_and_labels_are_kept(tmp_path):
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert read_image(tmp_path / "red.png")[0, 0].tolist() == [255, 0, 0]
    labels = np.arange(14, dtype=np.uint8).reshape(2, 7)
    cv2.imwrite(str(tmp_path / "labels.png"), labels)
    assert read_labels(tmp_path / "labels.png").tolist() == labels.tolist()
    with pytest.raises(UserError, match="one 8-bit channel"):
        read_labels(tmp_path / "red.png")


def test_check_finds_missing_damaged_and_resized_images(tmp_path):
    def change(dataset):
        first = dataset["images"][0]
        dataset["images"] += [{**first, "id": 8, "file_name": "b.jpg"}, {**first, "id": 9, "file_name": "c.jpg"}]
        first["width"] = 65

    root = write_dataset(tmp_path / "set", change)
    (root / "val2017" / "b.jpg").write_bytes((root / "val2017" / "a.jpg").read_bytes()[:300])
    quick, thorough = check_dataset(root), check_dataset(root, check_images=True)
    nobody, missing = [problem.split(": ")[1] for problem in quick.problems]
    assert nobody.startswith("nobody is left of 0 annotations") and missing == "no such image (image 9)"
    text = str(thorough)
    assert "c.jpg: no such image (image 9)" in text
    assert "b.jpg: image file is truncated" in text
    assert "image is 64 x 48, but the annotation file says 65 x 48 (image 7)" in text
    assert thorough.splits[1].images_missing == 1
