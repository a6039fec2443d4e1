"""torchvision's detectors: people only, above the threshold; and weights that cannot be had are one clear line."""

from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch import nn

from poseur_lib.errors import UserError
from poseur_lib.predict import detector
from poseur_lib.predict.detector import DETECTORS, Detector, load_detector
from poseur_lib.predict.people import PersonBox
from tests.predict.conftest import noise

CPU = torch.device("cpu")


class Fixed(nn.Module):
    """Finds always the same, and keeps what it was given."""

    def forward(self, images):
        self.seen = images
        corners = [[1, 2, 31, 42], [5, 5, 9, 9], [0, 0, 20, 30], [7, 7, 7, 9], [2, 2, 4, 4]]
        return [{"boxes": torch.tensor(corners, dtype=torch.float32), "labels": torch.tensor([1, 3, 1, 1, 1]),
                 "scores": torch.tensor([0.6, 0.99, 0.9, 0.8, 0.2])}]  # fmt: skip


def test_people_above_the_threshold_best_first():
    found = Detector(Fixed(), 1, 0.5, CPU).boxes(Path("photo.jpg"), noise())
    assert [box.box for box in found] == [(0, 0, 20, 30), (1, 2, 30, 40)]  # no bicycle, no empty box, nobody unsure
    assert [box.score for box in found] == pytest.approx([0.9, 0.6])
    assert len(Detector(Fixed(), 1, 0.0, CPU).boxes(Path("photo.jpg"), noise())) == 3


def test_the_detector_sees_rgb_from_0_to_1():
    fixed = Fixed()
    Detector(fixed, 1, 0.5, CPU).boxes(Path("photo.jpg"), noise())
    assert np.allclose(fixed.seen[0].numpy(), noise().transpose(2, 0, 1) / 255)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_real_architecture_finds_boxes_in_image_pixels(monkeypatch, tmp_path, name):
    """Untrained, it finds nonsense, of the right form: all classes alike, people a little more."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    architecture = DETECTORS[name]
    torch.manual_seed(0)

    def untrained(weights, **options):
        assert weights.meta["categories"][1] == "person"
        model = architecture.build(weights=None, weights_backbone=None, min_size=64, max_size=96, **options)
        classifier = model.roi_heads.box_predictor.cls_score
        classifier.weight.data.zero_()
        classifier.bias.data.zero_()[1] = 1
        return model

    monkeypatch.setitem(DETECTORS, name, detector.Architecture(untrained, architecture.weights))
    found = load_detector(name, 0.0, CPU)
    assert found.person == 1
    boxes = found.boxes(Path("photo.jpg"), noise())
    assert boxes and max(box.score for box in boxes) < 0.05
    for box in boxes:
        assert isinstance(box, PersonBox)
        assert box.box[0] >= 0 and box.box[0] + box.box[2] <= 80.001 and box.box[1] + box.box[3] <= 60.001


@pytest.mark.parametrize("error", [URLError("Name or service not known"), RuntimeError("invalid hash value (…)")])
def test_weights_that_cannot_be_had_say_what_to_do(monkeypatch, tmp_path, error):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def fail(*_, **__):
        raise error

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(UserError) as caught:
        load_detector("torchvision-light", 0.5, CPU)
    line = str(caught.value)
    assert "--boxes" in line and "whole images" in line and "\n" not in line
    assert str(tmp_path / "checkpoints" / "fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth") in line


def test_torchvision_is_asked_to_check_the_checksum(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    asked = {}

    def fetch(url, *_, **options):
        asked.update(options)
        raise URLError("offline")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fetch)
    with pytest.raises(UserError):
        load_detector("torchvision-light", 0.5, CPU)
    assert asked["check_hash"] is True


def test_a_damaged_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    file = DETECTORS["torchvision"].file
    file.parent.mkdir()
    file.write_bytes(b"half a download")
    with pytest.raises(UserError, match=f"damaged: {file}"):
        load_detector("torchvision", 0.5, CPU)


def test_an_unknown_detector_is_named():
    with pytest.raises(UserError, match="unknown detector 'torchvison': did you mean 'torchvision'"):
        load_detector("torchvison", 0.5, CPU)
