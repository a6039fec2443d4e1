"""What a claim of the paper is."""

from dataclasses import dataclass
from enum import StrEnum

from poseur_study.paper.checks import Check
from poseur_study.paper.formula import Cell, Text
from poseur_study.paper.tables import printed, said, table_name


class Kind(StrEnum):
    """What a claim speaks of."""

    ARITHMETIC = "arithmetic"  # a number that follows from printed ones
    COST = "cost"  # parameters, GFLOPs, memory, speed
    EFFECT = "effect"  # one thing is better than another, or as good
    QUALITATIVE = "qualitative"  # what no number of the paper decides


@dataclass(frozen=True)
class Claim:
    """A statement of the paper.

    Attributes:
        text: in our words; `{key}` stands for the text's number of that key, `{table/row/column}` for a cell.
        place: section, or caption.
        note: what a reader should know beside the verdict; numbers as in `text`.
    """

    key: str
    place: str
    text: str
    kind: Kind
    check: Check
    note: str = ""

    @property
    def statement(self) -> str:
        """The text with its numbers."""
        return self.text.format_map(_Numbers())

    @property
    def remark(self) -> str:
        """The note with its numbers."""
        return self.note.format_map(_Numbers())

    @property
    def sources(self) -> tuple[str, ...]:
        """The cells and sections that the check reads, each once."""
        leaves = [leaf for formula in self.check.formulas() for leaf in formula.leaves()]
        return tuple(dict.fromkeys(leaf.place for leaf in leaves))

    @property
    def tables(self) -> tuple[str, ...]:
        """Numbers of the tables that the check reads, each once."""
        return tuple(dict.fromkeys(cell.table for cell in self.cells))

    @property
    def table_names(self) -> str:
        """The tables in words, shortly."""
        text = ["text"] if any(isinstance(leaf, Text) for one in self.check.formulas() for leaf in one.leaves()) else []
        return ", ".join([*map(table_name, self.tables), *text]) or "—"

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells that the check reads, in order."""
        leaves = [leaf for formula in self.check.formulas() for leaf in formula.leaves()]
        return tuple(leaf for leaf in leaves if isinstance(leaf, Cell))


class _Numbers(dict):
    def __missing__(self, key: str) -> str:
        return printed(*key.split("/")).text if "/" in key else said(key).text
