"""The source notebooks: stripped, small cells, literal parameters that the library knows."""

import ast
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from poseur_study.experiments import TABLES
from poseur_study.experiments.notebook_parameters import (
    AuditSettings,
    ExplorerSettings,
    NotebookParameters,
    QuickstartSettings,
    RunSettings,
    TableSettings,
)

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SETTINGS: dict[str, type[NotebookParameters]] = {  # all other notebooks are tables'
    "paper_audit.ipynb": AuditSettings,
    "explore_attention.ipynb": ExplorerSettings,
    "train_variant.ipynb": RunSettings,
    "pretrain_backbone.ipynb": RunSettings,
    "quickstart.ipynb": QuickstartSettings,
}
LONGEST = 6
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def parameters_cell(path: Path):
    (cell,) = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
    return cell


def test_every_table_has_its_notebook():
    assert {table.notebook for table in TABLES} | set(SETTINGS) == {path.name for path in NOTEBOOKS}


def test_sources_are_stripped():
    command = [sys.executable, "-m", "nbstripout", "--verify", *map(str, NOTEBOOKS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@each
def test_cells_are_short_and_plain(path):
    for cell in code_cells(path):
        if "parameters" in cell.metadata.get("tags", []):
            continue
        assert len(cell.source.strip().splitlines()) <= LONGEST, cell.source
        nodes = list(ast.walk(ast.parse(cell.source)))
        assert not [node for node in nodes if isinstance(node, ast.FunctionDef | ast.For | ast.While | ast.Lambda)]


@each
def test_a_sentence_stands_before_the_first_code_and_parameters_are_literals(path):
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    for statement in ast.parse(parameters_cell(path).source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)


@each
def test_parameters_are_those_that_the_library_validates_with_the_same_defaults(path):
    settings = SETTINGS.get(path.name, TableSettings)
    namespace: dict[str, object] = {}
    exec(parameters_cell(path).source, namespace)
    given = {name: value for name, value in namespace.items() if not name.startswith("__")}
    assert set(given) == set(settings.model_fields)
    assert settings.from_notebook(given) == settings()


@pytest.mark.parametrize("table", TABLES, ids=[table.number for table in TABLES])
def test_a_table_notebook_has_the_parts_of_the_house_style_in_order(table):
    text = "\n".join(cell.source for cell in nbformat.read(FOLDER / table.notebook, as_version=4).cells)
    parts = [
        "paper's claim",
        "What would count as reproduced",
        "import",
        "Parameters",
        "The variants",
        "Cost and cache",
        "Run or load",
        "Paper beside ours",
        "table_figure(",
        "How to read it",
        "Verdict",
        "Deviations and open questions",
        "Provenance",
    ]
    places = [text.replace("\n", " ").find(part) for part in parts]
    assert -1 not in places and places == sorted(places), dict(zip(parts, places, strict=True))
    assert f'TableStudy("{table.number}"' in text
