"""What a row's model costs at the paper's own configuration, whatever the profile trains."""

import json
from functools import lru_cache

from poseur_lib.config import ExperimentConfig
from poseur_lib.costs.cost import Cost, cost
from poseur_lib.paper.costs import PRINTED_COSTS, Quantity
from poseur_lib.study.declaration import CostColumn, Row, Table

COLUMNS = {
    Quantity.PARAMETERS: "Params",
    Quantity.PARAMETERS_WITHOUT_FLOWS: "Params",
    Quantity.MULTIPLY_ADDS: "GFLOPs",
    Quantity.DECODER_MULTIPLY_ADDS: "GFLOPs (Dec.)",
}
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
    known = [one.quantity for one in PRINTED_COSTS if one.source == source and COLUMNS[one.quantity] == column]
    config = ExperimentConfig().with_changes(**table.changes(row))
    return quantity_of(model_cost(config), known[0] if known else USUAL[column])


def model_cost(config: ExperimentConfig) -> Cost:
    """The cost of the model of a configuration, counted once: nothing but model and crop size matters."""
    return _cost(config.data.model_dump_json(), config.model.model_dump_json())


@lru_cache(maxsize=512)
def _cost(data: str, model: str) -> Cost:
    return cost(ExperimentConfig().with_changes(data=json.loads(data), model=json.loads(model)))


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
