"""Boxes from a file: the three forms, which image is meant, and bad entries by name."""

import json
from pathlib import Path

import pytest

from poseur_lib.data.coco import CocoPeople
from poseur_lib.errors import UserError
from poseur_lib.keypoints import COCO_17
from poseur_lib.predict.boxes_file import known_ids, read_boxes
from poseur_lib.predict.files import image_ids
from poseur_lib.predict.people import PersonBox
from tests.predict.conftest import noise, write_image
from tests.training.tiny import write_people

A, B = Path("a/photo.jpg"), Path("b/photo.jpg")
NUMBERED = Path("val/000000000785.jpg")
IMAGES = [{"id": 7, "file_name": "photo.jpg", "width": 80, "height": 60}]


@pytest.fixture
def write(tmp_path):
    def write(content) -> Path:
        path = tmp_path / "boxes.json"
        path.write_text(json.dumps(content))
        return path

    return write


def test_by_name(write):
    path = write({"photo.jpg": [[1, 2, 3, 4], [5, 6, 7, 8, 0.5]], "other.jpg": [[1, 1, 1, 1]]})
    read = read_boxes(path, [A])
    assert read.of_image == {A: [PersonBox((1, 2, 3, 4)), PersonBox((5, 6, 7, 8), 0.5)]}
    assert read.ids == {}
    assert read_boxes(path, [A], min_score=0.6).of_image == {A: [PersonBox((1, 2, 3, 4))]}


def test_as_much_of_the_path_as_tells_two_images_apart(write):
    assert read_boxes(write({"b/photo.jpg": [[1, 2, 3, 4]]}), [A, B]).of_image == {B: [PersonBox((1, 2, 3, 4))]}
    with pytest.raises(UserError, match=r"'photo.jpg' fits 2 of the images: a/photo.jpg, b/photo.jpg"):
        read_boxes(write({"photo.jpg": [[1, 2, 3, 4]]}), [A, B])


def test_a_name_may_be_the_number(write):
    assert read_boxes(write({"785": [[1, 2, 3, 4]]}), [NUMBERED, A]).of_image == {NUMBERED: [PersonBox((1, 2, 3, 4))]}


def frames_from_0(tmp_path, names="names.json") -> list[Path]:
    """frame_0001.jpg and on, whose ids a file counts from 0."""
    frames = [tmp_path / "frames" / f"frame_{number:04}.jpg" for number in range(1, 5)]
    images = [{"id": at, "file_name": path.name, "width": 80, "height": 60} for at, path in enumerate(frames)]
    category = {"id": 3, "name": "person"}
    (tmp_path / names).parent.mkdir(exist_ok=True)
    (tmp_path / names).write_text(json.dumps({"images": images, "annotations": [], "categories": [category]}))
    return frames


def test_names_that_are_numbers_are_ids_and_no_digits_of_other_names(write, tmp_path):
    frames = frames_from_0(tmp_path)
    path = write({str(number): [[number, 1, 5, 5]] for number in range(4)})
    with pytest.raises(UserError, match=r"image ids only, and the digits in frame_0001\.jpg need not be one"):
        read_boxes(path, frames)
    coco = [Path(f"{number:012}.jpg") for number in range(1, 5)]
    with pytest.raises(UserError, match="image ids count from 0, and file names from 1"):
        read_boxes(path, coco)
    read = read_boxes(path, frames, names=tmp_path / "names.json")
    assert [read.of_image[frame][0].box[0] for frame in frames] == [0, 1, 2, 3]
    assert [read.ids[frame] for frame in frames] == [0, 1, 2, 3] and read.category_id == 3
    with pytest.raises(UserError, match="two names are one number"):
        read_boxes(write({"1": [[1, 2, 3, 4]], "01": [[1, 2, 3, 4]]}), coco)
    with pytest.raises(UserError, match=r"--names .*names\.json: .* says itself which image has which id"):
        read_boxes(write({"images": IMAGES, "annotations": []}), [A], names=tmp_path / "names.json")
    by_name = read_boxes(write({"frame_0001.jpg": [[1, 2, 3, 4]]}), frames, names=tmp_path / "names.json")
    assert by_name.ids == {} and known_ids(frames, tmp_path / "names.json").ids[frames[0]] == 0


def test_people_may_be_category_0_of_the_names_and_of_the_boxes(write, tmp_path):
    image, names = Path("frame.jpg"), tmp_path / "names.json"
    people = {"images": [{**IMAGES[0], "file_name": "frame.jpg"}], "categories": [{"id": 0, "name": "person"}]}
    names.write_text(json.dumps(people))
    entries = [{"image_id": 7, "category_id": one, "bbox": [one, 2, 3, 4], "score": 1} for one in (1, 0)]
    assert read_boxes(write(entries), [image], names=names).of_image == {image: [PersonBox((0, 2, 3, 4))]}


def test_ids_of_a_data_set_s_images_are_its_own_without_boxes_too(tmp_path, capsys):
    frames = frames_from_0(tmp_path, "annotations/person_keypoints_frames.json")
    known = known_ids(frames)
    assert image_ids(frames, known.ids) == [0, 1, 2, 3] and known.category_id == 3 and known.of_image == {}
    assert "which image has which id is taken from" in capsys.readouterr().err
    assert known_ids([A]).ids == {}
    with pytest.raises(UserError, match="none of the 1 images is in it"):
        known_ids([A], tmp_path / "annotations" / "person_keypoints_frames.json")


def test_one_name_with_two_lists_of_boxes_is_refused(write, tmp_path):
    twice = tmp_path / "twice.json"
    twice.write_text('{"photo.jpg": [[1, 2, 3, 4]], "photo.jpg": [[5, 6, 7, 8]]}')
    with pytest.raises(UserError, match=r"twice\.json: 'photo\.jpg' comes twice in one object, with different values"):
        read_boxes(twice, [A])
    twice.write_text('{"photo.jpg": [[1, 2, 3, 4]], "photo.jpg": [[1, 2, 3, 4]]}')
    assert len(read_boxes(twice, [A]).of_image[A]) == 1


def test_a_name_may_be_the_whole_path(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = tmp_path / "folder" / "photo.jpg"
    for image in (whole, Path("folder/photo.jpg"), Path("folder/../folder/photo.jpg")):
        for name in (whole, image, f"{tmp_path}/./folder/photo.jpg"):
            assert read_boxes(write({str(name): [[1, 2, 3, 4]]}), [image]).of_image[image]
        assert known_ids([image], write({"images": [{**IMAGES[0], "file_name": str(whole)}]})).ids == {image: 7}
    with pytest.raises(UserError, match="none of the 1 images is in it"):
        read_boxes(write({"/photo.jpg": [[1, 2, 3, 4]]}), [whole])


def test_boxes_without_width_or_height_are_left_out_and_said(write, capsys):
    read = read_boxes(write({"photo.jpg": [[1, 2, 0, 4], [1, 2, 3, 4]]}), [A])
    assert read.of_image == {A: [PersonBox((1, 2, 3, 4))]}
    said = "boxes.json: 1 without width or height are left out: 'photo.jpg', box 0"
    assert said in capsys.readouterr().err
    assert read_boxes(write([{"image_id": 785, "bbox": [1, 2, 3, 0], "score": 1}]), [NUMBERED]).of_image == {
        NUMBERED: []
    }
    assert "left out: detection 0 (image 785)" in capsys.readouterr().err


def test_images_of_the_file_that_are_not_given_are_said(write, capsys):
    read_boxes(write({"photo.jpg": [[1, 2, 3, 4]], "x.jpg": [], "y.jpg": []}), [A])
    assert "2 of its 3 images are not among those given, as 'x.jpg'" in capsys.readouterr().err


def test_images_of_the_names_alone_are_no_images_of_the_boxes(write, tmp_path, capsys):
    frames = frames_from_0(tmp_path)
    path = write([{"image_id": number, "bbox": [1, 2, 3, 4], "score": 1} for number in (0, 3)])
    read_boxes(path, frames[:2], names=tmp_path / "names.json")
    assert f"{path}: 1 of its 2 images are not among those given, as 'frame_0004.jpg'" in capsys.readouterr().err


def test_an_image_that_is_listed_twice_is_refused(write):
    content = {"images": [*IMAGES, {**IMAGES[0], "id": 8}], "annotations": []}
    with pytest.raises(UserError, match=r"'photo\.jpg' is the file_name of several images"):
        read_boxes(write(content), [A])


def test_coco_results_go_by_number_and_only_people_count(write):
    person = {"image_id": 785, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}
    path = write([person, {**person, "category_id": 3}, {**person, "image_id": 1}, {**person, "score": 0.1}])
    read = read_boxes(path, [NUMBERED], min_score=0.5)
    assert read.of_image == {NUMBERED: [PersonBox((1, 2, 3, 4), 0.9)]}


def test_annotations_go_by_file_name_and_tell_the_ids(write):
    entry = {"id": 1, "image_id": 7, "bbox": [1, 2, 30, 40], "category_id": 5}
    content = {
        "images": IMAGES,
        "annotations": [entry, {**entry, "category_id": 6}, {**entry, "iscrowd": 1}, {**entry, "num_keypoints": 0},
                        {**entry, "bbox": [70, 50, 30, 30]}],
        "categories": [{"id": 6, "name": "dog"}, {"id": 5, "name": "person"}],
    }  # fmt: skip
    read = read_boxes(write(content), [A])
    assert read.of_image == {A: [PersonBox((1, 2, 30, 40)), PersonBox((70, 50, 9, 9))]}  # cut as evaluate cuts
    assert read.ids == {A: 7} and image_ids([A], read.ids) == [7]
    assert image_ids([A, B], read.ids) == [1, 2]


def test_crops_that_leave_the_image_by_design_are_taken(write, tmp_path):
    """As MPII's: read as corners, this one would lie in its image."""
    image = write_image(tmp_path / "photo.jpg", noise())
    entry = {"id": 1, "image_id": 7, "bbox": [30, 20, 30, 20]}

    def boxes(*crop):
        content = {"images": IMAGES, "annotations": [entry | {"crop_box": crop}]}
        return [box.box for box in read_boxes(write(content), [image]).of_image[image]]

    assert boxes(20, 10, 70, 60) == [(20, 10, 70, 60)]
    with pytest.raises(UserError, match="is a fraction of the image"):
        boxes(0.2, 0.1, 0.7, 0.6)


def test_the_people_s_category_is_told_and_not_the_first_one(write, capsys):
    def boxes(*categories):
        entries = [{"image_id": 7, "bbox": [one, 2, 3, 4], "category_id": one} for one in (1, 2)]
        return read_boxes(write({"images": IMAGES, "annotations": entries, "categories": categories}), [A]).of_image[A]

    car, walker = {"id": 1, "name": "car"}, {"id": 2, "name": "pedestrian"}
    with pytest.raises(UserError, match=r"boxes.json: which category are the people\? 1 'car', 2 'pedestrian': name"):
        boxes(car, walker)
    for one in (walker | {"name": "person"}, walker | {"keypoints": ["nose"]}):
        assert boxes(car, one) == [PersonBox((2, 2, 3, 4))]
    assert "is taken for people" not in capsys.readouterr().err
    assert boxes(car) == [PersonBox((1, 2, 3, 4))]
    assert "boxes.json: its only category, 1 'car', is taken for people" in capsys.readouterr().err


@pytest.mark.parametrize("unsaid", [{}, {"category_id": None}])
def test_annotations_without_a_category_are_people(write, unsaid):
    entry = {"image_id": 7, "bbox": [1, 2, 3, 4]} | unsaid
    content = {"images": IMAGES, "annotations": [entry], "categories": [{"id": 5, "name": "person"}]}
    assert read_boxes(write(content), [A]).of_image == {A: [PersonBox((1, 2, 3, 4))]}


def test_a_name_of_very_many_digits_is_no_image(write):
    with pytest.raises(UserError, match="none of the 1 images is in it"):
        read_boxes(write({"9" * 5000: [[1, 2, 3, 4]]}), [NUMBERED])


def test_a_data_set_s_own_annotations_give_the_people_that_are_evaluated(tmp_path):
    root = write_people(tmp_path / "data", train=1, val=3)
    images = sorted((root / "val2017").iterdir())
    read = read_boxes(root / "annotations" / "person_keypoints_val2017.json", images)
    people = CocoPeople(root, "val", COCO_17).people()
    assert [(person.image_path, person.box) for person in people] == [
        (image, box.box) for image in images for box in read.of_image[image]
    ]


def test_coco_s_own_annotations_give_the_people_that_are_evaluated(coco_tiny):
    images = sorted((coco_tiny / "val2017").iterdir())
    read = read_boxes(coco_tiny / "annotations" / "person_keypoints_val2017.json", images)
    people = CocoPeople(coco_tiny, "val", COCO_17).people()
    assert {(read.ids[image], box.box) for image, boxes in read.of_image.items() for box in boxes} == {
        (person.image_id, person.box) for person in people
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text", "expected COCO results"),
        ({"photo.jpg": [1, 2, 3, 4]}, "'photo.jpg': expected a list of boxes"),
        ({"photo.jpg": [[1, 2, 3]]}, r"'photo.jpg', box 0: bbox must be 4 numbers, got \[1, 2, 3\]"),
        ({"photo.jpg": [[1, 2, 3, 4, "high"]]}, "'photo.jpg', box 0: score must be finite, got 'high'"),
        ({"photo.jpg": [[1, 2, 3, 4, 1, 1]]}, "'photo.jpg', box 0: bbox must be 4 numbers, or 5"),
        ([{"image_id": 1, "bbox": [1, 2, 3], "score": 1}], "detection 0 .image 1.: bbox must be 4 numbers"),
        ([{"image_id": 1, "bbox": [1, 2, 3, 3]}], "score must be finite, got None"),
        ({"images": IMAGES, "annotations": [{"id": 4, "image_id": 8}]}, "annotation 4: image_id 8"),
        ({"images": IMAGES, "annotations": [{"id": 4, "image_id": 7, "bbox": None}]}, "annotation 4: bbox must be"),
        ({"images": [*IMAGES, {**IMAGES[0], "file_name": "b.jpg"}], "annotations": []}, "image 1: a second .* id 7"),
        ({"photo.jpg": [[1, 2, 3, 4]], "a/photo.jpg": []}, "'photo.jpg' and 'a/photo.jpg' are both a/photo.jpg"),
        ({"images": [{"id": 7}], "annotations": []}, "image 0: file_name must be a file's name, got None"),
        ({"images": {}, "annotations": []}, "'images' must be a list"),
        ({"other.jpg": [[1, 2, 3, 4]]}, "none of the 1 images is in it .it has: other.jpg"),
        ({}, "none of the 1 images is in it .it has: none"),
    ],
)  # fmt: skip
def test_what_is_bad_is_named(write, content, message):
    with pytest.raises(UserError, match=message):
        read_boxes(write(content), [A])
