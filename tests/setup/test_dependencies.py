"""The package imports only what pyproject.toml declares, and declares no test tool as its own."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def imported(folder: Path) -> dict[str, Path]:
    """Top-level modules that the Python files of a folder import, each with one file that does."""
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
    return modules


def test_every_import_of_the_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["slurm"]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    declared.add("pydantic-core")  # pydantic's other half, held to one version by pydantic
    owners = packages_distributions()
    undeclared = {}
    ours = ("poseur_lib", "poseur_study", "synthetic_people")
    for module, path in {**imported(ROOT / ours[0]), **imported(ROOT / ours[1]), **imported(ROOT / ours[2])}.items():
        if module not in sys.stdlib_module_names and module not in ours:
            distributions = {canonicalize_name(name) for name in owners.get(module, [module])}
            if not distributions & declared:
                undeclared[module] = str(path.relative_to(ROOT))
    assert undeclared == {}
