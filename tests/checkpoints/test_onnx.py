"""ONNX: the same keypoints from onnxruntime, in a process without the type-checking hook."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.checkpoints.onnx import METADATA, export_onnx
from poseur_lib.errors import UserError
from poseur_lib.models.build import build_model
from poseur_lib.models.poseur import sampling
from poseur_lib.predict.predictor import Poseur
from poseur_study.cli.main import main
from tests.models.small import random_memory
from tests.predict.conftest import noise, write_checkpoint, write_image
from tests.training.tiny import tiny_config

EXPORT_AND_COMPARE = """
import json, sys
import numpy as np
import onnxruntime
import torch
from pathlib import Path
from poseur_lib.checkpoints.onnx import export_onnx
from poseur_lib.data.dataset import normalise
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.build import build_model
from tests.training.tiny import tiny_config

path, changes, batch = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(0)
model = build_model(tiny_config(**changes)).eval()
inside = batch == 0
export_onnx(model, path, (64, 48), batch=batch or None, normalise=inside, keypoints=COCO_17)
session = onnxruntime.InferenceSession(str(path))
facts = json.loads(session.get_modelmeta().custom_metadata_map["poseur"])
assert facts["keypoints"] == list(COCO_17.names) and facts["input_size"] == [64, 48]
for count in [batch] if batch else [1, 2, 5]:
    crops = np.random.default_rng(count).integers(0, 256, (count, 64, 48, 3), np.uint8)
    images = np.stack([normalise(crop) for crop in crops])
    with torch.inference_mode():
        ours = model(torch.from_numpy(images))
    keypoints, scores = session.run(None, {"images": crops if inside else images})
    assert keypoints.std() > 0.005, "the coordinates are all alike"
    print(np.abs(keypoints - ours.keypoints.numpy()).max(), np.abs(scores - ours.keypoint_scores.numpy()).max())
"""
FINEST = {"kind": "narrow_high_resolution", "width": 8, "outputs": "finest", "weights": "none"}
TOKENPOSE = {"kind": "tokenpose", "embed_dims": 16, "num_heads": 2, "ffn_dims": 16, "layers": 1, "mlp_hidden": 16}
ROOT = Path(__file__).resolve().parents[2]


def run(code: str, *arguments: str, cwd: Path = ROOT) -> str:
    """What a process of its own prints: without the hook that checks types, through which torch cannot export."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("changes", "batch"),
    [
        ({"model.head.cross_attention": "emsda"}, 0),
        pytest.param({"model.head.cross_attention": "msda"}, 2, marks=pytest.mark.slow),
        pytest.param({"model.head": {"kind": "heatmap"}}, 0, marks=pytest.mark.slow),
        pytest.param({"model.head": {"kind": "regression"}}, 0, marks=pytest.mark.slow),
        pytest.param({"model.head.initial_points": "learned"}, 0, marks=pytest.mark.slow),
        pytest.param({"model.backbone": FINEST, "model.head": TOKENPOSE}, 0, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_onnxruntime_gives_the_same_keypoints_and_scores(tmp_path, changes, batch):
    """A graph of any batch takes crops as they are cut, one of two crops takes them normalised."""
    differences = run(EXPORT_AND_COMPARE, str(tmp_path / "model.onnx"), json.dumps(changes), str(batch)).split()
    differences = [float(one) for one in differences[-6 if not batch else -2 :]]
    assert max(differences) < 1e-4


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["poseur_lib"] = None  # importing them is an error
exec(open(sys.argv[1]).read())
np.savez("poses.npz", keypoints=keypoints, scores=scores)
print(*(found.shape for found in poses(image, [])))
"""


@pytest.mark.parametrize("head", ["poseur", pytest.param("udp", marks=pytest.mark.slow)])
def test_the_program_in_the_documentation_finds_the_poses_of_predict_without_torch(tmp_path, head):
    """Its keypoints on a photo, in a process that cannot import torch, are those of `Poseur.predict`."""
    checkpoint = tmp_path / "model.pt"
    if head == "poseur":
        write_checkpoint(checkpoint)
    else:
        codec = {"unbiased": True, "shift_flipped": False, "centers": "exact"}
        config = tiny_config(**{"model.head": {"kind": "heatmap", "codec": codec}})
        save_weights(checkpoint, build_model(config), config)
    command = [sys.executable, "-m", "poseur_study", "export", str(tmp_path / "model.onnx"), "--normalise"]
    done = subprocess.run(
        [*command, "--checkpoint", str(checkpoint)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0 and "images [any, 64, 48, 3], RGB, uint8" in done.stdout, done.stderr
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "deploy.md").read_text(), re.DOTALL)
    boxes = [[12.5, 30, 110, 80], [150, 20.25, 60, 170]]
    (tmp_path / "program.py").write_text(program.replace("[[120, 40, 200, 420]]", str(boxes)))
    assert str(boxes) in (tmp_path / "program.py").read_text()
    write_image(tmp_path / "photo.png", noise(200, 240)).rename(tmp_path / "photo.jpg")  # OpenCV looks at the content
    printed = run(WITHOUT_TORCH, "program.py", cwd=tmp_path)
    assert printed.count("left_wrist") == 2 and printed.endswith("(0, 17, 2) (0, 17)\n"), "of two boxes, and of none"
    found = np.load(tmp_path / "poses.npz")
    poseur = Poseur.from_pretrained(checkpoint, device="cpu", flip=False, fast=False)
    people = poseur.predict(noise(200, 240), boxes).people
    for person, keypoints, scores in zip(people, found["keypoints"], found["scores"], strict=True):
        assert np.abs(person.keypoints_image - keypoints).max() < 0.02
        assert np.abs(person.keypoint_scores - scores).max() < 1e-4
    graph = onnx.load(tmp_path / "model.onnx")
    facts = json.loads(graph.metadata_props[0].value) | {"normalised_inside": False}
    onnx.helper.set_model_props(graph, {METADATA: json.dumps(facts)})
    onnx.save(graph, tmp_path / "model.onnx")
    with pytest.raises(AssertionError, match="export the model with --normalise"):
        run(WITHOUT_TORCH, "program.py", cwd=tmp_path)


def test_gathered_rows_give_the_same_sums(monkeypatch):
    memory = random_memory(((8, 6), (4, 3)), batch=2, dims=8)
    generator = torch.Generator().manual_seed(0)
    locations = torch.rand(2, 5, 4, 2, 3, 2, generator=generator) * 1.4 - 0.2
    weights = torch.rand(2, 5, 4, 2, 3, generator=generator)
    expected = sampling.sample_memory(memory, locations, weights)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    torch.testing.assert_close(sampling.sample_memory(memory, locations, weights), expected, rtol=0, atol=1e-5)


def test_a_missing_folder_and_a_present_file_are_errors_of_one_line(tmp_path, capsys):
    with pytest.raises(UserError, match="no such folder"):
        export_onnx(build_model(tiny_config()), tmp_path / "absent" / "model.onnx", (64, 48))
    prtr = {"kind": "prtr", "embed_dims": 16, "num_heads": 2, "encoder_layers": 1, "decoder_layers": 1}
    with pytest.raises(UserError, match="PRTRHead pairs queries with keypoints on the processor"):
        export_onnx(build_model(tiny_config(**{"model.head": prtr})), tmp_path / "model.onnx", (64, 48))
    (tmp_path / "model.onnx").touch()
    assert main(["export", str(tmp_path / "model.onnx"), "--checkpoint", "any.pt"]) == 1
    assert "exists already" in capsys.readouterr().err
