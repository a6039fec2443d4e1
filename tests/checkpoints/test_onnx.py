"""ONNX: the same keypoints from onnxruntime, in a process without the type-checking hook."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from poseur_lib.checkpoints.onnx import export_onnx
from poseur_lib.errors import UserError
from poseur_lib.models.poseur import sampling
from poseur_study.cli.main import main
from tests.models.small import random_memory

EXPORT_AND_COMPARE = """
import sys
import numpy as np
import onnxruntime
import torch
from pathlib import Path
from poseur_lib.config import ExperimentConfig
from poseur_lib.checkpoints.onnx import export_onnx
from poseur_lib.models.build import build_model

path, cross_attention, batch = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
torch.manual_seed(0)
config = ExperimentConfig().with_changes(**{
    "model.backbone": {"kind": "narrow_resnet", "weights": "none", "widths": [8, 8, 16, 16]},
    "data.input_size": [64, 48],
    "model.head.embed_dims": 32, "model.head.norm_groups": 8, "model.head.ffn_dims": 32,
    "model.head.decoder_layers": 2, "model.head.cross_attention": cross_attention,
})
model = build_model(config).eval()
images = torch.randn(batch, 3, 64, 48)
export_onnx(model, path, (64, 48), batch=batch)
with torch.inference_mode():
    ours = model(images)
session = onnxruntime.InferenceSession(str(path))
keypoints, scores = session.run(None, {"images": images.numpy()})
assert keypoints.std() > 0.01, "the coordinates are all alike"
print(np.abs(keypoints - ours.keypoints.numpy()).max(), np.abs(scores - ours.keypoint_scores.numpy()).max())
"""


@pytest.mark.parametrize(("cross_attention", "batch"), [("emsda", 2), ("msda", 1)])
def test_onnxruntime_gives_the_same_keypoints_and_scores(tmp_path, cross_attention, batch):
    command = [sys.executable, "-c", EXPORT_AND_COMPARE, str(tmp_path / "model.onnx"), cross_attention, str(batch)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    assert all(float(difference) < 1e-4 for difference in done.stdout.split()[-2:])


def test_gathered_rows_give_the_same_sums(monkeypatch):
    memory = random_memory(((8, 6), (4, 3)), batch=2, dims=8)
    generator = torch.Generator().manual_seed(0)
    locations = torch.rand(2, 5, 4, 2, 3, 2, generator=generator) * 1.4 - 0.2
    weights = torch.rand(2, 5, 4, 2, 3, generator=generator)
    expected = sampling.sample_memory(memory, locations, weights)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    torch.testing.assert_close(sampling.sample_memory(memory, locations, weights), expected, rtol=0, atol=1e-5)


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(UserError, match="pip install onnxscript"):
        export_onnx(torch.nn.Identity(), tmp_path / "model.onnx", (64, 48))


def test_a_missing_folder_and_a_present_file_are_errors_of_one_line(tmp_path, capsys):
    with pytest.raises(UserError, match="no such folder"):
        export_onnx(torch.nn.Identity(), tmp_path / "absent" / "model.onnx", (64, 48))
    (tmp_path / "model.onnx").touch()
    assert main(["export", str(tmp_path / "model.onnx"), "--checkpoint", "any.pt"]) == 1
    assert "exists already" in capsys.readouterr().err
