"""The model that comes with the package: small, said to know generated people alone, and better than chance on them."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import torch

from poseur_lib.checkpoints.checkpoint import read_weights
from poseur_lib.checkpoints.released_load import load_released
from poseur_lib.checkpoints.shipped import SHIPPED, shipped_model
from poseur_lib.data.coco import CocoPeople, labels_of
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.oks import mean_oks, oks
from poseur_lib.files import MODEL_FILE
from poseur_lib.keypoints import COCO_17, keypoint_set
from poseur_lib.runtime import Runtime
from poseur_study.cli.main import main
from poseur_study.experiments.profiles import profile
from poseur_study.runs.datasets import SHOWN_PEOPLE
from synthetic_people import PeopleSettings, generate
from tests.predict.conftest import noise, write_image
from tests.setup.project import PYPROJECT

ROOT = Path(__file__).resolve().parents[2]


def test_it_is_small_whole_and_says_what_it_is():
    content = read_weights(SHIPPED)
    assert SHIPPED.stat().st_size < 4_000_000 and content["generated_data"] is True
    floating = [value for value in content["state_dict"].values() if value.is_floating_point()]
    assert all(value.dtype == torch.float16 and value.isfinite().all() for value in floating)
    model, config = load_released(SHIPPED)
    assert keypoint_set(config.data.keypoint_set) == COCO_17
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert "knows only generated people" in shipped_model().text and shipped_model().ap > 10


def test_it_comes_with_an_installation():
    (place,) = PYPROJECT["tool"]["setuptools"]["package-data"]["poseur_lib"]
    assert ROOT / "poseur_lib" / place == SHIPPED
    tracked = subprocess.run(["git", "check-ignore", str(SHIPPED)], cwd=ROOT, capture_output=True, check=False)
    assert tracked.returncode == 1 or not (ROOT / ".git").exists(), "git ignores the file"


def test_it_finds_generated_people_that_it_was_not_trained_on(tmp_path):
    """Mean OKS of 8 images' people, beside that of the one pose that fits all boxes best: everybody's mean."""
    generate(tmp_path / "people", PeopleSettings(train_images=1, val_images=8, parts=False), workers=0, progress=False)
    people = CocoPeople(tmp_path / "people", "val", COCO_17).people()
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(SHIPPED, folder / MODEL_FILE)
    model, config = load_released(folder)  # as every command that takes a run's folder
    found = mean_oks(predict_people(model, people, config, Runtime(data=tmp_path, device="cpu")), people, COCO_17)
    labels = labels_of(people)
    corner, sides = (np.array([person.box for person in people])[:, None, part] for part in (slice(2), slice(2, 4)))
    known = (labels.visibility > 0)[..., None]
    mean = ((labels.keypoints_image - corner) / sides * known).sum(0) / np.maximum(known.sum(0), 1)
    by_chance = oks(
        mean * sides + corner, labels.keypoints_image, labels.visibility > 0, labels.area, COCO_17.oks_sigmas
    )
    assert found > 0.4 and found > by_chance.mean() + 0.05


def test_predict_takes_it_and_says_so(tmp_path, capsys):
    image = write_image(tmp_path / "photo.png", noise())
    assert main(["predict", str(image), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    assert shipped_model().text in capsys.readouterr().out


def test_the_people_to_look_at_are_the_first_of_what_small_profiles_are_judged_on():
    same_images = {"train_images": 1, "val_images": SHOWN_PEOPLE.val_images, "parts": False, "pixel_centre": 0.0}
    for name in ("smoke", "mini"):
        assert profile(name).people.with_changes(**same_images) == SHOWN_PEOPLE
