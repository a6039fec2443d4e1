"""Presets are valid changes, and a model with the paper's text in every knob trains."""

import math

import pytest
import torch

from poseur_lib.config import PAPER_TEXT, PRESETS, ExperimentConfig
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseTargets
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import train
from poseur_study.experiments.profiles import PROFILES
from tests.training.tiny import tiny_config, write_people


def test_the_released_code_is_the_default():
    assert ExperimentConfig().with_changes(**PRESETS["released"]) == ExperimentConfig()


def test_the_paper_text_fits_every_profile():
    for profile in PROFILES:
        config = profile.experiment(0, dict(PAPER_TEXT), {"model.head.noise.groups": 2})
        assert config.model.head.noise.kind == "paper" and config.model.head.noise.groups == 2
        assert config.model.backbone == profile.config.model.backbone and config.train == profile.config.train


def test_a_fit_with_the_paper_text(tmp_path):
    data = write_people(tmp_path / "data", train=16, val=4)
    runtime = Runtime(data=data, device="cpu", threads=1)
    (point,) = train(tiny_config(**PAPER_TEXT), tmp_path / "run", runtime)
    assert math.isfinite(point.loss) and all(math.isfinite(term) for term in point.terms.values())
    assert (tmp_path / "run" / "model.pt").exists()


@pytest.mark.parametrize(
    ("preset", "more"),
    [("paper_text", {}), ("released", {"initial_points": "learned", "share_layers": True, "cross_attention": "msda"})],
    ids=["paper_text", "ablations"],
)
def test_four_crops_are_learned_by_heart(preset, more):
    """The error of the training crops falls to less than half within seconds."""
    head = {f"model.head.{name}": value for name, value in {"noise": {"kind": "none"}, "dropout": 0.0, **more}.items()}
    torch.manual_seed(0)
    model = build_model(tiny_config(**{**PRESETS[preset], **head})).train()
    images, keypoints = torch.randn(4, 3, 64, 48), torch.rand(4, 17, 2)
    targets = PoseTargets(keypoints, torch.ones(4, 17, dtype=torch.bool))
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    errors = []
    for step in range(40):
        optimiser.zero_grad()
        loss = model.loss(images, targets).total
        loss.backward()
        optimiser.step()
        assert loss.isfinite()
        if step in (0, 39):
            errors.append((model(images).keypoints - keypoints).abs().mean().item())
    assert errors[-1] < 0.5 * errors[0]


def test_a_change_within_a_given_dictionary_leaves_the_caller_s_as_it_is():
    backbone = {"kind": "narrow_resnet", "widths": [8, 8, 16, 16], "weights": "pretext"}
    changes = {"model.backbone": backbone, "model.backbone.weights": "none"}
    assert ExperimentConfig().with_changes(**changes).model.backbone.weights == "none"
    assert backbone["weights"] == "pretext"
