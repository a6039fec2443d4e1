"""The table of deviations against the configuration, the preset and the tests that it names."""

import ast
import re
from functools import reduce
from pathlib import Path

import pytest

from poseur_lib.config import PAPER_TEXT, ExperimentConfig
from poseur_study.paper.deviations import DEVIATIONS, LEFT_OPEN, OF_THE_PRESET, WITHOUT_KNOB

ROOT = Path(__file__).parents[2]
by_subject = pytest.mark.parametrize("row", DEVIATIONS, ids=lambda row: row.subject.replace(" ", "_"))


def value_of(config: ExperimentConfig, knob: str):
    return reduce(getattr, knob.split("."), config)


@by_subject
def test_knob_and_default_are_real(row):
    if row.knob is None:
        assert row.default is None and row.paper_value is None and row.note
        return
    default = value_of(ExperimentConfig(), row.knob)
    assert (default, type(default)) == (row.default, type(row.default))


@by_subject
def test_the_named_test_exists(row):
    file, _, name = row.test.partition("::")
    tree = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, row.test


@by_subject
def test_a_row_is_told_in_whole_sentences_and_real_tables(row):
    texts = (row.paper, row.released, *([row.note] if row.note else []))
    assert all(text.endswith(".") and text == text.strip() and "  " not in text for text in texts)
    assert row.tables and all(re.fullmatch(r"all|1[a-e]|2[ab]|[3-6]|S[1-5]|figure_s1", table) for table in row.tables)


def test_the_preset_is_the_rows_that_have_a_value_of_the_paper():
    """No knob is turned without a row, and no row is left out of the preset."""
    paper = ExperimentConfig().with_changes(**PAPER_TEXT)
    assert all(row.paper_value is not None and row.paper_value != row.default for row in OF_THE_PRESET)
    assert all(row.paper_value is None for row in (*LEFT_OPEN, *WITHOUT_KNOB))
    for row in DEVIATIONS:
        if row.knob is not None:
            expected = row.default if row.paper_value is None else row.paper_value
            assert value_of(paper, row.knob) == expected, row.subject
    assert {row.knob.removesuffix(".kind") for row in OF_THE_PRESET} == set(PAPER_TEXT)


def test_no_subject_and_no_knob_twice():
    subjects = [row.subject for row in DEVIATIONS]
    knobs = [row.knob for row in DEVIATIONS if row.knob]
    assert len(set(subjects)) == len(subjects) and len(set(knobs)) == len(knobs)
