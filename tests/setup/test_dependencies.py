"""A package imports only what pyproject.toml declares for it: the library and the generator nothing of [study]."""

import ast
import subprocess
import sys
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from poseur_study.cli.main import STUDY_MODULES
from tests.setup.project import PACKAGES, PYPROJECT, ROOT, requirements

OWNERS = packages_distributions()


def imported(folder: Path) -> dict[str, Path]:
    """Top-level modules of others that the Python files of a folder import, each with one file that does."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            modules |= {name.partition(".")[0]: path for name in names}
    return {name: path for name, path in modules.items() if name not in {*sys.stdlib_module_names, *PACKAGES}}


def distributions(module: str) -> set[str]:
    return {canonicalize_name(name) for name in OWNERS.get(module, [module])}


@pytest.mark.parametrize(
    ("package", "extras"), [("poseur_lib", ("heif",)), ("synthetic_people", ()), ("poseur_study", ("study", "slurm"))]
)
def test_every_import_of_a_package_is_declared(package: str, extras: tuple[str, ...]) -> None:
    declared = {canonicalize_name(requirement.name) for requirement in requirements(*extras)}
    declared.add("pydantic-core")  # pydantic's other half, held to one version by pydantic
    used = imported(ROOT / package)
    used.pop("triton", None)  # comes with CUDA builds of torch; imported where one of its kernels is asked for
    assert {name: path for name, path in used.items() if not distributions(name) & declared} == {}


def test_the_command_line_knows_the_modules_of_the_study_extra() -> None:
    """What `poseur` names in one line where it is missing, is what [study] installs for our imports."""
    core, study = ({canonicalize_name(one.name) for one in requirements(*extras)} for extras in ((), ("study",)))
    used = [name for name in imported(ROOT / "poseur_study") if distributions(name) & (study - core)]
    assert sorted(STUDY_MODULES) == sorted(used)


def test_every_file_of_a_package_is_in_the_wheel() -> None:
    """Python files are; the rest by the patterns of package-data."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listed = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    data = [path for path in listed.stdout.splitlines() if not path.endswith(".py")]
    patterns = {
        package: [f"{package}/{pattern.removeprefix('**/')}" for pattern in given]
        for package, given in PYPROJECT["tool"]["setuptools"]["package-data"].items()
    }
    lost = [path for path in data if not any(fnmatch(path, one) for one in patterns.get(path.partition("/")[0], ()))]
    assert len(data) > 10 and lost == []
