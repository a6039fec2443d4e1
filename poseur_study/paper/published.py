"""Sizes that the compared methods' own publications print, read from `published.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from poseur_study.paper.printed import Printed
from poseur_study.paper.tables import paper_tables

FILE = Path(__file__).with_name("published.toml")


@dataclass(frozen=True)
class Published:
    """What is printed of a method on a backbone at 256 x 192: digits with their source; None where nothing is."""

    parameters: tuple[str, str] | None
    gflops: tuple[str, str] | None


def published(method: str, backbone: str) -> Published:
    """Its own publication's figures; GFLOPs of the paper's tables come first."""
    own = _own().get((method, backbone), {})
    return Published(own.get("parameters"), _in_tables(method, backbone) or own.get("gflops"))


def notes() -> Mapping[str, str]:
    """Why a printed number of parameters is not ours, by method."""
    return MappingProxyType({row["method"]: row["note"] for row in _rows() if "note" in row})


@cache
def _rows() -> list[dict]:
    return tomllib.loads(FILE.read_text())["row"]


@cache
def _own() -> Mapping[tuple[str, str], dict[str, tuple[str, str]]]:
    found: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    for row in _rows():
        for what in ("parameters", "gflops"):
            for backbone, digits in row.get(what, {}).items():
                found.setdefault((row["method"], backbone), {})[what] = (digits, row["source"])
    return MappingProxyType(found)


def _in_tables(method: str, backbone: str) -> tuple[str, str] | None:
    """GFLOPs in Table 5, or in Table 2a."""
    for table in ("5", "2a"):
        for row in paper_tables()[table].rows:
            subject, cell = row.subject, row.cells["GFLOPs"]
            same = (subject.method, subject.backbone, subject.input) == (method, backbone, "256 × 192")
            if same and isinstance(cell, Printed):
                return cell.text, cell.source
    return None
