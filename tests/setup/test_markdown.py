"""The Markdown files at the root: their links lead somewhere, the paths and modules that they name are there."""

import re
from itertools import product
from pathlib import Path

import pytest

from tests.setup.project import PACKAGES, PROJECT, ROOT
from tools.draw_architecture import DECLARATION_TO_VERDICT, IMAGE_TO_LOSS, PICTURES

FILES = sorted(ROOT.glob("*.md"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
FOLDERS = (*PACKAGES, "notebooks", "runs", "reports", "benchmarks", "tests", "tools", "docs")


def anchors(text: str) -> set[str]:
    """The fragments that a file's headings have on GitHub."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", file.read_text()):
        path, _, fragment = target.partition("#")
        assert (ROOT / path).exists(), target
        assert not fragment or fragment in anchors((ROOT / path).read_text() if path else file.read_text()), target


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_paths_that_are_named_exist(file: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./]*)`", file.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_there_are_paths_and_links_to_check() -> None:
    assert {path.name for path in FILES} == {"ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md"}
    text = "".join(path.read_text() for path in FILES)
    assert len(re.findall(r"\]\(", text)) > 5 and len(re.findall(r"`\w+/[\w./]*`", text)) > 60


def test_the_changelog_opens_with_this_version_and_names_modules_that_are_there() -> None:
    assert re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)[0] == PROJECT["version"]
    moved = re.findall(r"^\| .+ \| (`.+) \|$", CHANGELOG, re.MULTILINE)
    modules = [name for cell in moved for name in re.findall(r"`([\w.]+)`", cell)]
    gone = [name for name in modules if not list(ROOT.glob(f"{name.replace('.', '/')}*"))]
    assert len(modules) > 25 and gone == []


def test_pictures_are_those_that_the_code_draws() -> None:
    """`python -m tools.draw_architecture` draws them again; the first is of the imports as they are."""
    for name, draw in PICTURES.items():
        assert (ROOT / "docs" / name).read_text() == draw(), name


def test_files_in_the_pictures_are_there() -> None:
    named = [station.files for station in (*IMAGE_TO_LOSS, *DECLARATION_TO_VERDICT)]
    parts = [[part.split(",") for part in re.split(r"[{}]", files)] for files in named]
    paths = ["".join(one) for split in parts for one in product(*split)]
    assert len(paths) > 20 and [path for path in paths if not (ROOT / path).exists()] == []
