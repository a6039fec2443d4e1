"""A method with another crop rule, from training to AP: training, learning curve and evaluation all crop by it."""

import math

import pytest

from poseur_lib.checkpoints.checkpoint import load_model
from poseur_lib.config import ExperimentConfig
from poseur_lib.config.heads.heatmap import QUARTER, UDP_OFFSET, HeatmapConfig
from poseur_lib.data import dataset
from poseur_lib.evaluation.evaluate import evaluate_model
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import train
from tests.training.tiny import write_people


@pytest.mark.parametrize("codec", [QUARTER, UDP_OFFSET], ids=["plain", "unbiased"])
def test_from_training_to_ap(tmp_path, monkeypatch, codec):
    rules = []
    original = dataset.view_person
    monkeypatch.setattr(dataset, "view_person", lambda *args: rules.append(args[4]) or original(*args))
    head = HeatmapConfig(codec=codec, channels=16).model_dump(mode="json")
    backbone = {"kind": "narrow_resnet", "widths": [8, 8, 16, 16], "weights": "none"}
    config = ExperimentConfig().with_changes(
        **{"data.input_size": [64, 48], "model": {"backbone": backbone, "head": head}, "train.global_batch": 8,
           "train.epochs": 1, "train.schedule": {"kind": "cosine"}, "evaluation.instance_score": "classic"}
    )  # fmt: skip
    runtime = Runtime(data=write_people(tmp_path / "data", train=16, val=4), device="cpu", threads=1)
    curve = train(config, tmp_path / "run", runtime)
    assert math.isfinite(curve[-1].loss) and curve[-1].mean_oks is not None
    model, _ = load_model(tmp_path / "run" / "model.pt")
    evaluated = evaluate_model(model, config, runtime, "ground_truth")
    assert evaluated.num_boxes == 4 and evaluated.metrics.AP >= 0 and "AP" in evaluated.text()
    assert len(rules) == 16 + 4 + 4
    assert {rule.unbiased for rule in rules} == {codec.unbiased}
