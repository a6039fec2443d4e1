"""Every released configuration: recognised from its state_dict, of the recorded size, and with the recorded outputs."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from poseur_lib import load_released
from poseur_lib.checkpoints.released_recognise import recognise
from poseur_lib.data.crop import PIXELS_PER_SCALE
from poseur_lib.errors import UserError
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.poses import PosePrediction
from poseur_study.parity.outputs import in_image
from tests.models.reference import Reference

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
TOLERANCE = 1e-5


def marked(pattern: str, slow: str) -> list:
    """Names of the recorded files; those that match the regular expression `slow` are left to `make test-all`."""
    if not REFERENCE.is_dir():
        absent = pytest.mark.skip(reason="needs ../shared, the reference data that are not part of this repository")
        return [pytest.param("absent", marks=absent)]
    names = sorted(path.stem for path in REFERENCE.glob(pattern))
    return [pytest.param(name, marks=[pytest.mark.slow] if re.search(slow, name) else []) for name in names]


CONFIGS = marked("manifests/*.json", slow="hr.*@dec")
RECORDED = marked("outputs/*.npz", slow="hrformer_big")


@pytest.fixture
def no_initialisation(monkeypatch):
    """Random numbers without storage are slow to draw."""
    for name in ("normal_", "trunc_normal_", "uniform_", "kaiming_normal_", "kaiming_uniform_", "xavier_uniform_"):
        monkeypatch.setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)


def shapes(name: str) -> dict[str, Tensor]:
    """The configuration's state_dict without storage."""
    return {k: torch.empty(s, device="meta") for k, s in Reference(REFERENCE, name).manifest()["state_dict"]}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.usefixtures("no_initialisation")
def test_names_shapes_and_parameters(name):
    manifest = Reference(REFERENCE, name).manifest()
    size = tuple(manifest["input"][2:])
    with torch.device("meta"):
        model, config = load_released(shapes(name), input_size=size)
    counts = {
        "total": sum(p.numel() for p in model.parameters()),
        "backbone": sum(p.numel() for p in model.backbone.parameters()),
        "neck": sum(p.numel() for p in model.head.neck.parameters()),
    }
    counts["head"] = counts["total"] - counts["backbone"] - counts["neck"]
    assert counts == {part: manifest["params"][part] for part in counts}
    assert config.model.head.decoder_layers == manifest["decoder_layers"]
    assert config.data.input_size == size
    with torch.no_grad():
        maps = model.backbone(torch.empty(manifest["input"], device="meta"))
    assert [tuple(x.shape[-3:]) for x in maps] == [tuple(shape[-3:]) for shape in manifest["backbone_out"]]
    assert [list(x.shape) for x in model.head.neck(maps)] == manifest["neck_out"]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_input_size_is_that_of_the_release_or_asked_for(name):
    if "hrformer_big" in name:
        with pytest.raises(
            UserError, match=r"base with coco17 was released for 256x192, 384x288: give one by .*`poseur convert`"
        ):
            load_released(shapes(name))
    else:
        assert recognise(shapes(name)).input_sizes == (tuple(Reference(REFERENCE, name).manifest()["input"][2:]),)


@dataclass(frozen=True)
class Case:
    """A configuration's model with filled weights, its prediction of the recorded input, and what was recorded."""

    model: PoseModel
    images: Tensor
    prediction: PosePrediction
    recorded: dict[str, Tensor]


@pytest.fixture(scope="module", params=RECORDED)
def case(request) -> Case:
    reference = Reference(REFERENCE, request.param)
    _, channels, height, width = reference.manifest()["input"]
    images = reference.fill("input", (2, channels, height, width))
    model = reference.model()
    with torch.no_grad():
        return Case(model, images, model(images), reference.outputs())


def close(ours: Tensor, theirs: Tensor, tolerance: float = TOLERANCE) -> None:
    torch.testing.assert_close(ours, theirs.view_as(ours), atol=tolerance, rtol=0)


def test_stages(case):
    close(case.prediction.coarse.keypoints, case.recorded["enc_pred"])
    close(case.prediction.coarse.sigma, case.recorded["enc_sigma"])
    close(torch.stack([layer.keypoints for layer in case.prediction.layers]), case.recorded["dec_pred"])
    close(torch.stack([layer.sigma for layer in case.prediction.layers]), case.recorded["dec_sigma"])
    close(case.prediction.keypoint_scores, case.recorded["dec_score"])


def test_flip_fusions(case):
    model, recorded = case.model, case.recorded
    close(in_image(case.prediction, recorded), recorded["noflip_preds"][..., :2], 1e-3)
    with torch.no_grad():
        mirrored = model(case.images.flip(3))
    close(mirrored.keypoints, recorded["flipimg_dec_pred_last"])
    configured = model.head.config
    for fusion, key in (("mean", "default"), ("type1", "type1"), ("type2", "type2")):
        model.head.config = configured.with_changes(flip_fusion=fusion)
        merged = model.head.merge_flipped(case.prediction, mirrored, torch.tensor(model.flip_index))
        # Fractions of the crop: how float32 rounds here, and with how many threads, is worth up to 1.2e-3 pixels.
        side = (recorded["meta_scale"] * PIXELS_PER_SCALE)[:, None]
        close(in_image(merged, recorded) / side, recorded[f"flip_{key}_preds"][..., :2] / side)
        close(merged.keypoint_scores, recorded[f"flip_{key}_preds"][..., 2])
    model.head.config = configured


def test_flip_pairs(case):
    pairs = case.recorded["flip_pairs"].tolist()
    expected = np.arange(len(case.model.flip_index))
    for a, b in pairs:
        expected[[a, b]] = b, a
    assert case.model.flip_index == tuple(expected)
