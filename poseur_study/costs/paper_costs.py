"""The paper's cost columns beside ours."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from poseur_lib.config import ExperimentConfig
from poseur_lib.costs.cost import Cost, cost
from poseur_study.paper.costs import PRINTED_COSTS, PrintedCost, Quantity

TOLERANCE_PERCENT = 1.0
RULE = (
    f"A printed cost agrees if ours lies within {TOLERANCE_PERCENT:.0f} % of it, or is the printed number once rounded"
    " to its digits. GFLOPs are compared by the hook convention, which the paper's follow."
)


@dataclass(frozen=True)
class CostComparison:
    """A printed cost and ours.

    Attributes:
        ours: by the hook convention where it is GFLOPs.
        ours_everything: GFLOPs with everything counted; None for parameters.
    """

    printed: PrintedCost
    ours: float
    ours_everything: float | None

    @property
    def percent(self) -> float:
        """How much ours is above the paper's."""
        return 100 * (self.ours / self.printed.value - 1)

    @property
    def agrees(self) -> bool:
        """By `RULE`."""
        rounds_to_it = abs(self.ours - self.printed.value) <= self.printed.half_digit
        return rounds_to_it or abs(self.percent) <= TOLERANCE_PERCENT

    @property
    def verdict(self) -> str:
        """`agrees` in words."""
        return f"agrees within {TOLERANCE_PERCENT:.0f} % or rounding" if self.agrees else "differs"


def compare_costs(cells: Iterable[PrintedCost] = PRINTED_COSTS) -> tuple[CostComparison, ...]:
    """Every cell with our number; a model that several cells speak of is counted once."""
    counted: dict[str, Cost] = {}
    rows = []
    for cell in cells:
        key = json.dumps(dict(cell.changes), sort_keys=True)
        if key not in counted:
            counted[key] = cost(ExperimentConfig().with_changes(**cell.changes))
        rows.append(CostComparison(cell, *_quantity(counted[key], cell.quantity)))
    return tuple(rows)


def comparison_table(rows: Iterable[CostComparison]) -> pd.DataFrame:
    """The comparison as a table: place, model, what is counted, paper, ours, difference in %, verdict, note."""
    return pd.DataFrame(
        {
            "source": row.printed.source,
            "model": row.printed.row,
            "quantity": str(row.printed.quantity),
            "paper": row.printed.printed,
            "ours": round(row.ours, 3),
            "everything counted": None if row.ours_everything is None else round(row.ours_everything, 3),
            "difference, %": round(row.percent, 1),
            "verdict": row.verdict,
            "note": row.printed.note,
        }
        for row in rows
    )


def _quantity(ours: Cost, quantity: Quantity) -> tuple[float, float | None]:
    match quantity:
        case Quantity.PARAMETERS:
            return ours.parameters / 1e6, None
        case Quantity.PARAMETERS_WITHOUT_FLOWS:
            return ours.parameters_without_flows / 1e6, None
        case Quantity.MULTIPLY_ADDS:
            return ours.hook_multiply_adds / 1e9, ours.multiply_adds / 1e9
        case Quantity.DECODER_MULTIPLY_ADDS:
            parts = [ours.part(name) for name in ("neck", "decoder", "branches")]
            return sum(p.hook_multiply_adds for p in parts) / 1e9, sum(p.multiply_adds for p in parts) / 1e9
