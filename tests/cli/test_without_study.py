"""The library's commands run where nothing of the extra [study] is installed; the study's say what is missing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.models.build import build_model
from tests.training.tiny import tiny_config, write_people

REFUSED = (
    "IPython anywidget bleach dask dask_jobqueue distributed ipywidgets jupyterlab matplotlib nbclient nbconvert"
    " nbformat papermill seaborn traitlets"
)
"""What `pip install poseur_lib` leaves out; jinja2, markupsafe, pygments and yaml come with torch, rich and timm."""

SCRIPT = """
import json, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refusing())
from poseur_study.cli.main import main

sys.exit(max(main(arguments) for arguments in json.loads(sys.argv[2])))
"""

WHOLE_LIBRARY = """
import importlib, pkgutil, poseur_lib

for module in pkgutil.walk_packages(poseur_lib.__path__, "poseur_lib."):
    importlib.import_module(module.name)
"""


def poseur(
    *commands: str, folder: Path, script: str = SCRIPT, refused: str = REFUSED
) -> subprocess.CompletedProcess[str]:
    """Command lines, one after the other in one process that cannot import what is refused."""
    arguments = [script, refused, json.dumps([command.split() for command in commands])]
    return subprocess.run([sys.executable, "-c", *arguments], cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an untrained model, and a data set of two people to evaluate on."""
    root = tmp_path_factory.mktemp("library")
    backbone = {"kind": "mobilenetv2", "weights": "none"}
    config = tiny_config(**{"model.backbone": backbone, "model.head.embed_dims": 64, "model.head.norm_groups": 32})
    torch.manual_seed(0)
    save_weights(root / "model.pt", build_model(config), config)
    write_people(root / "data", 1, 2)
    return root


def test_the_library_s_commands_run(folder: Path) -> None:
    done = poseur(
        "predict data/val2017 --checkpoint model.pt --device cpu",
        "evaluate --checkpoint model.pt --data data --device cpu",
        "convert model.pt released.pth --to released",
        "export model.onnx --checkpoint model.pt",
        "cost smoke",
        "ceiling data --size 64x48",
        "data check data",
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    for said in ("2 people on 2 images", "AP_M", "written: released.pth", "written: model.onnx", "GFLOPs"):
        assert said in done.stdout
    assert len(list((folder / "predictions").iterdir())) == 4


def test_the_whole_library_is_imported_and_a_missing_checkpoint_then_found_missing(tmp_path: Path) -> None:
    absent = "sys.modules.update(dict.fromkeys(sys.argv[1].split()))"  # Lightning asks what can be found
    script = SCRIPT.replace("sys.meta_path.insert(0, Refusing())", absent + WHOLE_LIBRARY)
    refused = "papermill dask distributed nbconvert nbformat nbclient IPython ipywidgets"
    commands = (
        "predict no.jpg --checkpoint no.pt --out out",
        "evaluate --checkpoint no.pt --data .",
        "convert no.pt new.pt",
        "export --checkpoint no.pt new.onnx",
    )
    done = poseur(*commands, folder=tmp_path, script=script, refused=refused)
    assert done.stderr.splitlines() == ["poseur: no.pt: no such checkpoint"] * len(commands)


def test_a_command_of_the_study_says_what_it_needs(folder: Path) -> None:
    done = poseur("report", folder=folder)
    assert done.returncode == 1
    assert re.fullmatch(r"poseur: \w+ is not installed: pip install 'poseur_lib\[study\]'\n", done.stderr)
