"""Cells that claims compare: Poseur's beside those of other methods in the same table."""

from collections.abc import Iterable

from poseur_study.paper.formula import Cell
from poseur_study.paper.subject import MethodKind
from poseur_study.paper.tables import PaperRow, paper_tables

Pairs = tuple[tuple[Cell, Cell], ...]


def same_backbone_pairs(tables: Iterable[str], kinds: Iterable[str] = tuple(MethodKind)) -> Pairs:
    """Poseur and every other method of these kinds that a table has at the same backbone, input size and testing."""
    allowed = [MethodKind(kind) for kind in kinds]
    return tuple(
        (Cell(number, ours.key, table.headline), Cell(number, other.key, table.headline))
        for number, table in ((number, paper_tables()[number]) for number in tables)
        for ours in table.rows
        for other in table.rows
        if ours.subject.is_poseur and not other.subject.is_poseur
        if other.subject.kind in allowed and _same_backbone(ours, other, number)
    )


def heatmap_pairs(table: str, row: str) -> Pairs:
    """The AP of a row of Poseur and of every heatmap-based method of its table."""
    others = [one for one in paper_tables()[table].rows if one.subject.kind == MethodKind.HEATMAP]
    return tuple((Cell(table, row, "AP"), Cell(table, other.key, "AP")) for other in others)


def _same_backbone(one: PaperRow, other: PaperRow, table: str) -> bool:
    """Table 6 does not say what its dagger means: its rows are compared as the text compares them."""
    a, b = one.subject, other.subject
    return (a.backbone, a.input) == (b.backbone, b.input) and (a.marks == b.marks or table == "6")
