"""Comparisons that several claims make: Poseur beside every other method at the same backbone."""

from collections.abc import Iterable
from decimal import Decimal

from poseur_study.paper.checks import Above
from poseur_study.paper.formula import Cell
from poseur_study.paper.subject import MethodKind
from poseur_study.paper.tables import PaperRow, PaperTable, paper_tables, said

# Margins of claims of no effect, in AP, fixed by the words and not by the numbers.
SAME = Decimal("0.3")  # "almost the same", "saturates", "slightly"
COMPARABLE = said("coarse_gain").digits  # "comparable": no more than the least that Sec. 4.2 counts as a gain


def is_poseur(row: PaperRow) -> bool:
    """True for Poseur, alone or in Mask R-CNN."""
    return row.subject.method.endswith("Poseur")


def same_backbone(tables: Iterable[str], kinds: Iterable[MethodKind] = tuple(MethodKind)) -> Above:
    """Poseur above every other method of these kinds that a table has at the same backbone, input size and testing."""
    pairs: list[tuple[Cell, Cell]] = []
    for number in tables:
        table = paper_tables()[number]
        ours, others = _split(table)
        pairs += [
            (Cell(number, one.key, table.headline), Cell(number, other.key, table.headline))
            for one in ours
            for other in others
            if other.subject.kind in kinds and _alike(one, other, number)
        ]
    return Above(tuple(pairs))


def above_heatmaps(table: str, poseur: str) -> tuple[tuple[Cell, Cell], ...]:
    """A row of Poseur beside every heatmap-based method of a table."""
    _, others = _split(paper_tables()[table])
    heatmap = [other for other in others if other.subject.kind == MethodKind.HEATMAP]
    return tuple((Cell(table, poseur, "AP"), Cell(table, other.key, "AP")) for other in heatmap)


def _split(table: PaperTable) -> tuple[list[PaperRow], list[PaperRow]]:
    return [row for row in table.rows if is_poseur(row)], [row for row in table.rows if not is_poseur(row)]


def _alike(one: PaperRow, other: PaperRow, number: str) -> bool:
    """Table 6 does not say what its dagger means: its rows are compared as the text compares them."""
    a, b = one.subject, other.subject
    return (a.backbone, a.input) == (b.backbone, b.input) and (a.marks == b.marks or number == "6")
