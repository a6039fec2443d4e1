"""environment.yml: its shape, its specs, and that it says what pyproject.toml says. Solving it stays untested."""

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from rattler import MatchSpec

from tests.setup.project import EXTRAS, PROJECT, ROOT, build_requirements, requirements


@pytest.fixture(scope="module")
def environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


@pytest.fixture(scope="module")
def conda_specs(environment: dict) -> list[str]:
    return [entry for entry in environment["dependencies"] if isinstance(entry, str)]


@pytest.fixture(scope="module")
def pip_specs(environment: dict) -> list[str]:
    (section,) = (entry for entry in environment["dependencies"] if not isinstance(entry, str))
    assert list(section) == ["pip"]
    return section["pip"]


def test_shape(environment: dict, conda_specs: list[str], pip_specs: list[str]) -> None:
    assert set(environment) == {"name", "channels", "dependencies"}
    assert environment["name"] == "poseur"
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    assert "pip" in conda_specs  # conda warns where a pip section stands without it
    assert pip_specs


def test_conda_parses_every_spec(conda_specs: list[str]) -> None:
    for spec in conda_specs:
        parsed = MatchSpec(spec, strict=True)
        assert parsed.name is not None and parsed.name.normalized == spec.split()[0]


def test_names_and_bounds_are_those_of_pyproject(conda_specs: list[str], pip_specs: list[str]) -> None:
    here = {}
    for spec in conda_specs:
        name, _, bounds = spec.partition(" ")
        here[canonicalize_name(name)] = SpecifierSet(bounds)
    for requirement in map(Requirement, pip_specs):
        assert requirement.name not in here, f"{requirement.name} stands in both sections"
        here[canonicalize_name(requirement.name)] = requirement.specifier
    python, pip = here.pop("python"), here.pop("pip")
    assert python == SpecifierSet(PROJECT["requires-python"]) and pip == SpecifierSet()
    there = [*requirements(*EXTRAS), *build_requirements()]
    assert here == {canonicalize_name(item.name): item.specifier for item in there}


def test_everything_that_builds_on_torch_is_in_the_pip_section(pip_specs: list[str]) -> None:
    """conda's lightning or torchvision would bring a second torch."""
    assert {"torch", "torchvision", "lightning"} <= {Requirement(spec).name for spec in pip_specs}
