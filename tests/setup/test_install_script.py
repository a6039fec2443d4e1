"""tools/install.sh says in one line what is missing; its installing is shown by every `make test`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from tests.setup.project import EXTRAS, PROJECT, ROOT, requirements
from tools import check_environment


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the script reads, in a folder with a space in its name."""
    folder = tmp_path / "a clone"
    (folder / "tools").mkdir(parents=True)
    for name in ("tools/install.sh", "tools/check_environment.py", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def install(project: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("VENV", "PYTHON")} | variables
    command = ["bash", "tools/install.sh"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)


def fake_python(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def error_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode != 0
    (line,) = result.stderr.splitlines()
    return line


def test_a_python_that_is_too_old_is_named(project: Path) -> None:
    old = fake_python(project / "bin" / "old", '[ "$1" = --version ] && echo Python 3.9.2 || exit 1')
    assert error_line(install(project, PYTHON=str(old))) == (
        f"install: PYTHON={old} is not Python 3.11 or 3.12 (Python 3.9.2)"
    )


def test_a_missing_venv_module_is_named_with_its_package(project: Path) -> None:
    script = f'case "$2" in *ensurepip*) exit 1;; esac; exec "{sys.executable}" "$@"'
    python = fake_python(project / "bin" / "python3", script)
    line = error_line(install(project, PYTHON=str(python)))
    assert "has no venv module" in line and f"python{sys.version_info[0]}.{sys.version_info[1]}-venv" in line


def test_an_environment_that_is_none_is_named(project: Path) -> None:
    (project / "no environment").mkdir()
    assert "VENV=no environment is no Python environment" in error_line(install(project, VENV="no environment"))


def test_what_an_existing_environment_lacks_is_named(project: Path) -> None:
    pytest.importorskip("ensurepip", reason="this Python cannot make environments")
    subprocess.run([sys.executable, "-m", "venv", project / "my env"], check=True)
    line = error_line(install(project, VENV="my env"))
    assert "torch>=2.11 (missing)" in line and "setuptools" in line


def test_a_stamped_environment_is_left_alone(project: Path) -> None:
    fake_python(project / ".venv" / "bin" / "python", "exit 1")
    content = subprocess.run(
        ["bash", "-c", 'printf "%s" "$PWD $(cat requirements.lock pyproject.toml | sha256sum)"'],
        cwd=project, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (project / ".venv" / ".poseur_lib-installed").write_text(content.stdout + "\n")
    result = install(project)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_what_no_lock_has_is_not_asked_of_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(check_environment, "unmet", lambda requirements: asked.extend(requirements) or [])
    monkeypatch.setattr(sys, "argv", ["check_environment.py"])
    assert check_environment.main() == 0
    assert {Requirement(one).name for one in asked} >= {one.name for one in requirements(*EXTRAS)}
    assert not {Requirement(one).name for one in PROJECT["optional-dependencies"]["imagenet"]} & {
        Requirement(one).name for one in asked
    }


@pytest.mark.parametrize(
    ("url", "editable", "ours"),
    [("", True, True), ("/", True, True), ("-old", True, False), ("/old", True, False), ("", False, False)],
)
def test_a_checkout_whose_path_begins_like_ours_is_another(
    url: str, editable: bool, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps({"url": ROOT.as_uri() + url, "dir_info": {"editable": editable}})
    found = SimpleNamespace(read_text=lambda name: text)
    monkeypatch.setattr(check_environment.metadata, "distribution", lambda name: found)
    assert check_environment.is_editable() is ours
