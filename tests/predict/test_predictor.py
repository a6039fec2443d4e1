"""The library's face: the same poses as the evaluation's, whichever way the image comes."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

import poseur_lib
from poseur_lib.checkpoints.checkpoint import load_model
from poseur_lib.data.coco import CocoPeople
from poseur_lib.errors import UserError
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.nms import keep_people
from poseur_lib.keypoints import COCO_17, MPII_16
from poseur_lib.predict.people import PersonBox
from poseur_lib.predict.predictor import Poseur
from poseur_lib.runtime import InferenceRuntime, Runtime
from poseur_lib.scoring.instance import instance_scores
from tests.predict.conftest import noise, write_image
from tests.training.tiny import write_people

BOXES = [[10, 5, 30, 50], [-10, -10, 60, 40], [60, 40, 40, 40]]


def points(poses) -> np.ndarray:
    return np.array([person.keypoints_image for person in poses.people])


def test_it_is_the_package_s_and_costs_no_torch_before_it_is_asked_for():
    assert poseur_lib.Poseur is Poseur
    code = "import sys, poseur_lib; print('torch' in sys.modules, hasattr(poseur_lib, 'Poser'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_calibrated_score_is_eq_8_at_the_radius_over_the_factor(checkpoint):
    asked = (
        {"keypoint_score": "calibrated", "sigma_factor": 0.1, "score_radius": 0.05},
        {"keypoint_score": "laplace", "score_radius": 0.5},
        {},
    )
    of_each = [Poseur.from_pretrained(checkpoint, device="cpu", fast=False, **of).predict(noise(), BOXES).people
               for of in asked]  # fmt: skip
    calibrated, laplace, plain = (np.stack([one.keypoint_scores for one in people]) for people in of_each)
    np.testing.assert_allclose(calibrated, laplace, rtol=1e-5)
    assert not np.allclose(calibrated, plain)


@pytest.mark.parametrize("flip", [False, True])
def test_poses_are_those_of_the_evaluation(tmp_path, checkpoint, flip):
    root = write_people(tmp_path, train=1, val=4)
    people = CocoPeople(root, "val", COCO_17).people()
    poseur = Poseur.from_pretrained(checkpoint, device="cpu", flip=flip, fast=False)
    model, config = load_model(checkpoint)
    config = config.with_changes(**{"evaluation.flip_test": flip})
    expected = predict_people(model, people, config, Runtime(data=root, device="cpu"))
    scores = instance_scores(expected.bbox_scores, expected.keypoint_scores, "released")
    found = poseur.predict_batch([person.image_path for person in people], [[person.box] for person in people])
    for number, poses in enumerate(found):
        (person,) = poses.people
        assert np.array_equal(person.keypoints_image, expected.keypoints_image()[number])
        assert np.array_equal(person.keypoint_scores, expected.keypoint_scores[number])
        assert np.allclose(person.sigma_image, expected.sigma[number] * expected.box_scale[number] * 200)
        assert person.score == scores[number] and person.box == people[number].box


def test_path_pillow_and_array_give_the_same_poses(tmp_path, poseur):
    path = write_image(tmp_path / "image.png", noise())
    expected = points(poseur.predict(path, BOXES))
    assert np.array_equal(expected, points(poseur.predict(Image.open(path), BOXES)))
    assert np.array_equal(expected, points(poseur.predict(noise(), np.array(BOXES))))


def test_the_order_of_channels_matters_and_is_rgb(tmp_path, poseur):
    """Red has another mean and deviation than blue; a file of pure red must be seen as red."""
    red = np.zeros((60, 80, 3), np.uint8)
    red[..., 0] = 255
    path = write_image(tmp_path / "red.png", red)
    assert Image.open(path).getpixel((0, 0)) == (255, 0, 0)
    of_file, of_array, of_bgr = (poseur.predict(image).people[0] for image in (path, red, red[..., ::-1]))
    assert np.array_equal(of_file.keypoint_scores, of_array.keypoint_scores)
    assert np.abs(of_file.keypoint_scores - of_bgr.keypoint_scores).max() > 1e-4


def test_an_unknown_device_or_precision_is_named_before_anything_is_loaded():
    """In a process of its own, where nothing checks the types of arguments."""
    code = "import poseur_lib; poseur_lib.Poseur.from_pretrained('gone.pt', {}='{}')"
    for option, value in (("device", "gpu"), ("precision", "16")):
        done = subprocess.run([sys.executable, "-c", code.format(option, value)], capture_output=True, text=True)
        assert done.returncode and f"UserError: unknown {option} '{value}'" in done.stderr


def test_a_gpu_may_be_named_by_its_number_and_a_device_be_torch_s(checkpoint, monkeypatch):
    assert Poseur.from_pretrained(checkpoint, device=torch.device("cpu"), fast=False).runtime.device == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="device 'cuda:1' was asked for and torch finds no GPU"):
        Poseur.from_pretrained(checkpoint, device="cuda:1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert InferenceRuntime(device="cuda:1").torch_device == torch.device("cuda", 1)
    with pytest.raises(UserError, match="device 'cuda:2' was asked for and torch finds 2, counted from 0"):
        Poseur.from_pretrained(checkpoint, device="cuda:2")
    with pytest.raises(UserError, match="unknown device 'cuda:1'"):
        Runtime(data=checkpoint, device="cuda:1")


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_a_processor_has_no_float16(monkeypatch, device):
    """Lightning would train in bfloat16 instead, and the curve say 16-mixed."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="'16-mixed' is for GPUs, and this is a processor: take 'bf16-mixed'"):
        _ = InferenceRuntime(device=device, precision="16-mixed").torch_device
    assert InferenceRuntime(device=device, precision="bf16-mixed").torch_device.type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert InferenceRuntime(precision="16-mixed").torch_device.type == "cuda"


def test_boxes_may_be_tensors(poseur):
    expected = points(poseur.predict(noise(), BOXES))
    for boxes in (
        torch.tensor(BOXES, dtype=torch.float32, requires_grad=True),
        torch.tensor(BOXES, dtype=torch.bfloat16),
    ):
        assert np.array_equal(expected, points(poseur.predict(noise(), boxes)))


def test_one_image_is_no_batch(poseur):
    with pytest.raises(UserError, match="images must be a list of them, and this is one"):
        poseur.predict_batch("photo.jpg")


def test_without_boxes_one_person_fills_the_image(poseur):
    whole = poseur.predict(noise())
    assert whole.people[0].box == (0, 0, 80, 60)
    assert np.array_equal(points(whole), points(poseur.predict(noise(), [[0, 0, 80, 60]])))
    assert np.array_equal(points(whole), points(poseur.predict(noise(), [[0, 0, 80, 60]], box_format="xyxy")))


def test_a_batch_is_its_images_one_by_one(poseur):
    images = [noise(60, 80, 0), noise(40, 30, 1), noise(50, 50, 2)]
    boxes = [BOXES, [], None]
    together = poseur.predict_batch(images, boxes)
    assert [len(poses.people) for poses in together] == [3, 0, 1]
    for image, some, poses in zip(images, boxes, together, strict=True):
        alone = poseur.predict(image, some)
        assert np.allclose(points(alone), points(poses), atol=1e-3)


def test_a_detector_s_score_enters_the_person_s(poseur):
    sure, unsure = poseur.predict(noise(), [PersonBox((10, 5, 30, 50), 0.9), PersonBox((10, 5, 30, 50), 0.4)]).people
    assert sure.box_score == 0.9 and sure.score - unsure.score == pytest.approx(0.5, abs=1e-6)


def test_nms_is_the_evaluation_s(poseur):
    boxes = [[10, 5, 30, 50, 0.4], [10, 5, 30, 51, 0.9], [40, 5, 30, 50, 0.8]]
    every = poseur.predict(noise(), boxes)
    assert [person.box_score for person in every.people] == [0.4, 0.9, 0.8]
    kept = poseur.predict(noise(), boxes, nms=True)
    assert [person.box_score for person in kept.people] == [0.9, 0.8]
    ranked = poseur._predict([noise()], [[PersonBox((*row[:4],), row[4]) for row in boxes]], nms=False)
    assert list(keep_people(ranked.predictions, ranked.instance_scores, COCO_17.oks_sigmas, 0.9)) == [1, 2]


def test_faster_inference_leaves_the_poses_where_they_are(checkpoint, poseur):
    fast = Poseur.from_pretrained(checkpoint, device="cpu")
    assert "batch norms folded" in fast.inference
    assert np.abs(points(fast.predict(noise(), BOXES)) - points(poseur.predict(noise(), BOXES))).max() < 1e-2


def test_settings_are_as_asked_and_wrong_ones_are_named(checkpoint):
    poseur = Poseur.from_pretrained(checkpoint.parent, device="cpu", flip=False, batch=3, instance_score="paper")
    evaluation = poseur.config.evaluation
    assert (evaluation.flip_test, evaluation.batch, evaluation.instance_score) == (False, 3, "paper")
    (person,) = poseur.predict(noise()).people
    assert person.score == pytest.approx(person.keypoint_scores.mean(), abs=1e-6)
    with pytest.raises(ValidationError, match=r"evaluation.batch\n.*greater than 0"):
        Poseur.from_pretrained(checkpoint, batch=0)
    with pytest.raises(UserError, match="no such checkpoint"):
        Poseur.from_pretrained("/no/such/model.pt")
    with pytest.raises(UserError, match="2 images and boxes of 1"):
        poseur.predict_batch([noise(), noise()], [None])


def test_a_model_of_mpii_has_its_own_keypoints(mpii_checkpoint):
    poses = Poseur.from_pretrained(mpii_checkpoint, device="cpu").predict(noise(), BOXES, nms=True)
    assert poses.keypoint_set == MPII_16 and points(poses).shape == (3, 16, 2)
    assert not np.array_equal(poses.draw(0.0), noise())
