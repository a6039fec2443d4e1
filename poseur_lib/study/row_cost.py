"""What a row's model costs at the paper's own configuration, whatever the profile trains."""

import json
from functools import lru_cache
from typing import Any

from poseur_lib.config import ExperimentConfig
from poseur_lib.costs.cost import Cost, cost
from poseur_lib.paper.costs import PRINTED_COSTS, Quantity
from poseur_lib.study.declaration import CostColumn, Row, Table

USUAL = {
    "Params": Quantity.PARAMETERS_WITHOUT_FLOWS,
    "GFLOPs": Quantity.MULTIPLY_ADDS,
    "GFLOPs (Dec.)": Quantity.DECODER_MULTIPLY_ADDS,
}


def row_cost(table: Table, row: Row, column: CostColumn, source: str | None) -> float:
    """Millions of parameters or billions of multiply-adds (hook convention), counted as the paper's cell counts.

    Args:
        source: place of the paper's cell, which says whether it counts the flows; None: it does not.
    """
    quantity = next((one.quantity for one in PRINTED_COSTS if one.source == source), USUAL[column])
    return quantity_of(_cost(json.dumps(table.changes(row), sort_keys=True)), quantity)


@lru_cache(maxsize=256)
def _cost(changes: str) -> Cost:
    loaded: dict[str, Any] = json.loads(changes)
    return cost(ExperimentConfig().with_changes(**loaded))


def quantity_of(ours: Cost, quantity: Quantity) -> float:
    """One number of a cost, in the unit that the paper prints."""
    match quantity:
        case Quantity.PARAMETERS:
            return ours.parameters / 1e6
        case Quantity.PARAMETERS_WITHOUT_FLOWS:
            return ours.parameters_without_flows / 1e6
        case Quantity.MULTIPLY_ADDS:
            return ours.hook_multiply_adds / 1e9
        case Quantity.DECODER_MULTIPLY_ADDS:
            return sum(ours.part(name).hook_multiply_adds for name in ("neck", "decoder", "branches")) / 1e9
