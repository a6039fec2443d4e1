"""Every cell that is stored is the cell that is printed, and every cell that is printed is stored."""

import pytest

from poseur_study.paper.tables import Missing, PaperTable, Printed, paper_tables, text_numbers
from tests.paper.markdown import bodies, text_of

# Which columns of which HTML table a table of the paper is: its parts stand side by side.
PLACES = {
    "1a": (0, 0, 2), "1b": (0, 2, 4), "1c": (0, 4, 6), "1d": (1, 0, 7), "1e": (1, 7, 13),
    "2a": (2, 0, 4), "2b": (2, 4, 9), "3": (3, 0, 6), "4": (4, 0, 4), "5": (5, 0, 9), "6": (6, 0, 6),
    "S1": (7, 0, 6), "S2": (8, 0, 6), "S3": (9, 0, 7), "S4": (10, 0, 7), "S5": (11, 0, 6),
}  # fmt: skip
IN_MILLIONS = ("Params", "Memory")


def as_printed(table: PaperTable) -> list[list[str]]:
    """The stored rows as the paper prints them; a cell that our copy lost is left out."""
    return [
        [*row.words.values(), *(one(column, cell) for column, cell in row.cells.items() if cell is not Missing.LOST)]
        for row in table.rows
    ]


def one(column: str, cell: Printed | Missing) -> str:
    if isinstance(cell, Missing):
        return cell.value
    return cell.text + ("M" if column in IN_MILLIONS else "")


def test_all_tables_are_there():
    assert tuple(paper_tables()) == tuple(PLACES)


@pytest.mark.parametrize("number", PLACES)
def test_every_cell_is_the_printed_one(number, shared):
    table, first, end = PLACES[number]
    assert as_printed(paper_tables()[number]) == [row[first:end] for row in bodies(shared)[table]]


def test_every_printed_column_belongs_to_a_table(shared):
    ours = {table: sum(end - first for t, first, end in PLACES.values() if t == table) for table in range(12)}
    theirs = {number: {len(row) for row in rows} for number, rows in enumerate(bodies(shared))}
    assert theirs == {number: {width} for number, width in ours.items()}


def test_a_lost_column_is_named_and_nothing_else_is_lost():
    lost = {(t.number, c) for t in paper_tables().values() for r in t.rows for c in r.cells if r.cells[c] == "lost"}
    assert lost == {("6", "AP_L")}


@pytest.mark.parametrize("key", text_numbers())
def test_a_number_of_the_text_stands_at_its_place(key, shared):
    number = text_numbers()[key]
    assert number.text in number.words
    assert " ".join(number.words.split()) in text_of(shared)
    assert len(number.words.split()) <= 8
