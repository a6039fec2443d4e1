"""requirements.lock pins everything that pyproject.toml asks for, with hashes, and names no machine or index."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.setup.project import EXTRAS, ROOT, build_requirements, requirements

TEXT = (ROOT / "requirements.lock").read_text()


def locked(python: str) -> dict[str, Requirement]:
    """The pins that apply to a Python version on Linux x86-64, by name."""
    machine = {"python_version": python[:4], "python_full_version": python, "platform_machine": "x86_64"}
    machine |= {"sys_platform": "linux", "implementation_name": "cpython"}
    pins = {}
    for line in re.findall(r"^[A-Za-z0-9].*", TEXT, flags=re.MULTILINE):
        pin = Requirement(line.rstrip("\\ "))
        if pin.marker is None or pin.marker.evaluate(machine):
            assert canonicalize_name(pin.name) not in pins, f"{pin.name} is pinned twice on Python {python}"
            pins[canonicalize_name(pin.name)] = pin
    return pins


@pytest.mark.parametrize("python", ["3.11.7", "3.12.1"])
def test_every_requirement_is_pinned_within_its_bounds(python: str) -> None:
    pins = locked(python)
    for requirement in [*requirements(*EXTRAS), *build_requirements()]:
        (pin,) = pins[canonicalize_name(requirement.name)].specifier
        assert pin.operator == "==" and requirement.specifier.contains(pin.version), requirement


def test_every_pin_has_hashes() -> None:
    for entry in re.split(r"\n(?=[A-Za-z0-9])", TEXT):
        if not entry.startswith("#"):
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.splitlines()[0]


def test_no_machine_path_and_no_index() -> None:
    assert not re.search(r"https?:|/dev/fd|/tmp|/root|/home|index-url|find-links", TEXT)
    assert "make lock" in TEXT.splitlines()[0]
