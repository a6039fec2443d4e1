"""A run whose crops are cut on the device goes as one whose crops processes cut."""

import cv2
import numpy as np
import pytest
import torch

from poseur_lib.config.experiment import PretextRunConfig
from poseur_lib.config.training import PretextConfig
from poseur_lib.data.batches import DeviceBatches
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.crop import CropRule
from poseur_lib.data.dataset import PoseCrops
from poseur_lib.data.parts import part_path
from poseur_lib.errors import UserError
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.build import build_model
from poseur_lib.runtime import Runtime
from poseur_lib.training.batches import training_batches
from poseur_lib.training.fit import pretrain, train
from tests.training.tiny import tiny_config, write_people


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people"), train=24, val=4)


def test_two_epochs_agree_with_the_processors_crops(data, tmp_path):
    config = tiny_config(**{"train.epochs": 2})
    curves = [train(config, tmp_path / where, Runtime(data=data, device="cpu", threads=1, data_on_device=where))
              for where in ("yes", "no")]  # fmt: skip
    assert [curve[-1].computed for curve in curves] == ["data on the device", ""]
    for ours, theirs in zip(*curves, strict=True):
        assert (ours.epoch, ours.step, ours.images) == (theirs.epoch, theirs.step, theirs.images)
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-3)
        assert ours.terms == pytest.approx(theirs.terms, rel=1e-3)
        assert ours.mean_oks == pytest.approx(theirs.mean_oks, abs=1e-3)


def test_a_pretext_agrees_with_the_processors_crops(data, tmp_path):
    for split in ("train", "val"):
        (data / f"parts_{split}2017").mkdir()
        for number, path in enumerate(sorted((data / f"{split}2017").iterdir())):
            labels = np.random.default_rng(number).integers(0, 4, (12, 9), np.uint8).repeat(8, 0).repeat(8, 1)
            cv2.imwrite(str(part_path(path)), labels)
    tiny, recipe = tiny_config(), PretextConfig(epochs=2, global_batch=8)
    config = PretextRunConfig(data=tiny.data, backbone=tiny.model.backbone, pretext=recipe)
    curves = [pretrain(config, tmp_path / where, Runtime(data=data, device="cpu", data_on_device=where))
              for where in ("yes", "no")]  # fmt: skip
    for ours, theirs in zip(*curves, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-2)
        assert ours.part_iou == pytest.approx(theirs.part_iou, abs=1e-2)


def test_predictions_agree_with_the_processors_crops(data):
    torch.manual_seed(0)
    config = tiny_config()
    model, people = build_model(config), CocoPeople(data, "val", COCO_17).people()
    ours, theirs = (predict_people(model, people, config, Runtime(data=data, device="cpu", data_on_device=where))
                    for where in ("yes", "no"))  # fmt: skip
    for name in ("keypoints", "keypoint_scores", "center", "box_scale"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=1e-3, atol=1e-3)


def test_training_batches_say_where_the_images_are(data):
    config = tiny_config()
    people = CocoPeople(data, "train", COCO_17).people()
    crops = PoseCrops(people, COCO_17, config.data.input_size, CropRule(), config.train.augment, 0)
    for where in ("yes", "no", "auto"):
        batches = training_batches(crops, config.train, 0, Runtime(data=data, device="cpu", data_on_device=where))
        assert batches.on_device is isinstance(batches.loader, DeviceBatches) is (where == "yes")
        assert len(batches.loader) == batches.steps * batches.accumulate


def test_a_batch_that_is_not_split_is_named_as_the_configuration_has_it(data):
    config = tiny_config()
    crops = PoseCrops(CocoPeople(data, "train", COCO_17).people(), COCO_17, (64, 48), CropRule(), None, 0)
    for knobs in ("train", "pretext"):
        with pytest.raises(UserError, match=rf"^{knobs}\.global_batch 8 is no multiple of 1 devices x 3 people"):
            training_batches(crops, config.train, 0, Runtime(data=data, device="cpu", batch_per_device=3), knobs)


def test_one_device_has_all_people_whatever_place_the_environment_gives_it(data, monkeypatch):
    """As that of a pod, which tells which machine of several it is."""
    config = tiny_config()
    people = CocoPeople(data, "train", COCO_17).people()
    crops = PoseCrops(people, COCO_17, config.data.input_size, CropRule(), config.train.augment, 0)
    alone = training_batches(crops, config.train, 0, Runtime(data=data, device="cpu")).sampler
    for name in ("NODE_RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "1")
        assert list(training_batches(crops, config.train, 0, Runtime(data=data, device="cpu")).sampler) == list(alone)
    monkeypatch.setenv("LOCAL_RANK", "1")
    second = training_batches(crops, config.train, 0, Runtime(data=data, device="cpu", devices=2)).sampler
    assert len(second) == len(alone) // 2 and list(second) != list(alone)[: len(second)]
