"""The library, and the commands that need nothing else of the project, without what only the study side needs."""

import subprocess
import sys

STUDY_ONLY = ("papermill", "dask", "distributed", "nbconvert", "nbformat", "nbclient", "IPython", "ipywidgets")
CODE = f"""
import importlib, pkgutil, sys
for name in {STUDY_ONLY}:
    sys.modules[name] = None
import poseur_lib
for module in pkgutil.walk_packages(poseur_lib.__path__, "poseur_lib."):
    importlib.import_module(module.name)
from poseur_study.cli.main import main
for arguments in (
    ["predict", "no.jpg", "--checkpoint", "no.pt", "--out", "out"],
    ["evaluate", "--checkpoint", "no.pt", "--data", "."],
    ["convert", "no.pt", "new.pt"],
    ["export", "--checkpoint", "no.pt", "new.onnx"],
    ["cost", "smoke"],
):
    main(arguments)
"""


def test_the_library_and_its_commands_import_nothing_of_the_study_side(tmp_path):
    """A checkpoint that is missing is found missing after everything is imported; costs are printed."""
    code = [sys.executable, "-c", CODE]
    done = subprocess.run(code, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["poseur: no.pt: no such checkpoint"] * 4
    assert "smoke, 64x48" in done.stdout
