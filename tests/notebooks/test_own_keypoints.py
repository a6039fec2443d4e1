"""The notebook on keypoints of one's own, as papermill executes it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from poseur_lib.checkpoints.checkpoint import load_model

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "own_keypoints.ipynb"


def test_ten_cells():
    assert len([cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]) == 10


@pytest.mark.slow
def test_the_notebook_learns_five_points_of_its_own(tmp_path):
    out = tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "papermill", str(NOTEBOOK), str(out), "-p", "device", "cpu", "-p", "folder"]
    done = subprocess.run([*command, str(tmp_path / "star")], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    text = json.dumps(nbformat.read(out, as_version=4))
    assert "0.05 for every keypoint, as no sigmas are given" in text and "data:image/webp;base64" in text
    assert float(re.findall(r"median error ([\d.]+) px", text)[0]) < 4
    model, config = load_model(tmp_path / "star" / "run" / "model.pt")
    assert config.data.keypoint_set.name == "star" and len(model.flip_index) == 5
    assert not (tmp_path / "star" / "data" / "keypoints.toml").exists()
