"""Faster inference gives the keypoints of the plain model, and what fails is said and left out."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from poseur_lib.config import ExperimentConfig
from poseur_lib.models import optimise as module
from poseur_lib.models.build import build_model
from poseur_lib.models.optimise import PLAIN, SAFE, fold_batch_norms, optimise
from tests.models.reference import RES50, Reference

SIZE = (64, 64)
BACKBONES = {
    "resnet18": ({"kind": "resnet", "depth": 18}, 20),
    "mobilenetv2": ({"kind": "mobilenetv2"}, 52),
    "hrnet_w32": ({"kind": "hrnet"}, 305),
    "hrformer_tiny": ({"kind": "hrformer", "variant": "tiny"}, 215),
    "vit_base": ({"kind": "vit"}, 3),
    "narrow": ({"kind": "narrow_resnet", "widths": [8, 8, 16, 16]}, 12),
    "convnext without batch norms": ({"kind": "timm", "name": "convnext_atto"}, 0),
}


def trained_like(backbone: dict) -> nn.Module:
    """A model whose batch norms have seen data and whose queries look at the image."""
    torch.manual_seed(0)
    neck = "deconvolution" if backbone["kind"] == "vit" else "projection"
    config = ExperimentConfig().with_changes(**{
        "model.backbone": {**backbone, "weights": "none"}, "model.head.neck": neck, "data.input_size": list(SIZE),
        "model.head.embed_dims": 64, "model.head.ffn_dims": 64, "model.head.decoder_layers": 2,
    })  # fmt: skip
    model = build_model(config).eval()
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.1)
                part.running_var.uniform_(0.5, 2)
                part.weight.uniform_(0.5, 1.5)
                part.bias.normal_(0, 0.1)
    return model


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone(name):
    backbone, batch_norms = BACKBONES[name]
    model, images = trained_like(backbone), torch.randn(2, 3, *SIZE)
    with torch.inference_mode():
        expected = model.predict_flipped(images)
    found = optimise(model, images, SAFE)
    assert not found.failed and found.difference < 1e-5
    assert found.applied[0] == (f"{batch_norms} batch norms folded" if batch_norms else "channels_last")
    with torch.inference_mode():
        ours = found.model.predict_flipped(images[:1])
        again = model.predict_flipped(images)
    for a, b in ((ours.keypoints, expected.keypoints[:1]), (ours.keypoint_scores, expected.keypoint_scores[:1])):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    assert torch.equal(again.keypoints, expected.keypoints)  # the plain model is left as it was
    left = [part for part in found.model.modules() if type(part) is nn.BatchNorm2d]
    assert not left


def test_weights_of_a_deep_network(shared):
    """ResNet-50 with the recorded weights, whose sampling points lie far apart: against the released code itself."""
    reference = Reference(shared / "reference", RES50)
    images = reference.fill("input", (2, 3, 256, 192))
    found = optimise(reference.model(), images, SAFE)
    assert found.applied == ("53 batch norms folded", "channels_last")
    assert found.difference < 1e-5
    with torch.inference_mode():
        layers = found.model(images).layers
    expected = reference.outputs()["dec_pred"]
    torch.testing.assert_close(torch.stack([one.keypoints for one in layers]), expected, atol=1e-5, rtol=0)


def test_nothing_asked_is_the_model_itself():
    model = trained_like(BACKBONES["narrow"][0])
    found = optimise(model, torch.randn(2, 3, *SIZE), PLAIN)
    assert found.model is model and found.text() == "inference: the plain model"


def test_a_step_that_fails_is_named_and_the_others_are_done(monkeypatch):
    model = trained_like(BACKBONES["narrow"][0])
    monkeypatch.setattr(module, "fold_batch_norms", lambda *_: 1 / 0)
    found = optimise(model, torch.randn(2, 3, *SIZE), SAFE)
    assert found.failed == ("inference without folded batch norms: division by zero",)
    assert found.applied == ("channels_last",)


def test_a_step_that_moves_keypoints_is_left_out(monkeypatch):
    def spoil(model, _):
        nn.init.zeros_(model.backbone.stem[0].weight)
        return 1

    monkeypatch.setattr(module, "fold_batch_norms", spoil)
    found = optimise(trained_like(BACKBONES["narrow"][0]), torch.randn(2, 3, *SIZE), SAFE)
    assert "keypoints moved by" in found.failed[0] and found.applied == ("channels_last",)


class Shared(nn.Module):
    """A convolution that two take, one that is used twice, and one that a batch norm alone takes."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(3, 3, 1) for _ in range(3))
        self.norm_a, self.norm_b, self.norm_c = (nn.BatchNorm2d(3) for _ in range(3))
        self.relu = nn.ReLU()

    def forward(self, x):
        a = self.a(x)
        x = self.norm_a(a) + self.relu(a)
        return self.norm_c(self.c(self.norm_b(self.b(self.b(x)))))


def test_what_others_use_is_not_folded():
    model, images = Shared().eval(), torch.randn(1, 3, 4, 4)
    with torch.no_grad():
        expected = model(images)
        assert fold_batch_norms(model, images) == 1
        torch.testing.assert_close(model(images), expected)
    assert isinstance(model.norm_c, nn.Identity) and isinstance(model.norm_a, nn.BatchNorm2d)


COMPILE = """
import torch
from poseur_lib.config import ExperimentConfig
from poseur_lib.models.build import build_model
from poseur_lib.models.optimise import InferenceOptions, optimise
torch.manual_seed(0)
config = ExperimentConfig().with_changes(**{
    "model.backbone": {"kind": "narrow_resnet", "weights": "none", "widths": [8, 8, 8, 8]},
    "model.head.embed_dims": 32, "model.head.ffn_dims": 32, "model.head.decoder_layers": 1,
    "data.input_size": [64, 64]})
print(optimise(build_model(config).eval(), torch.randn(2, 3, 64, 64), InferenceOptions(compile=True)).text())
"""


@pytest.mark.slow
def test_compiled():
    """In a process without the type-checking hook; where no compiler works, that is what is said."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    assert "inference: compiled" in done.stdout or "inference without torch.compile: " in done.stdout
