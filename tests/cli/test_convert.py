"""`poseur convert`, and `poseur evaluate` of a released checkpoint."""

import json
import re

import numpy as np
import pytest
import torch

from poseur_lib.checkpoints.checkpoint import load_model, save_weights
from poseur_lib.checkpoints.origin import trained_on_generated
from poseur_lib.checkpoints.released_convert import save_released
from poseur_lib.checkpoints.released_load import load_released
from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_lib.models.build import build_model
from poseur_lib.scoring.instance import instance_scores
from poseur_study.cli.main import main
from tests.training.tiny import tiny_config

SMALL = {
    "model.backbone": {"kind": "mobilenetv2", "weights": "none"},
    "model.head.embed_dims": 64,
    "model.head.num_heads": 4,
    "model.head.decoder_layers": 1,
}


@pytest.fixture
def released(tmp_path):
    """A checkpoint under the released names."""
    config = ExperimentConfig().with_changes(**SMALL)
    torch.manual_seed(0)
    save_released(tmp_path / "released.pth", build_model(config).eval(), config)
    return tmp_path / "released.pth"


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_there_and_back(released, tmp_path, capsys):
    code, out, _ = run(capsys, "convert", released, tmp_path / "ours.pt", "--keypoint-score", "laplace")
    assert code == 0
    assert "poseur on mobilenetv2, 1 decoder layers, coco17; input 256x192" in out
    assert "ImageNet's mean and deviation, flip fusion mean, keypoint score laplace (a = 0.2), instance score" in out
    assert load_model(tmp_path / "ours.pt")[1].model.head.keypoint_score == "laplace"
    assert run(capsys, "convert", tmp_path / "ours.pt", tmp_path / "back.pth", "--to", "released")[0] == 0
    before, after = (torch.load(path)["state_dict"] for path in (released, tmp_path / "back.pth"))
    assert before.keys() == after.keys() and all(torch.equal(value, after[name]) for name, value in before.items())


STAR = {"name": "star", "names": [f"dot {number}" for number in range(17)]}
"""As many keypoints as COCO's."""


@pytest.mark.parametrize("keypoints", ["coco17", STAR], ids=["coco17", "own"])
def test_what_weights_do_not_tell_comes_back_from_the_released_format(tmp_path, capsys, keypoints):
    """Input size, keypoints and what people the model knows; an argument still is above them."""
    config = ExperimentConfig().with_changes(**SMALL, **{"data.input_size": [64, 64], "data.keypoint_set": keypoints})
    ours, there, back = (tmp_path / name for name in ("ours.pt", "released.pth", "back.pt"))
    save_weights(ours, build_model(config), config, generated_data=True)
    assert run(capsys, "convert", ours, there, "--to", "released")[0] == 0 and trained_on_generated(there)
    assert run(capsys, "convert", there, back)[0] == 0
    assert load_model(back)[1].data == config.data and trained_on_generated(back)
    asked = load_released(there, input_size=(64, 48), keypoint_set="coco17")[1].data
    assert (asked.input_size, asked.keypoint_set) == ((64, 48), "coco17")
    content = torch.load(there, weights_only=True)
    for damaged in (3, "{", '{"input_size": [0, 64]}'):
        torch.save(content | {"poseur_data": damaged}, there)
        with pytest.raises(UserError, match=r"released\.pth: poseur_data: "):
            load_released(there)


def test_a_run_s_folder_keeps_what_people_it_knows(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    save_weights(tmp_path / "run" / "model.pt", build_model(tiny_config()), tiny_config(), generated_data=True)
    assert run(capsys, "convert", tmp_path / "run", tmp_path / "ours.pt")[0] == 0
    assert trained_on_generated(tmp_path / "ours.pt")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--to", "theirs"], "unknown format 'theirs'"),
        (["--input-size", "256"], "size '256'"),
        (["--keypoint-set", "mpii16"], "16 keypoints"),
        (["--flip-fusion", "type3"], "type3"),
        (["--score-radius", "0.1"], "score_radius 0.1: keypoint_score 'rle' has none"),
    ],
)
def test_one_line_errors(released, tmp_path, capsys, arguments, says):
    code, _, err = run(capsys, "convert", released, tmp_path / "ours.pt", *arguments)
    assert code == 1 and says in err and err.count("\n") == 1
    assert not (tmp_path / "ours.pt").exists()


def test_nothing_is_overwritten(released, capsys):
    before = released.read_bytes()
    code, _, err = run(capsys, "convert", released, released)
    assert code == 1 and "exists already" in err and released.read_bytes() == before


def test_a_released_checkpoint_is_evaluated(released, coco4, capsys):
    code, out, err = run(
        capsys, "evaluate", "--checkpoint", released, "--data", coco4, "--input-size", "64x48", "--flip",
        "--flip-fusion", "type2",
    )  # fmt: skip
    assert code == 0, err
    assert "12 boxes (ground_truth) on 4 images" in out
    assert "input 64x48, RGB by ImageNet's mean and deviation, flip fusion type2, " in out
    assert "keypoint score of flip fusion type2 (a = 0.2), " in out
    assert "instance score released, flip test on, OKS-NMS 0.9" in out


def test_the_factor_that_an_evaluation_fits_calibrates_the_score(released, coco4, tmp_path, capsys):
    arguments = ["evaluate", "--checkpoint", released, "--data", coco4, "--input-size", "64x48", "--no-flip"]
    _, out, _ = run(capsys, *arguments)
    factor = re.search(r"sigma x (\S+) is the Laplace scale", out)[1]
    score = ["--keypoint-score", "calibrated", "--sigma-factor", factor, "--score-radius", "0.05"]
    code, again, err = run(capsys, *arguments, *score)
    assert code == 0, err
    assert f"keypoint score calibrated (a = 0.05, sigma x {float(factor):g})" in again
    assert run(capsys, "convert", released, tmp_path / "ours.pt", *score)[0] == 0
    head = load_released(tmp_path / "ours.pt")[1].model.head
    assert (head.keypoint_score, head.sigma_factor, head.score_radius) == ("calibrated", float(factor), 0.05)
    assert load_released(tmp_path / "ours.pt", keypoint_score="rle")[1].model.head.sigma_factor is None
    code, _, err = run(capsys, *arguments, "--keypoint-score", "calibrated")
    assert code == 1 and "with sigma_factor None" in err and err.count("\n") == 1


def test_logits_are_not_multiplied_by(released, coco4, tmp_path, capsys):
    """A negative one would turn the order round; a rule that adds, or the box alone, keeps it."""
    boxes = tmp_path / "boxes.json"
    image = json.loads((coco4 / "annotations" / "person_keypoints_val2017.json").read_text())["images"][0]["id"]
    boxes.write_text(json.dumps([{"image_id": image, "category_id": 1, "bbox": [5, 5, 50, 90], "score": -2.5}]))
    arguments = ["evaluate", "--checkpoint", released, "--data", coco4, "--input-size", "64x48", "--boxes", boxes]
    code, _, err = run(capsys, *arguments, "--instance-score", "paper")
    assert code == 1 and f"{boxes}: box score -2.5 is negative, and instance score 'paper' multiplies by it" in err
    assert run(capsys, *arguments, "--no-flip", "--instance-score", "box")[0] == 0
    with pytest.raises(UserError, match="instance score 'classic' multiplies"):
        instance_scores(np.array([-2.5]), np.array([[0.5]]), "classic")


def test_evaluation_says_how_it_is_made_fast(released, coco4, capsys):
    arguments = ["evaluate", "--checkpoint", released, "--data", coco4, "--input-size", "64x48", "--flip"]
    _, fast, _ = run(capsys, *arguments, "--verbose")
    _, plain, _ = run(capsys, *arguments, "--plain", "--verbose")
    _, quiet, _ = run(capsys, *arguments)
    assert "inference: 52 batch norms folded, channels_last (keypoints moved by" in fast
    assert "inference: the plain model" in plain
    assert quiet == fast[fast.index("\n") + 1 :]
    assert fast.splitlines()[-1] == plain.splitlines()[-1]  # AP and AR


@pytest.mark.parametrize("knob", [{"cross_attention": "msda"}, {"share_layers": True}, {"initial_points": "learned"}])
def test_what_the_released_code_has_not_is_one_line(tmp_path, capsys, knob):
    config = ExperimentConfig().with_changes(**SMALL, **{f"model.head.{name}": value for name, value in knob.items()})
    save_weights(tmp_path / "ours.pt", build_model(config), config)
    code, _, err = run(capsys, "convert", tmp_path / "ours.pt", tmp_path / "back.pth", "--to", "released")
    ((name, value),) = knob.items()
    assert code == 1 and f"cannot express model.head with {name}={value!r}" in err and err.count("\n") == 1
    assert not (tmp_path / "back.pth").exists()
