"""Imports run one way: the study side uses the library and the generator, and a folder only what stands below it."""

import re
from pathlib import Path

import pytest

from tests.setup.project import PACKAGES, ROOT
from tools.import_graph import Arrow, arrows, circle, folder, folders

FORBIDDEN = {"poseur_lib": ("poseur_study", "synthetic_people"), "synthetic_people": ("poseur_study",)}


def layers(markdown: str) -> list[str]:
    """The folders of the tables of ARCHITECTURE.md, from the lowest of the library to the highest of the study side."""
    cells = re.findall(r"^\| (`.+?) \|", markdown, re.MULTILINE)
    paths = re.findall(r"`((?:poseur_lib|poseur_study)/\w+)(?:/|\.py)`", "\n".join(cells))
    return [path.replace("/", ".") for path in paths]


def wrong_way(modules: set[Arrow], order: list[str]) -> list[str]:
    """Imports of a package that must not be imported there, of a later layer, or between folders without a layer."""
    place = {name: number for number, name in enumerate(order)}
    wrong = []
    for importing, imported in sorted(modules):
        home, other = folder(importing), folder(imported)
        package, used = home.partition(".")[0], other.partition(".")[0]
        inside = package == used != "synthetic_people" and home != other and "." in home and "." in other
        if used in FORBIDDEN.get(package, ()) or (inside and place.get(home, -1) <= place.get(other, -1)):
            wrong.append(f"{importing} imports {imported}")
    return wrong


@pytest.fixture(scope="module")
def modules() -> set[Arrow]:
    return arrows(ROOT, PACKAGES)


@pytest.fixture(scope="module")
def order() -> list[str]:
    return layers((ROOT / "ARCHITECTURE.md").read_text())


def test_no_circle_of_modules_or_folders(modules: set[Arrow]) -> None:
    assert circle(modules) == [] and circle(folders(modules)) == []
    assert len(modules) > 1000 and len(folders(modules)) > 200


def test_imports_run_one_way(modules: set[Arrow], order: list[str]) -> None:
    assert wrong_way(modules, order) == []


def test_every_folder_has_its_layer(order: list[str]) -> None:
    found = {folder(".".join(path.relative_to(ROOT).with_suffix("").parts)) for package in PACKAGES[:2]
             for path in (ROOT / package).rglob("*.py")}  # fmt: skip
    assert sorted(order) == sorted(found - {"poseur_lib.__init__", "poseur_study.__init__"})


PLANTED = {
    "poseur_lib/__init__.py": "",
    "poseur_lib/data/__init__.py": "",
    "poseur_lib/data/crop.py": "import numpy\n",
    "poseur_lib/models/__init__.py": "from poseur_lib.data import crop\n",
    "poseur_study/__init__.py": "import poseur_lib.models\n",
}


@pytest.fixture
def planted(tmp_path: Path):
    """The imports of a small tree, with one file of it written anew."""

    def write(name: str = "poseur_lib/__init__.py", text: str = "") -> set[Arrow]:
        for path, content in {**PLANTED, name: text}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(content)
        return arrows(tmp_path, ("poseur_lib", "poseur_study"))

    return write


def test_what_a_sound_tree_imports(planted) -> None:
    found = planted()
    assert found == {("poseur_lib.models", "poseur_lib.data.crop"), ("poseur_study", "poseur_lib.models")}
    assert circle(folders(found)) == [] and wrong_way(found, ["poseur_lib.data", "poseur_lib.models"]) == []


@pytest.mark.parametrize(
    "text",
    [
        "import poseur_lib.models\n",
        "from ..models import anything\n",
        "def build():\n    from poseur_lib import models\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from poseur_lib.models import Model\n",
    ],
)
def test_a_planted_circle_is_found(planted, text: str) -> None:
    found = planted("poseur_lib/data/crop.py", text)
    assert sorted(set(circle(found))) == ["poseur_lib.data.crop", "poseur_lib.models"]
    assert sorted(set(circle(folders(found)))) == ["poseur_lib.data", "poseur_lib.models"]
    assert wrong_way(found, ["poseur_lib.data", "poseur_lib.models"]) == [
        "poseur_lib.data.crop imports poseur_lib.models"
    ]


def test_a_forbidden_direction_is_found(planted) -> None:
    found = planted("poseur_lib/data/crop.py", "from poseur_study import VERSION\n")
    assert wrong_way(found, ["poseur_lib.data", "poseur_lib.models"]) == ["poseur_lib.data.crop imports poseur_study"]


def test_a_folder_without_a_layer_is_found(planted) -> None:
    assert wrong_way(planted(), []) == ["poseur_lib.models imports poseur_lib.data.crop"]
