"""`poseur export` end to end: ResNet-50 under the released names, through ONNX, to the recorded keypoints."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from poseur_study.parity.reference import RES50, Reference

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_resnet50_from_released_weights(shared, tmp_path):
    """The command runs in its own process, without the type-checking hook."""
    import onnxruntime

    reference = Reference(shared / "reference", RES50)
    torch.save({"state_dict": reference.state()}, tmp_path / "released.pth")
    command = [sys.executable, "-m", "poseur_study", "export", str(tmp_path / "model.onnx"), "--checkpoint",
               str(tmp_path / "released.pth"), "--input-size", "256x192", "--batch", "2"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "images [2, 3, 256, 192]" in done.stdout
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    images = reference.fill("input", (2, 3, 256, 192)).numpy()
    keypoints, scores = session.run(None, {"images": images})
    recorded = reference.outputs()
    assert np.abs(keypoints - recorded["dec_pred"][-1].numpy()).max() < 1e-4
    assert np.abs(scores - recorded["dec_score"].numpy().reshape(scores.shape)).max() < 1e-4
