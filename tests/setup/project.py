"""What the checks of the project's own files read."""

import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement

from tools.check_environment import UNLOCKED

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
PACKAGES = ("poseur_lib", "poseur_study", "synthetic_people")
EXTRAS = tuple(extra for extra in PROJECT["optional-dependencies"] if extra not in UNLOCKED)
"""Those that are locked."""


def requirements(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for: the core, and these extras."""
    lines = chain(PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras))
    return [Requirement(line) for line in lines]


def build_requirements() -> list[Requirement]:
    """What building the package needs."""
    return [Requirement(line) for line in PYPROJECT["build-system"]["requires"]]
