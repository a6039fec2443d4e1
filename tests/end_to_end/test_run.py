"""From whole images to a trained model, its AP, and poses of one's own images without boxes."""

import json
import re

import cv2
import numpy as np
import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from poseur_lib.checkpoints.checkpoint import load_model, load_network, save_weights
from poseur_lib.checkpoints.initial import checkpoint_sha256, load_initial
from poseur_lib.config import ExperimentConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.errors import UserError
from poseur_lib.evaluation.evaluate import evaluate_model
from poseur_lib.evaluation.whole_images import find_people, people_of_image, poses_in_boxes
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.build import build_model
from poseur_lib.models.end_to_end.model import build_end_to_end, freeze_batch_norm
from poseur_lib.predict.predictor import Poseur
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import train
from poseur_study.cli.main import main
from poseur_study.experiments.end_to_end import others
from tests.end_to_end.small import KEYPOINT_HEADS, SMALL, small_config, small_model, write_images
from tests.training.tiny import tiny_config

PEOPLE = [[{"bbox": [2, 3, 20, 40]}, {"bbox": [20, 10, 25, 50]}], [{"bbox": [5, 5, 30, 50]}], [],
          [{"bbox": [0, 0, 48, 60]}, {"bbox": [10, 0, 20, 20], "iscrowd": 1}], [{"bbox": [-8, 2, 40, 40]}]]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("whole") / "data", PEOPLE)


def runtime_of(data, **more):
    return Runtime(data=data, device="cpu", threads=1, **more)


@pytest.mark.parametrize("keypoints", list(KEYPOINT_HEADS))
def test_from_training_to_ap_and_to_poses(tmp_path, data, keypoints):
    head = {**SMALL, "keypoints": KEYPOINT_HEADS[keypoints], "score_threshold": 0.0}
    config = small_config(keypoints, **{"model.head": head, "evaluation.flip_test": True})
    curve = train(config, tmp_path / "run", runtime_of(data))
    assert curve[-1].step == 2 and curve[-1].mean_oks is not None and curve[-1].ap is not None
    model, loaded = load_network(tmp_path / "run" / "model.pt")
    assert loaded == config
    at_labels = evaluate_model(model, config, runtime_of(data), "ground_truth")
    assert at_labels.num_boxes == 5 and "whole images, short side 64" in at_labels.text()
    own = evaluate_model(model, config, runtime_of(data), "detector")
    assert 0 < own.num_boxes <= 25 and own.num_images == 5
    with pytest.raises(UserError, match="finds people in whole images itself"):
        load_model(tmp_path / "run" / "model.pt")
    pixels = np.random.default_rng(1).integers(0, 255, (64, 48, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "image.png"), pixels)
    poseur = Poseur.from_pretrained(tmp_path / "run", device="cpu", box_threshold=0)
    poses = poseur.predict(tmp_path / "image.png")
    assert 0 < len(poses.people) <= 5 and poses.people[0].keypoints_image.shape == (17, 2)
    given = poseur.predict(tmp_path / "image.png", boxes=[poses.people[0].box])
    np.testing.assert_allclose(given.people[0].keypoints_image, poses.people[0].keypoints_image, atol=1e-2)


def test_the_command_predicts_without_boxes(tmp_path, data, capsys):
    config = small_config(**{"model.head": {**SMALL, "keypoints": KEYPOINT_HEADS["poseur"], "score_threshold": 0.0}})
    train(config, tmp_path / "run", runtime_of(data))
    out = tmp_path / "out"
    images = [str(path) for path in sorted((data / "val2017").iterdir())]
    assert main(["predict", *images, "--checkpoint", str(tmp_path / "run"), "--out", str(out), "--device", "cpu",
                 "--box-threshold", "0"]) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "taken as one person" not in said
    results = json.loads((out / "predictions.json").read_text())
    assert len(results) > 5 and all(len(one["keypoints"]) == 51 for one in results)
    evaluated = [
        "evaluate",
        "--checkpoint",
        str(tmp_path / "run" / "model.pt"),
        "--data",
        str(data),
        "--boxes",
        "detector",
        "--device",
        "cpu",
    ]
    assert main(evaluated) == 0 and "boxes (detector) on 5 images" in capsys.readouterr().out


def saved(path, keypoints="poseur", bias=0.0, threshold=0.05):
    """A model that was trained by nobody, whose boxes' logits have a bias."""
    config = small_config(keypoints, **{"model.head.score_threshold": threshold})
    torch.manual_seed(0)
    model = build_end_to_end(config)
    with torch.no_grad():
        model.roi_heads.box_predictor.cls_score.bias[1] += bias
    save_weights(path, model, config, False)
    return path


@pytest.mark.parametrize(
    ("bias", "own", "asked", "found"),
    [(4.0, 0.05, None, True), (4.0, 0.999, None, False), (4.0, 0.999, 0.5, True), (-2.0, 0.05, None, False),
     (-2.0, 0.05, 0.01, True)],
    ids=("sure", "a strict model", "a strict model asked for more", "doubtful", "doubtful ones asked for"),
)  # fmt: skip
def test_library_and_command_find_the_same_people(tmp_path, data, bias, own, asked, found):
    """What is asked for wins; else it is 0.5, or the model's own threshold where that is higher."""
    path, image = saved(tmp_path / "model.pt", bias=bias, threshold=own), data / "val2017" / "1.png"
    poses = Poseur.from_pretrained(path, device="cpu", box_threshold=asked).predict(image, nms=True)
    given = ["predict", str(image), "--checkpoint", str(path), "--out", str(tmp_path / "out"), "--device", "cpu"]
    given += [] if asked is None else ["--box-threshold", str(asked)]
    assert main([*given, "--no-images"]) == 0
    results = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert bool(poses.people) == found and len(results) == len(poses.people)
    np.testing.assert_allclose([one["score"] for one in results], [one.score for one in poses.people], atol=1e-5)


def test_flip_sides_and_eq_8_can_be_asked_of_a_model_that_finds_people(tmp_path, data, capsys):
    path = str(saved(tmp_path / "model.pt"))
    asked = ["--boxes", "detector", "--flip", "--test-sides", "48,64", "--keypoint-score", "laplace"]
    scores = []
    for radius in ("0.2", "0.05"):
        out = tmp_path / f"{radius}.json"
        assert main(["evaluate", "--checkpoint", path, "--data", str(data), "--device", "cpu", *asked,
                     "--score-radius", radius, "--output", str(out)]) == 0  # fmt: skip
        scores.append([one["score"] for one in json.loads(out.read_text())])
    said = capsys.readouterr().out
    assert "short side 48 and 64" in said and "keypoint score laplace" in said and "flip test on" in said
    assert len(scores[0]) == len(scores[1]) > 0 and min(scores[0]) > max(scores[1])
    poseur = Poseur.from_pretrained(
        path, device="cpu", keypoint_score="laplace", score_radius=0.05, test_sides=[48, 64]
    )
    assert poseur.model.roi_heads.keypoint_predictor.config.score_radius == 0.05
    assert poseur.config.data.whole_image.test_sides == (48, 64)


def test_a_batch_of_people_is_refused_where_an_image_is_one_pass(tmp_path, data, capsys):
    """It was taken, and changed nothing."""
    path, image = saved(tmp_path / "model.pt"), data / "val2017" / "1.png"
    given = ["predict", str(image), "--checkpoint", str(path), "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main([*given, "--batch", "2"]) == 1
    assert "batch 2: it takes an image a forward pass" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("compile", ["graph", "inductor"])
@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_what_makes_models_of_crops_faster_is_refused(tmp_path, data, capsys, command, compile):
    """It was taken, and changed nothing."""
    path = saved(tmp_path / "model.pt")
    given = {"evaluate": ["--data", str(data)], "predict": [str(data / "val2017" / "1.png"), "--out", str(tmp_path)]}
    asked = ["--checkpoint", str(path), "--device", "cpu", "--compile", compile]
    assert main([command, *given[command], *asked]) == 1
    assert f"model.pt: compile '{compile}' is for models of crops" in capsys.readouterr().err


def test_of_several_devices_the_first_says_what_was_loaded(tmp_path, capsys, monkeypatch):
    path = saved(tmp_path / "model.pt")
    model, config = load_network(path)
    for rank in ("0", "1"):
        monkeypatch.setenv("LOCAL_RANK", rank)
        load_initial(model, path, config.with_changes(initial_sha256=checkpoint_sha256(path)))
    assert capsys.readouterr().out.count("tensors are loaded") == 1


@pytest.mark.parametrize(
    ("keypoints", "asked", "message"),
    [
        ("poseur", ["--input-size", "64x48"], r"input size 64x48 is of crops, .* test_sides \(--test-sides\) say"),
        ("poseur", ["--flip-fusion", "type1"], "flip_fusion 'type1': the flip test of whole images takes means"),
        ("heatmap", ["--keypoint-score", "rle"], "keypoint_score 'rle': keypoint head 'region_heatmap' has nothing"),
        ("rle", ["--score-radius", "0.1"], "score_radius 0.1: keypoint head 'regression' has nothing to choose there"),
        ("rle", ["--test-sides", "600,x"], "--test-sides '600,x': 'x' is no number of pixels"),
        (None, ["--test-sides", "600"], r"test_sides \[600\] are of whole images, and this model sees crops"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_what_a_model_has_not_is_one_line(tmp_path, data, capsys, command, keypoints, asked, message):
    path = tmp_path / "model.pt"
    if keypoints is None:
        save_weights(path, build_model(tiny_config()), tiny_config(), False)
    else:
        saved(path, keypoints)
    given = ["--data", str(data)] if command == "evaluate" else [str(data / "val2017")]
    assert main([command, *given, "--checkpoint", str(path), "--device", "cpu", *asked]) == 1
    (printed,) = capsys.readouterr().err.splitlines()
    assert re.search(message, printed)


def test_a_resumed_run_equals_an_unbroken_one(tmp_path, data):
    config = small_config(**{"train.epochs": 2})
    train(config, tmp_path / "once", runtime_of(data))
    train(config, tmp_path / "twice", runtime_of(data, limit_epochs=1))
    train(config, tmp_path / "twice", runtime_of(data))
    once, twice = (load_network(tmp_path / name / "model.pt")[0].state_dict() for name in ("once", "twice"))
    assert all(torch.equal(value, twice[name]) for name, value in once.items())


def test_sgd_with_frozen_parts_moves_the_others_alone(tmp_path, data):
    head = {**SMALL, "keypoints": KEYPOINT_HEADS["heatmap"], "frozen_batch_norm": True, "frozen_stages": 2}
    backbone = {"kind": "resnet", "depth": 18, "weights": "none"}
    changes = {"model.head": head, "model.backbone": backbone, "train.optimiser": "sgd", "train.learning_rate": 1e-3}
    config = small_config("heatmap", **changes)
    torch.manual_seed(config.seed)
    before = build_end_to_end(config).state_dict()
    train(config, tmp_path / "run", runtime_of(data))
    after = load_network(tmp_path / "run" / "model.pt")[0].state_dict()
    still = {name for name in before if torch.equal(before[name], after[name])}
    frozen = {name for name in before if ".bn" in name or "downsample.1" in name or name.startswith(
        ("backbone.body.conv1", "backbone.body.bn1", "backbone.body.layer1"))}  # fmt: skip
    assert frozen <= still and "backbone.body.layer2.0.conv1.weight" not in still
    assert "roi_heads.keypoint_predictor.kps_score_lowres.weight" not in still


def test_own_boxes_are_those_that_the_poses_are_in(data):
    torch.manual_seed(0)
    config = small_config(**{"model.head": {**SMALL, "keypoints": KEYPOINT_HEADS["rle"], "score_threshold": 0.0}})
    model, people = build_end_to_end(config).eval(), CocoPeople(data, "val", COCO_17)
    found = find_people(model, people, config, runtime_of(data))
    pixels = cv2.cvtColor(cv2.imread(str(data / "val2017" / "2.png")), cv2.COLOR_BGR2RGB)
    of_one = people_of_image(model, pixels, config, runtime_of(data))
    rows = found.image_id == 2
    np.testing.assert_allclose(found.keypoints[rows], of_one.poses.keypoints.numpy(), atol=1e-6)
    assert (of_one.boxes >= 0).all() and (of_one.boxes <= [48, 64, 48, 64]).all()
    labelled = people.people()
    reversed_order = poses_in_boxes(model, labelled[::-1], config, runtime_of(data))
    in_order = poses_in_boxes(model, labelled, config, runtime_of(data))
    np.testing.assert_allclose(reversed_order.keypoints[::-1], in_order.keypoints, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data.whole_image": None}, "whole images are what"),
        ({"train.augment": {}}, "set it null"),
        ({"train.freeze": "backbone"}, "frozen_stages"),
        ({"model.backbone": {"kind": "hrnet", "outputs": "finest", "weights": "none"}}, "needs several"),
        ({"model.head": {**SMALL, "anchor_sizes": [32]}}, "anchor_sizes"),
        ({"model.head": {**SMALL, "keypoints": {"kind": "regression"}}}, "flip_shift"),
        ({"model.head": {**SMALL, "keypoints": {"kind": "region_heatmap"}}}, "cells"),
        ({"model.head.keypoints.flip_fusion": "type2"}, "flip_fusion 'type2': the flip test .* takes means"),
        ({"model.head.keypoints.coarse_features": "backbone"}, "coarse_features 'backbone': .* from the pyramid"),
        ({"model.head": {"kind": "poseur"}}, "it alone"),
        ({"data.whole_image.scale_jitter": [2.0, 0.1]}, "least"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_named(changes, said):
    with pytest.raises(ValueError, match=said):
        small_config(**changes)


def test_an_epoch_of_too_few_images_says_images(tmp_path, data):
    with pytest.raises(UserError, match=r"an epoch of \d images has no batch of train.global_batch 8"):
        train(small_config(**{"train.global_batch": 8}), tmp_path / "run", runtime_of(data))


@pytest.mark.parametrize(
    ("backbone", "named"),
    [
        ({"kind": "narrow_resnet", "widths": [8, 8, 16, 16], "weights": "none"}, "NarrowResNet"),
        ({"kind": "mobilenetv2", "weights": "none"}, "MobileNetV2"),
    ],
    ids=["narrow", "mobilenet"],
)
def test_another_backbone_than_resnet_and_hrnet_has_no_stages_to_freeze(backbone, named):
    """MobileNetV2's second convolution is its last one."""
    with pytest.raises(UserError, match=f"frozen_stages 2: {named} has"):
        build_end_to_end(small_config(**{"model.backbone": backbone, "model.head.frozen_stages": 2}))


def test_a_backbone_of_one_image_size_is_refused():
    backbone = {"kind": "timm", "name": "swin_tiny_patch4_window7_224", "weights": "none"}
    with pytest.raises(UserError, match="'swin_tiny_patch4_window7_224' takes images of one size alone"):
        build_end_to_end(small_config(**{"model.backbone": backbone}))


def test_frozen_batch_norms_keep_the_activations_of_timm_s():
    norm = BatchNormAct2d(3, act_layer=nn.ReLU6).eval()
    nn.init.uniform_(norm.running_mean, -1, 1)
    network, images = nn.Sequential(norm), 5 * torch.randn(2, 3, 4, 4)
    expected = network(images)
    freeze_batch_norm(network, None)
    assert torch.allclose(network.train()(images), expected, atol=1e-6) and not list(network.parameters())


def test_names_tell_the_keypoint_heads_apart():
    assert {small_config(name).name.split("_narrow")[0] for name in KEYPOINT_HEADS} == {
        "mask_rcnn_heatmap", "mask_rcnn_regression", "mask_rcnn_poseur"
    }  # fmt: skip
    assert ExperimentConfig().name == "poseur_resnet50_256x192_seed0"


def test_real_images_with_crowds_and_nobody_are_trained_on_and_judged(tmp_path, coco_tiny):
    head = {**SMALL, "keypoints": KEYPOINT_HEADS["poseur"], "score_threshold": 0.0}
    jitter = {"scale_jitter": [0.5, 2.0], "test_sides": [64], "longest_side": 128}
    config = small_config(**{"model.head": head, "data.whole_image": jitter, "evaluation.curve_people": 5,
                             "train.people_per_epoch": 6})  # fmt: skip
    curve = train(config, tmp_path / "run", runtime_of(coco_tiny))
    assert curve[-1].step == 3 and curve[-1].ap is not None
    people = CocoPeople(coco_tiny, "val", COCO_17)
    model, _ = load_network(tmp_path / "run" / "model.pt")
    some = set(people.coco.getImgIds()[:6])
    own = find_people(model, people.on_images(some), config, runtime_of(coco_tiny))
    assert len(own) > 0 and set(own.image_id) <= some


def test_weights_of_elsewhere_are_taken_as_far_as_they_fit(tmp_path, capsys):
    """A bare state_dict, as torchvision's file is one."""
    source = small_model("heatmap", seed=1)
    torch.save({**source.state_dict(), "backbone.body.stem.1.num_batches_tracked": torch.tensor(7)}, tmp_path / "w.pth")
    config = small_config("rle", initial_sha256=checkpoint_sha256(tmp_path / "w.pth"))
    model = build_end_to_end(config)
    load_initial(model, tmp_path / "w.pth", config)
    assert "not taken from it: roi_heads.keypoint_predictor.kps_score_lowres" in capsys.readouterr().out
    assert torch.equal(model.rpn.head.cls_logits.weight, source.rpn.head.cls_logits.weight)
    with pytest.raises(UserError, match="SHA-256"):
        load_initial(model, tmp_path / "w.pth", small_config("rle", initial_sha256="0" * 64))


def test_other_keypoints_of_weights_to_start_from_are_said(tmp_path, capsys):
    path = saved(tmp_path / "model.pt")
    config = small_config("rle", **{"data.keypoint_set": "mpii16", "initial_sha256": checkpoint_sha256(path)})
    load_initial(build_end_to_end(config), path, config)
    assert "its keypoints are coco17, this run's mpii16" in capsys.readouterr().out


def test_the_command_fine_tunes_by_the_checkpoint_s_own_configuration(tmp_path, data, capsys):
    save_weights(tmp_path / "model.pt", small_model("rle"), small_config("rle"))
    given = ["train", str(tmp_path / "run"), "--data", str(data), "--init", str(tmp_path / "model.pt"), "--seed", "3"]
    assert main([*given, "--device", "cpu", "--threads", "1", "--logger", "none"]) == 0
    count = len(small_model("rle").state_dict())
    assert f"{count} of {count} tensors are loaded" in capsys.readouterr().out
    tuned = load_network(tmp_path / "run" / "model.pt")[1]
    start = {"seed": 3, "initial_sha256": checkpoint_sha256(tmp_path / "model.pt")}
    assert tuned == small_config("rle", **start)


def test_other_methods_have_a_source_and_a_protocol():
    frame = others()
    assert not frame["source"].eq("").any() and frame["testing"].isin(["none", "flip", "multi-scale"]).all()
    detectron = frame[frame["method"] == "Mask R-CNN (Detectron2)"]
    assert detectron["ap"].tolist() == [65.5, 66.1] and detectron["box_ap"].tolist() == [55.4, 56.4]
