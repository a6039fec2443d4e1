"""test-dev2017: images without labels, and the ZIP that COCO's server takes."""

import json
import math
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from poseur_lib.checkpoints.checkpoint import name_of, save_weights
from poseur_lib.errors import UserError
from poseur_lib.evaluation import test_dev as module
from poseur_lib.evaluation.test_dev import IMAGES, TestDev, method_name, write_submission
from poseur_lib.models.build import build_model
from poseur_study.cli.main import app
from tests.training.tiny import tiny_config


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three images, people on two of them, one box on an image that is not of test-dev."""
    monkeypatch.setattr(module, "IMAGES", 3)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "test2017").mkdir()
    images = [{"id": number, "file_name": f"{number:012d}.jpg", "height": 60, "width": 80} for number in (1, 5, 9)]
    categories = [{"id": 1, "name": "person", "supercategory": "person"}, {"id": 2, "name": "bicycle"}]
    content = {"info": {}, "licenses": [], "images": images, "categories": categories}
    (tmp_path / "annotations" / "image_info_test-dev2017.json").write_text(json.dumps(content))
    for one in images:
        cv2.imwrite(str(tmp_path / "test2017" / one["file_name"]), np.full((60, 80, 3), 90, np.uint8))
    boxes = [{"image_id": image, "category_id": 1, "bbox": [5 + 9 * n, 5, 30, 40], "score": 0.9 - 0.1 * n}
             for image, people in ((1, 2), (5, 1), (7, 1)) for n in range(people)]  # fmt: skip
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    config = tiny_config()
    save_weights(tmp_path / "my model.pt", build_model(config), config, False)
    return tmp_path


def evaluate(folder, *more):
    where = ["--checkpoint", str(folder / "my model.pt"), "--data", str(folder), "--split", "test-dev2017"]
    return CliRunner().invoke(app, ["evaluate", *where, "--device", "cpu", "--plain", *more])


def test_the_zip_is_what_the_server_takes(folder):
    result = evaluate(folder, "--boxes", str(folder / "boxes.json"), "--output", str(folder / "out"))
    assert result.exit_code == 0, f"{result.output} {result.exception}"
    assert "people on 2 of 3 images of test-dev2017" in result.output and "upload it" in result.output
    stem = "person_keypoints_test-dev2017_my-model_results"
    with zipfile.ZipFile(folder / "out" / f"{stem}.zip") as archive:
        assert archive.namelist() == [f"{stem}.json"]
        results = json.loads(archive.read(f"{stem}.json"))
    assert {one["image_id"] for one in results} == {1, 5}
    for one in results:
        assert set(one) == {"image_id", "category_id", "keypoints", "score"} and one["category_id"] == 1
        assert len(one["keypoints"]) == 51 and all(map(math.isfinite, [*one["keypoints"], one["score"]]))
    before = (folder / "out" / f"{stem}.zip").read_bytes()
    again = ["--boxes", str(folder / "boxes.json"), "--output", str(folder / "out"), "--name", "my model"]
    assert f"{stem}.zip is there already: give another --name" in str(evaluate(folder, *again).exception)
    (folder / "out" / f"{stem}.zip").unlink()
    assert evaluate(folder, *again).exit_code == 0
    assert (folder / "out" / f"{stem}.zip").read_bytes() == before  # the same results are the same bytes


def test_images_without_a_box_are_said(folder, monkeypatch):
    """One of three, then two of three where half of them must have one."""
    said = []
    monkeypatch.setattr(module, "say_once", said.append)
    TestDev.open(folder, folder / "boxes.json")
    assert said == [f"{folder / 'boxes.json'}: no box on 1 of the 3 images of test-dev2017"]
    monkeypatch.setattr(module, "LEAST_SHARE", 0.5)
    one = [{"image_id": 1, "category_id": 1, "bbox": [5, 5, 30, 40], "score": 0.9}]
    (folder / "one.json").write_text(json.dumps(one))
    with pytest.raises(UserError, match=r"one.json: no box on 2 of the 3 images of test-dev2017, whose people"):
        TestDev.open(folder, folder / "one.json")


def test_a_run_s_model_is_named_after_its_folder(tmp_path, monkeypatch):
    """Every run has a model.pt."""
    (tmp_path / "poseur_v1.5").mkdir()
    monkeypatch.chdir(tmp_path / "poseur_v1.5")
    given = tmp_path / "poseur_v1.5", tmp_path / "poseur_v1.5" / "model.pt", Path("model.pt"), Path("model.safetensors")
    assert {name_of(path) for path in given} == {"poseur_v1.5"}
    assert name_of(Path("poseur_256x192.pth")) == "poseur_256x192"


def test_labels_are_asked_of_nobody(folder):
    with pytest.raises(UserError, match=r"boxes 'ground_truth': test-dev2017 has no labels"):
        TestDev.open(folder, Path("ground_truth"))


def test_another_list_is_refused(folder, monkeypatch):
    monkeypatch.setattr(module, "IMAGES", IMAGES)
    with pytest.raises(UserError, match=r"3 images, test-dev2017 has 20,288"):
        TestDev.open(folder, folder / "boxes.json")


def test_a_missing_image_is_named_before_anything_is_predicted(folder):
    (folder / "test2017" / "000000000005.jpg").unlink()
    with pytest.raises(UserError, match=r"000000000005.jpg: no such image"):
        TestDev.open(folder, folder / "boxes.json")


def result(**changes):
    return {"image_id": 1, "category_id": 1, "keypoints": [1.0] * 51, "score": 0.5, **changes}


@pytest.mark.parametrize(("given", "words"), [([result(score=math.nan)], "is not finite"), ([], "no person was found")])
def test_what_the_server_would_refuse_is_not_written(given, words, tmp_path):
    with pytest.raises(UserError, match=words):
        write_submission(given, frozenset({1}), "x", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_people_whom_the_server_does_not_count_are_said(tmp_path):
    made = write_submission([result() for _ in range(23)], frozenset({1, 3}), "x", tmp_path)
    assert (made.people, made.found, made.images, made.beyond) == (23, 1, 2, 3)
    assert "3 beyond 20 an image do not count" in made.text


def test_names_are_letters_digits_and_hyphens():
    assert method_name("poseur_256x192 (best)") == "poseur-256x192-best"
    with pytest.raises(UserError, match="give letters or digits"):
        method_name("__")
