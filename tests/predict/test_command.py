"""`poseur predict`, called as from a shell: what it writes, says and returns."""

import contextlib
import errno
import io
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO

from poseur_lib.data.image_digests import digest_of_content, write_digests
from poseur_lib.predict import detector, folder
from poseur_lib.predict.people import PersonBox
from poseur_lib.predict.predictor import Poseur
from poseur_study.cli.main import main
from tests.predict.conftest import noise, write_checkpoint, write_image
from tests.training.tiny import write_people


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with two images, to work in."""
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "in" / "one.png", noise(seed=1))
    write_image(tmp_path / "in" / "two.jpg", noise(50, 40, seed=2))
    return tmp_path


@pytest.fixture
def predict(checkpoint):
    def run(*arguments: object) -> int:
        return main(["predict", *map(str, arguments), "--checkpoint", str(checkpoint), "--device", "cpu"])

    return run


def results(out: str = "predictions") -> list[dict]:
    return json.loads(Path(out, "predictions.json").read_text())


def load(out: str) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(Path(out, "images.json")).loadRes(str(Path(out, "predictions.json")))


def test_a_folder_becomes_pictures_and_coco_results(here, predict, capsys):
    assert predict("in") == 0
    assert sorted(os.listdir("predictions")) == ["images.json", "one.png", "predictions.json", "two.jpg"]
    coco = load("predictions")
    assert [coco.imgs[number]["file_name"] for number in (1, 2)] == ["in/one.png", "in/two.jpg"]
    assert {key: coco.imgs[2][key] for key in ("height", "width", "picture")} == {
        "height": 50, "width": 40, "picture": "two.jpg",
    }  # fmt: skip
    assert [len(coco.imgToAnns[number]) for number in (1, 2)] == [1, 1]
    (person,) = coco.loadCats(1)
    assert person["keypoints"][0] == "nose" and [16, 14] in person["skeleton"]
    picture = cv2.imread("predictions/one.png")
    assert picture.shape == (60, 80, 3) and not np.array_equal(picture[..., ::-1], noise(seed=1))
    assert "2 people on 2 images" in capsys.readouterr().out


def test_results_are_those_of_the_library(here, predict, checkpoint):
    boxes = {"one.png": [[5, 5, 30, 40], [40, 5, 30, 50, 0.5]]}
    Path("boxes.json").write_text(json.dumps(boxes))
    assert predict("in/one.png", "--boxes", "boxes.json", "--no-nms", "--plain", "--no-flip") == 0
    poseur = Poseur.from_pretrained(checkpoint, device="cpu", fast=False, flip=False)
    expected = poseur.predict("in/one.png", [PersonBox((5, 5, 30, 40)), PersonBox((40, 5, 30, 50), 0.5)])
    assert results() == expected.to_coco(image_id=1)
    assert np.array_equal(cv2.imread("predictions/one.png")[..., ::-1], expected.draw())


@pytest.mark.parametrize("boxes", ["ground_truth", "file"])
def test_results_are_those_of_evaluate(tmp_path, monkeypatch, predict, checkpoint, boxes):
    monkeypatch.chdir(tmp_path)
    root = write_people(tmp_path / "data", train=1, val=5)
    file = root / "annotations" / "person_keypoints_val2017.json"
    if boxes == "file":
        near = [{"image_id": k, "category_id": 1, "bbox": [10 + j, 9, 50, 70], "score": 0.9 - j / 10}
                for k in range(5) for j in range(3)]  # fmt: skip
        file = tmp_path / "boxes.json"
        file.write_text(json.dumps(near))
    evaluated = ["--checkpoint", checkpoint, "--data", root, "--device", "cpu", "--output", "evaluated.json"]
    given = "ground_truth" if boxes == "ground_truth" else file
    assert main(["evaluate", *map(str, evaluated), "--boxes", str(given)]) == 0
    assert predict(root / "val2017", "--boxes", file, "--no-images") == 0
    assert sorted(os.listdir("predictions")) == ["images.json", "predictions.json"]
    assert results() == json.loads(Path("evaluated.json").read_text())


def test_batches_do_not_change_the_results(here, predict):
    for number in range(5):
        write_image(here / "in" / f"{number}.png", noise(seed=number))
    assert predict("in", "--out", "whole", "--no-images") == 0
    assert predict("in", "--out", "parts", "--no-images", "--batch", "2") == 0
    whole, parts = results("whole"), results("parts")
    assert [one["image_id"] for one in whole] == [one["image_id"] for one in parts] == list(range(1, 8))
    for one, other in zip(whole, parts, strict=True):
        assert np.allclose(one["keypoints"], other["keypoints"], atol=1e-3)


def test_unreadable_images_are_named_left_out_and_the_exit_code_is_1(here, predict, capsys):
    Path("in/broken.png").write_bytes(b"no image")
    content = Path("in/two.jpg").read_bytes()
    Path("in/cut.jpg").write_bytes(content[: len(content) // 2])
    assert predict("in", "gone.jpg") == 1
    printed = capsys.readouterr().out
    assert "skipped: in/broken.png: not a readable image (8 bytes)" in printed
    assert "skipped: in/cut.jpg: image file is truncated" in printed
    assert "skipped: gone.jpg: image cannot be read: No such file or directory" in printed
    assert "2 people on 2 images, 3 skipped" in printed
    assert [image["file_name"] for image in load("predictions").dataset["images"]] == ["in/one.png", "in/two.jpg"]


def test_nothing_readable_leaves_no_results(here, predict, capsys):
    assert predict("gone.jpg") == 1
    assert "0 people on 0 images, 1 skipped" in capsys.readouterr().out
    assert os.listdir("predictions") == []


def test_a_box_outside_its_image_is_named_and_the_image_left_out(here, predict, capsys):
    Path("boxes.json").write_text(json.dumps({"one.png": [[500, 5, 30, 40]], "two.jpg": [[1, 1, 30, 40]]}))
    assert predict("in", "--boxes", "boxes.json") == 1
    said = "skipped: in/one.png: box (500.0, 5.0, 30.0, 40.0) lies outside the image of 80 x 60"
    assert said in capsys.readouterr().out
    assert len(results()) == 1


def test_results_alone_may_lie_beside_the_images(here, predict):
    assert predict("in", "--out", "in", "--no-images") == 0
    assert sorted(os.listdir("in")) == ["images.json", "one.png", "predictions.json", "two.jpg"]
    assert len(results("in")) == 2


@pytest.mark.parametrize("film", [[], ["--fps", "5"]])
def test_the_digests_of_a_data_set_s_images_are_not_overwritten(here, predict, capsys, film):
    write_digests(here, {"in/one.png": digest_of_content(b"")})
    before = Path("images.json").read_bytes()
    assert predict("in/one.png", "--out", ".", "--no-images", *film) == 1
    assert "images.json is not one of predictions, and would be overwritten" in capsys.readouterr().err
    assert Path("images.json").read_bytes() == before and not Path("predictions.json").exists()
    for _ in range(2):
        assert predict("in/one.png", "--no-images", *film) == 0


def test_an_earlier_call_s_results_are_not_taken_for_this_one_s(here, predict, capsys):
    assert predict("in/one.png") == 0
    capsys.readouterr()
    assert predict("gone.jpg") == 1
    assert "nothing is written: predictions/predictions.json is an earlier call's" in capsys.readouterr().out


def test_an_unknown_detector_is_told_before_a_checkpoint_is_read(here, capsys):
    assert main(["predict", "in", "--checkpoint", "gone.pt", "--detector", "yolo"]) == 1
    assert "unknown detector 'yolo'" in capsys.readouterr().err


def test_ids_of_a_file_of_boxes_that_cannot_be_kept_are_said(here, predict, capsys):
    """COCO annotations that know only one of two images, by the id 7."""
    person = {"id": 1, "image_id": 7, "bbox": [1, 1, 30, 40], "keypoints": [5, 5, 2] * 17, "num_keypoints": 17}
    image = {"id": 7, "file_name": "one.png", "width": 80, "height": 60}
    Path("boxes.json").write_text(json.dumps({"images": [image], "annotations": [person]}))
    assert predict("in/one.png", "--boxes", "boxes.json") == 0
    assert [one["image_id"] for one in results()] == [7] and "cannot be kept" not in capsys.readouterr().out
    assert predict("in", "--boxes", "boxes.json") == 1
    assert "give --renumber" in capsys.readouterr().err
    assert predict("in", "--boxes", "boxes.json", "--fps", "5") == 1
    assert "give --renumber" in capsys.readouterr().err
    assert predict("in", "--boxes", "boxes.json", "--renumber") == 0
    assert [one["image_id"] for one in results()] == [1]
    said = "in/two.jpg is not in the file of boxes or names, so its image ids cannot be kept"
    assert said in capsys.readouterr().out


def test_an_image_without_a_person_is_written_as_it_is(here, predict, capsys):
    Path("boxes.json").write_text(json.dumps({"one.png": [], "two.jpg": [[1, 1, 30, 40]]}))
    assert predict("in", "--boxes", "boxes.json") == 0
    assert "no person: in/one.png" in capsys.readouterr().out
    assert np.array_equal(cv2.imread("predictions/one.png"), cv2.imread("in/one.png"))
    assert [one["image_id"] for one in results()] == [2]
    assert len(json.loads(Path("predictions/images.json").read_text())["images"]) == 2


def test_images_of_one_name_and_an_image_given_twice(here, predict, capsys):
    write_image(here / "other" / "one.png", noise(seed=5))
    assert predict("in/one.png", "other/one.png", "./in/one.png") == 0
    assert "1 of the images given again" in capsys.readouterr().out
    assert sorted(path.name for path in Path("predictions").glob("*.png")) == ["one-2.png", "one.png"]


def test_a_phone_s_photo_is_upright(here, predict):
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(noise()).save("phone.jpg", exif=exif)
    assert predict("phone.jpg") == 0
    assert Image.open("predictions/phone.jpg").size == (60, 80)
    assert Image.open("predictions/phone.jpg").getexif().get(0x112) is None
    (image,) = json.loads(Path("predictions/images.json").read_text())["images"]
    assert (image["width"], image["height"]) == (60, 80)


def test_a_detector_finds_the_people(here, predict, monkeypatch, capsys):
    class Finder:
        def boxes(self, path, image):
            return [PersonBox((1, 1, 30, 40), 0.7)] if path.name == "one.png" else []

    asked = []
    monkeypatch.setattr(detector, "load_detector", lambda *given: asked.append(given[:2]) or Finder())
    assert predict("in", "--detector", "torchvision-light", "--box-threshold", "0.3") == 0
    assert predict("in", "--detector", "torchvision") == 0
    assert asked == [("torchvision-light", 0.3), ("torchvision", 0.5)]
    assert "no person: in/two.jpg" in capsys.readouterr().out
    assert [one["image_id"] for one in results()] == [1]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["in", "--boxes", "b.json", "--detector", "torchvision"], "--boxes b.json and --detector torchvision"),
        (
            ["in", "--box-threshold", "0.3"],
            "box_threshold 0.3: it finds nobody itself: give boxes",
        ),
        (["in", "--boxes", "b.json"], "b.json: no such file"),
        (["empty"], "folder empty holds no image"),
        (["in/*.bmp"], "pattern 'in/*.bmp' fits no file"),
        (["in", "--out", "in"], "in/one.png would overwrite an image"),
        (["in", "--precision", "8"], "unknown precision '8'"),
        (["in", "--keypoint-score", "lapalce"], "unknown keypoint score 'lapalce': did you mean 'laplace'?"),
        (["in", "--instance-score", "boxes"], "unknown instance score 'boxes': did you mean 'box'?"),
        (["in", "--flip-fusion", "type3"], "unknown flip fusion 'type3'"),
        (["in", "--detector", "yolo"], "unknown detector 'yolo'"),
        (["in", "--out", "in/one.png"], "results cannot be written to in/one.png"),
    ],
)
def test_a_wrong_command_line_is_one_line(here, predict, capsys, arguments, line):
    Path("empty").mkdir()
    assert predict(*arguments) == 1
    (printed,) = capsys.readouterr().err.splitlines()
    assert line in printed


def test_ctrl_c_keeps_what_is_done(here, predict, monkeypatch, capsys):
    write_image(here / "in" / "three.png", noise(seed=3))
    chunks = []

    def interrupted(self, images, boxes, **options):
        chunks.append(images)
        if len(chunks) == 3:
            raise KeyboardInterrupt
        return original(self, images, boxes, **options)

    original = Poseur.predict_batch
    monkeypatch.setattr(Poseur, "predict_batch", interrupted)
    assert predict("in", "--batch", "1") == 130
    assert "interrupted: 2 of 3 images are done, their results are in predictions" in capsys.readouterr().err
    assert [image["file_name"] for image in load("predictions").dataset["images"]] == ["in/one.png", "in/three.png"]
    assert sorted(path.name for path in Path("predictions").glob("*.png")) == ["one.png", "three.png"]


def test_a_full_disk_is_one_line_and_no_file_is_half(here, predict, monkeypatch, capsys):
    original = folder.write_atomically

    def full(path, content):
        if path.name == "two.jpg":
            raise OSError(errno.ENOSPC, "No space left on device")
        original(path, content)

    monkeypatch.setattr(folder, "write_atomically", full)
    assert predict("in", "--batch", "1") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "poseur: predictions/two.jpg cannot be written: No space left on device"
    assert sorted(os.listdir("predictions")) == ["images.json", "one.png", "predictions.json"]
    assert len(results()) == 1


def test_mpii_s_skeleton_goes_with_mpii_s_checkpoint(here, mpii_checkpoint):
    assert main(["predict", "in", "--checkpoint", str(mpii_checkpoint), "--device", "cpu", "--threshold", "0"]) == 0
    (person,) = load("predictions").loadCats(1)
    assert person["keypoints"][0] == "right_ankle" and len(person["keypoints"]) == 16
    assert {len(one["keypoints"]) for one in results()} == {48}


def test_one_image_that_cannot_be_predicted_on_does_not_stop_the_others(here, predict, monkeypatch, capsys):
    given = Poseur.predict_batch

    def fails(self, images, boxes, **options):
        if any(image.shape[:2] == (50, 40) for image in images):
            raise RuntimeError("a kernel's words")
        return given(self, images, boxes, **options)

    monkeypatch.setattr(Poseur, "predict_batch", fails)
    assert predict("in", "--no-images") == 1
    assert "skipped: in/two.jpg: cannot be used: a kernel's words" in capsys.readouterr().out
    assert len(results()) == 1


def test_a_model_of_generated_people_says_so_on_the_console_and_below_the_pictures(here, tmp_path, capsys):
    checkpoint = write_checkpoint(tmp_path / "generated.pt", generated_data=True)
    given = ["predict", "in", "--checkpoint", str(checkpoint), "--device", "cpu"]
    assert main(given) == 0
    said = capsys.readouterr().out
    assert "generated.pt: It knows only generated people: on photographs of real ones" in said
    picture = cv2.imread("predictions/one.png")
    height, width = picture.shape[:2]
    assert width == 80 and height > 60 and (picture[60:] > 200).any(), "white letters on a strip below the image"
    (one, _) = json.loads(Path("predictions/images.json").read_text())["images"]
    assert (one["width"], one["height"]) == (80, 60), "of the image that the keypoints are of"


def test_a_record_beside_an_older_checkpoint_tells_it_too(here, checkpoint, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    content = torch.load(checkpoint, weights_only=True)
    del content["generated_data"]
    torch.save(content, tmp_path / "run" / "model.pt")
    for generated in (True, False):
        (tmp_path / "run" / "record.json").write_text(
            json.dumps({"record": {"provenance": {"generated_data": generated}}})
        )
        assert main(["predict", "in", "--checkpoint", str(tmp_path / "run"), "--device", "cpu"]) == 0
        assert ("only generated people" in capsys.readouterr().out) == generated


def test_what_poses_depend_on_is_said(here, predict, checkpoint, tmp_path, capsys):
    """As by `poseur evaluate`: input size, scores, and OKS constants that nobody gave, which OKS-NMS takes."""
    assert predict("in/one.png") == 0
    assert f"{checkpoint}: coco17; input 64x48, RGB by ImageNet's mean" in capsys.readouterr().out
    star = {"name": "star", "names": ["a", "b", "c"]}
    own = write_checkpoint(tmp_path / "own.pt", **{"data.keypoint_set": star})
    assert main(["predict", "in/one.png", "--checkpoint", str(own), "--device", "cpu"]) == 0
    assert "OKS constants 0.05 for every keypoint, as no sigmas are given" in capsys.readouterr().out


def test_people_taken_for_whole_images_are_said_and_technical_lines_only_when_asked(here, predict, capsys):
    whole = "each whole image was taken as one person"
    assert predict("in") == 0
    said = capsys.readouterr().out
    assert whole in said and "batch norms" not in said and "only generated" not in said
    Path("boxes.json").write_text(json.dumps({"one.png": [[1, 1, 30, 40]]}))
    assert predict("in/one.png", "--boxes", "boxes.json", "--verbose") == 0
    said = capsys.readouterr().out
    assert whole not in said and "batch norms folded" in said
