"""The source notebooks: stripped, small cells, literal parameters that the library knows; tables' notebooks unlike."""

import ast
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import nbformat
import pytest

from poseur_study.experiments import STUDIES, TABLES
from poseur_study.experiments.analyses import SCORING
from poseur_study.experiments.notebook_parameters import (
    ExplorerSettings,
    NotebookParameters,
    OwnKeypointsSettings,
    QuickstartSettings,
    RunSettings,
    TableSettings,
)

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SETTINGS: dict[str, type[NotebookParameters]] = {  # all other notebooks are tables'
    "explore_attention.ipynb": ExplorerSettings,
    "train_variant.ipynb": RunSettings,
    "pretrain_backbone.ipynb": RunSettings,
    "quickstart.ipynb": QuickstartSettings,
    "own_keypoints.ipynb": OwnKeypointsSettings,
}
OURS = ("poseur_lib", "poseur_study", "synthetic_people")
LONGEST = 15
MOST_ALIKE = 0.6
NOT_OUR_TERMS = re.compile(
    r"could find|asked|devices? at work|no effect found|none was found|learned by heart|\bceilings?\b", re.IGNORECASE
)
"""Words that have a field term: minimum detectable effect, device-hours, inconclusive, overfit, quantisation bound."""


@pytest.mark.parametrize("notebook", [*NOTEBOOKS, *sorted(FOLDER.glob("report/*.ipynb"))], ids=lambda path: path.stem)
def test_what_a_notebook_imports_of_ours_is_there(notebook):
    """Most notebooks are executed by slow tests alone."""
    cells = [one.source for one in nbformat.read(notebook, 4).cells if one.cell_type == "code"]
    found = [node for source in cells for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in found if (node.module or "").split(".")[0] in OURS]
    assert ours, "no import of ours was found: are they read?"
    for node in ours:
        module = importlib.import_module(node.module)
        for name in node.names:
            known = hasattr(module, name.name) or importlib.util.find_spec(f"{node.module}.{name.name}")
            assert known, f"from {node.module} import {name.name}"


each = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
each_table = pytest.mark.parametrize("table", STUDIES, ids=[table.number for table in STUDIES])


def read(path: Path) -> list:
    return nbformat.read(path, as_version=4).cells


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def code_cells(path: Path) -> list:
    return [cell for cell in read(path) if cell.cell_type == "code"]


def code_lines(path: Path) -> Counter:
    return Counter(line.strip() for cell in code_cells(path) for line in cell.source.splitlines() if line.strip())


def parameters_cell(path: Path):
    (cell,) = [cell for cell in code_cells(path) if "parameters" in tags(cell)]
    return cell


def test_every_table_has_its_notebook():
    assert {table.notebook for table in STUDIES} | set(SETTINGS) == {path.name for path in NOTEBOOKS}


def test_sources_are_stripped():
    command = [sys.executable, "-m", "nbstripout", "--verify", *map(str, NOTEBOOKS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def statements(source: str) -> int:
    """Statements of a cell, those within others too, however their lines are broken; imports do not count."""
    found = [one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.stmt)]
    return sum(not isinstance(one, ast.Import | ast.ImportFrom) for one in found)


@each
def test_every_code_cell_is_short_and_compiles(path):
    for cell in code_cells(path):
        compile(cell.source, f"{path.name}, cell {cell.id}", "exec")
        assert cell.source.strip(), f"{path.name}: cell {cell.id} is empty"
        assert "parameters" in tags(cell) or statements(cell.source) <= LONGEST, cell.source


@each
def test_a_sentence_stands_before_the_first_code_and_parameters_are_literals(path):
    cells = read(path)
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


@each
def test_prose_keeps_to_the_terms_of_the_field(path):
    prose = " ".join(" ".join(cell.source.split()) for cell in read(path) if cell.cell_type == "markdown")
    assert not (found := NOT_OUR_TERMS.findall(prose)), found


def test_no_hollow_marker_has_a_colour_of_a_legend_in_which_it_cannot_be_seen():
    for path in FOLDER.rglob("*.ipynb"):
        for cell in code_cells(path):
            calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
            given = [{word.arg: ast.unparse(word.value) for word in call.keywords} for call in calls]
            hollow = [one for one in given if "'none'" in (one.get("facecolor"), one.get("facecolors"))]
            assert not [one for one in hollow if "hue" in one], f"{path.name}: {cell.source}"


@each_table
def test_a_table_notebook_hands_all_parameters_to_its_study_and_asserts_its_variants(table):
    cells = code_cells(FOLDER / table.notebook)
    calls = [
        node
        for cell in cells
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "TableStudy"
    ]
    assert [ast.literal_eval(call.args[0]) for call in calls] == [table.number]
    given = {word.arg: ast.unparse(word.value) for word in calls[0].keywords}
    assert given == {name: name for name in TableSettings.model_fields}
    assert any("study.variants" in cell.source and "assert " in cell.source for cell in cells)
    assert any("study.run()" in cell.source for cell in cells) or table.number == "6", "test-dev has no labels"


@each_table
def test_a_table_notebook_answers_draws_and_writes(table):
    path = FOLDER / table.notebook
    answers = [cell.source for cell in read(path) if "answer" in tags(cell)]
    if table.number == SCORING.number:  # the study's own result comes before the table's claims
        assert answers.pop(0) == "Markdown(score_headline(told))" and "Captioned(" in answers.pop(0)
    if table in TABLES:
        assert answers[:3] == ["study.answer()", "study.summary()", "study.figure()"]
    assert len(answers) > 1
    lines = code_lines(path)
    assert lines["import seaborn as sns"] == 1
    last = [cell for cell in code_cells(path) if "study.write()" in cell.source][-1:]
    assert last and last[0].id in [cell.id for cell in code_cells(path)[-3:]]
    assert any(line.startswith("sns.") or "= sns." in line for line in lines), "no figure is made in a cell"


@each_table
def test_a_table_notebook_says_what_would_count_before_it_looks(table):
    prose = "\n".join(cell.source for cell in read(FOLDER / table.notebook) if cell.cell_type == "markdown")
    assert "paper's claim" in prose.replace("\n", " ") and "## What would count" in prose


def test_no_two_table_notebooks_are_alike():
    """The lines that two share, as a share of the shorter one's; parameters, imports and the study's call count."""
    lines = {table.notebook: code_lines(FOLDER / table.notebook) for table in STUDIES}
    alike = {
        (one, other): (lines[one] & lines[other]).total() / min(lines[one].total(), lines[other].total())
        for one, other in combinations(lines, 2)
    }
    assert not {pair: share for pair, share in alike.items() if share > MOST_ALIKE}
