"""Where AP lies between AP_L and AP_M: an observation that no sentence of the paper makes.

AP is no mean of the two, but for one data set and one kind of boxes it lies at about the same place between them for
every method: the share s = (AP_L − AP) / (AP_L − AP_M) says how much of the way to the medium people it is.
"""

from dataclasses import dataclass

from poseur_study.paper.compare import is_poseur
from poseur_study.paper.formula import Cell, Formula
from poseur_study.paper.tables import Missing, paper_tables

NEEDED = ("AP", "AP_M", "AP_L")


@dataclass(frozen=True)
class SizeMix:
    """A row that has all three numbers."""

    table: str
    row: str
    label: str
    poseur: bool
    share: Formula


def size_mixes() -> tuple[SizeMix, ...]:
    """Every row of every table with AP, AP_M and AP_L."""
    found = []
    for number, table in paper_tables().items():
        for row in table.rows:
            if all(not isinstance(row.cells.get(name, Missing.LOST), Missing) for name in NEEDED):
                ap, medium, large = (Cell(number, row.key, name) for name in NEEDED)
                share = (large - ap) / (large - medium)
                found.append(SizeMix(number, row.key, row.label, is_poseur(row), share))
    return tuple(found)
