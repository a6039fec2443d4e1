"""What the paper prints, each number with its place: its tables (`tables.toml`) and its text (`text.toml`).

A cell stands in the files once, and they are validated as they are read. `published.toml` has the sizes that the
compared methods' own publications print.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from poseur_lib.errors import UserError, listed, nearest
from poseur_study.paper.subject import Subject, subject_of

Entry = TypeVar("Entry")

TABLES_FILE, TEXT_FILE, PUBLISHED_FILE = (
    Path(__file__).with_name(f"{name}.toml") for name in ("tables", "text", "published")
)

ALWAYS, OPTIONAL = {"title", "on", "words", "numbers", "rows"}, {"setting", "common", "variants"}
"""Entries of a table."""

TICKS = {"✓": "{}", "✗": "no {}", "": ""}
"""Cells of a column that is ticked, in words."""


@dataclass(frozen=True)
class Printed:
    """A number that the paper prints, and where.

    Attributes:
        digits: the number with the digits that are printed: 75.0 is not 75.
    """

    digits: Decimal
    source: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.digits)

    @property
    def text(self) -> str:
        """The number as printed."""
        return str(self.digits)

    @property
    def half_digit(self) -> Decimal:
        """Half a unit of the last printed digit: what rounding can have moved it by."""
        return Decimal(1).scaleb(self.digits.as_tuple().exponent) / 2


class Missing(StrEnum):
    """Why a cell has no number."""

    NOT_PRINTED = "-"  # the paper prints a dash
    LOST = "lost"  # the paper has the column, our copy of it has lost it


@dataclass(frozen=True)
class PaperRow:
    """A row of a table.

    Attributes:
        label: the row in words, made of its word cells.
        words: the cells that say what the row is, by column, as printed.
        cells: the cells that say what came out, by column.
        variant: True if it is not the plain method but an ablated, disturbed or shortened one.
    """

    key: str
    label: str
    words: Mapping[str, str]
    cells: Mapping[str, Printed | Missing]
    subject: Subject
    variant: bool


@dataclass(frozen=True)
class PaperTable:
    """A table: `number` is 1a to 6, or S1 to S5 for the supplement's."""

    number: str
    title: str
    words: tuple[str, ...]
    numbers: tuple[str, ...]
    rows: tuple[PaperRow, ...]

    @property
    def name(self) -> str:
        """`Table 2b`, `Supp. Table 3`."""
        return table_name(self.number)

    @property
    def headline(self) -> str:
        """The column by which methods are compared: AP, or the mean PCKh."""
        return "AP" if "AP" in self.numbers else "Mean"

    def row(self, key: str) -> PaperRow:
        """A row by its key. Raises UserError if there is no such row."""
        return entry_of({row.key: row for row in self.rows}, key, self.name, "row")


def table_name(number: str) -> str:
    """What a table is called in prose."""
    return f"Supp. Table {number[1:]}" if number.startswith("S") else f"Table {number}"


@cache
def paper_tables() -> Mapping[str, PaperTable]:
    """Every table by its number, in the paper's order."""
    return read_tables(TABLES_FILE)


def printed_cell(table: str, row: str, column: str) -> Printed:
    """A cell that has a number.

    Raises:
        UserError: there is no such table, row or column, or the cell has no number.
    """
    of = entry_of(paper_tables(), table, "the paper", "table")
    cell = entry_of(of.row(row).cells, column, of.name, "column")
    if isinstance(cell, Missing):
        raise UserError(f"{of.name}, row {row}, {column}: no number ({cell.name.lower().replace('_', ' ')})")
    return cell


def entry_of(known: Mapping[str, Entry], key: str, whose: str, kind: str) -> Entry:
    """What the paper has under a key: `whose` and `kind` are words for the error.

    Raises:
        UserError: it is not there; the nearest that there is is named, or some where none is near.
    """
    if key not in known:
        guess = nearest(key, known)
        hint = f"did you mean {guess!r}?" if guess else f"it has {listed(known, 5)}"
        raise UserError(f"{whose} has no {kind} {key!r}: {hint}")
    return known[key]


def read_tables(file: Path) -> Mapping[str, PaperTable]:
    """Tables from a file like `tables.toml`.

    Raises:
        UserError: it is not valid TOML, or a table is not as the head of that file says.
    """
    return MappingProxyType({number: _table(number, entry) for number, entry in read_toml(file).items()})


def read_toml(file: Path) -> dict[str, Any]:
    """A file's content, its numbers with the digits that are written. Raises UserError if it is not valid TOML."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: {error}") from None


def _table(number: str, entry: Mapping[str, Any]) -> PaperTable:
    for name in sorted(set(entry) ^ ALWAYS):
        if name not in OPTIONAL or name in ALWAYS:
            raise UserError(f"paper table {number}: {'missing' if name in ALWAYS else 'unknown'} entry {name!r}")
    for key in entry.get("variants", []):
        if key not in entry["rows"]:
            raise UserError(f"paper table {number}: variant {key!r} is no row")
    rows = tuple(_row(number, entry, key, line) for key, line in entry["rows"].items())
    seen = [tuple(row.words.values()) for row in rows]
    for row in rows:
        if seen.count(tuple(row.words.values())) > 1:
            raise UserError(f"paper table {number}: row {row.key!r} is there twice")
    return PaperTable(number, entry["title"], tuple(entry["words"]), tuple(entry["numbers"]), rows)


def _row(number: str, entry: Mapping[str, Any], key: str, line: Sequence[Any]) -> PaperRow:
    names = [*entry["words"], *entry["numbers"]]
    if len(line) != len(names):
        raise UserError(f"paper table {number}, row {key!r}: {len(line)} cells for {len(names)} columns")
    words = dict(zip(entry["words"], line, strict=False))
    for column, word in words.items():
        if not isinstance(word, str):
            raise UserError(f"paper table {number}, row {key!r}, {column}: {word!r} is no word")
    label = _label(words)
    given = dict(zip(entry["numbers"], line[len(words) :], strict=True))
    cells = {column: _cell(f"{table_name(number)}, {label}", column, cell) for column, cell in given.items()}
    subject = subject_of(words, entry.get("common", {}), entry["on"], entry.get("setting", "cropped people"))
    variant = key in entry.get("variants", [])
    return PaperRow(key, label, MappingProxyType(words), MappingProxyType(cells), subject, variant)


def _cell(row: str, column: str, cell: Any) -> Printed | Missing:
    if isinstance(cell, str) and cell in {*Missing}:
        return Missing(cell)
    if isinstance(cell, bool) or not isinstance(cell, int | Decimal) or cell <= 0:
        raise UserError(f"{row}, {column}: {cell!r} is neither a positive number nor one of {[*map(str, Missing)]}")
    if column.startswith(("AP", "Mean")) and cell > 100:
        raise UserError(f"{row}, {column}: {cell} is above 100")
    return Printed(Decimal(cell), row)


def _label(words: Mapping[str, str]) -> str:
    parts = []
    for column, word in words.items():
        if word in TICKS:
            parts.append(TICKS[word].format(column))
        else:
            parts.append(f"{column} {word}" if word.isdigit() else word)
    return ", ".join(part for part in parts if part) or f"no {next(iter(words))}"


@dataclass(frozen=True)
class TextNumber(Printed):
    """A number of the text; `source` is its section.

    Attributes:
        words: a few words of the place, to find it by.
        in_words: how the number is written if not in digits.
    """

    unit: str
    words: str
    in_words: str | None = None

    @property
    def text(self) -> str:
        """The number as printed."""
        return self.in_words or str(self.digits)

    @property
    def with_unit(self) -> str:
        """`4.7 AP`; a number in words has none."""
        return self.in_words or f"{self.digits} {self.unit}"


@cache
def text_numbers() -> Mapping[str, TextNumber]:
    """Every number of the text by its key, in the order of the text.

    Raises:
        UserError: an entry lacks a value, unit, place or words, or has something else.
    """
    found = {}
    for key, entry in read_toml(TEXT_FILE).items():
        try:
            values = dict(entry)
            value, place = values.pop("value"), values.pop("place")
            found[key] = TextNumber(digits=Decimal(value), source=place, **values)
        except (KeyError, TypeError) as error:
            raise UserError(f"{TEXT_FILE.name}: {key}: {error}") from None
    return MappingProxyType(found)


def text_number(key: str) -> TextNumber:
    """A number of the text. Raises UserError if there is none of this key."""
    return entry_of(text_numbers(), key, "the paper's text", "number")


@dataclass(frozen=True)
class Published:
    """What is printed of a method on a backbone at 256 x 192: digits with their source; None where nothing is."""

    parameters: tuple[str, str] | None
    gflops: tuple[str, str] | None


def published(method: str, backbone: str) -> Published:
    """Its own publication's figures; GFLOPs of the paper's tables come first."""
    of_method = [row for row in _rows() if row["method"] == method]
    own = {
        what: (row[what][backbone], row["source"])
        for row in of_method
        for what in ("parameters", "gflops")
        if backbone in row.get(what, {})
    }
    return Published(own.get("parameters"), _in_tables(method, backbone) or own.get("gflops"))


def published_notes() -> Mapping[str, str]:
    """Why a printed number of parameters is not ours, by method."""
    return MappingProxyType({row["method"]: row["note"] for row in _rows() if "note" in row})


@cache
def _rows() -> list[dict[str, Any]]:
    return read_toml(PUBLISHED_FILE)["row"]


def _in_tables(method: str, backbone: str) -> tuple[str, str] | None:
    """GFLOPs in Table 5, or in Table 2a."""
    for table in ("5", "2a"):
        for row in paper_tables()[table].rows:
            subject, cell = row.subject, row.cells["GFLOPs"]
            same = (subject.method, subject.backbone, subject.input) == (method, backbone, "256 × 192")
            if same and isinstance(cell, Printed):
                return cell.text, cell.source
    return None
