"""Every claim of the text that can be named, read from `claims.toml`, in the order of the text."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from poseur_lib.errors import UserError
from poseur_study.paper.checks import Above, All, Among, Check, Equals, Unchecked, Unnamed, Within
from poseur_study.paper.formula import Cell, Text, formula, reference
from poseur_study.paper.method_pairs import heatmap_pairs, same_backbone_pairs
from poseur_study.paper.tables import entry_of, read_toml, table_name

CLAIMS_FILE = Path(__file__).with_name("claims.toml")
WORDS = ("place", "text", "note")


class ClaimKind(StrEnum):
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
    kind: ClaimKind
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
    def leaves(self) -> tuple[Cell | Text, ...]:
        """The printed numbers that the check reads, in order."""
        return tuple(leaf for formula in self.check.formulas() for leaf in formula.leaves())

    @property
    def sources(self) -> tuple[str, ...]:
        """The cells and sections that the check reads, each once."""
        return tuple(dict.fromkeys(leaf.place for leaf in self.leaves))

    @property
    def tables(self) -> tuple[str, ...]:
        """Numbers of the tables that the check reads, each once."""
        return tuple(dict.fromkeys(leaf.table for leaf in self.leaves if isinstance(leaf, Cell)))

    @property
    def table_names(self) -> str:
        """The tables in words, shortly."""
        text = ["text"] if any(isinstance(leaf, Text) for leaf in self.leaves) else []
        return ", ".join([*map(table_name, self.tables), *text]) or "—"


class _Numbers(dict):
    def __missing__(self, key: str) -> str:
        return reference(key).printed.text


@cache
def paper_claims() -> Mapping[str, Claim]:
    """Every claim by its key."""
    return read_claims(CLAIMS_FILE)


def paper_claim(key: str) -> Claim:
    """A claim. Raises UserError if there is none of this key."""
    return entry_of(paper_claims(), key, "the paper", "claim")


def read_claims(file: Path) -> Mapping[str, Claim]:
    """Claims from a file like `claims.toml`.

    Raises:
        UserError: it is not valid TOML, or a claim is not as the head of that file says.
    """
    return MappingProxyType({key: _claim(key, entry) for key, entry in read_toml(file).items()})


def _claim(key: str, entry: Mapping[str, Any]) -> Claim:
    words = {name: entry[name] for name in WORDS if name in entry}
    given = {name: value for name, value in entry.items() if name not in (*WORDS, "kind")}
    try:
        checks = tuple(check for name, value in given.items() for check in _checks(name, value))
        check = checks[0] if len(checks) == 1 else All(checks)
        if not checks:
            raise UserError("it has no check")
        return Claim(key, kind=ClaimKind(entry["kind"]), check=check, **words)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"claim {key!r} of the paper: {error}") from None


def _checks(name: str, given: Any) -> list[Check]:
    """The checks that an entry of a claim stands for."""
    match name:
        case "equals":
            return [Equals(number, formula(text)) for number, text in given.items()]
        case "above":
            return [Above(tuple((formula(left), formula(right)) for left, right in given))]
        case "within":
            differences, margin = tuple(map(formula, given["differences"])), formula(given["margin"])
            return [Within(given["word"], differences, margin.value)]
        case "among":
            return [Among(**{**given, "known": tuple(given["known"])})]
        case "same_backbone":
            return [Above(same_backbone_pairs(**given))]
        case "above_heatmaps":
            return [Above(tuple(pair for row in given for pair in heatmap_pairs(*row.split("/"))))]
        case "unnamed":
            return [Unnamed(given["number"], tuple(map(formula, given["readings"])))]
        case "unchecked":
            return [Unchecked(given)]
    raise UserError(f"unknown entry {name!r}")
