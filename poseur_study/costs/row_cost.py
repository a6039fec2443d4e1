"""What a row's model costs at the paper's own configuration, whatever the profile trains."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig
from poseur_lib.costs.cost import Cost, cost
from poseur_lib.costs.mmcv_flops import hook_multiply_adds_by_part
from poseur_lib.costs.parts import FLOWS, parameters_by_part
from poseur_study.experiments.experiment import CostColumn, Row, Table
from poseur_study.paper.costs import PRINTED_COSTS, Quantity

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
DECODER = ("neck", "decoder", "branches")


@dataclass(frozen=True)
class HookCounts:
    """Parameters and multiply-adds (hook convention, which the paper's numbers follow) by part of the model."""

    parameters: Mapping[str | None, int]
    multiply_adds: Mapping[str | None, int]

    def of(self, quantity: Quantity) -> float:
        """One number, in the unit that the paper prints: millions of parameters, billions of multiply-adds."""
        match quantity:
            case Quantity.PARAMETERS:
                return sum(self.parameters.values()) / 1e6
            case Quantity.PARAMETERS_WITHOUT_FLOWS:
                return sum(count for part, count in self.parameters.items() if part != FLOWS) / 1e6
            case Quantity.MULTIPLY_ADDS:
                return sum(self.multiply_adds.values()) / 1e9
            case Quantity.DECODER_MULTIPLY_ADDS:
                return sum(self.multiply_adds.get(part, 0) for part in DECODER) / 1e9


def row_cost(table: Table, row: Row, column: CostColumn, source: str | None) -> float:
    """Millions of parameters or billions of multiply-adds, counted as the paper's cell counts.

    Args:
        source: place of the paper's cell, which says whether it counts the flows; None: it does not.
    """
    known = [one.quantity for one in PRINTED_COSTS if one.source == source and COLUMNS[one.quantity] == column]
    config = ExperimentConfig().with_changes(**table.changes(row))
    return hook_counts(config).of(known[0] if known else USUAL[column])


def model_cost(config: ExperimentConfig) -> Cost:
    """The whole cost of the model of a configuration, counted once: nothing but model and crop size matters."""
    return _cost(*_counted(config))


def hook_counts(config: ExperimentConfig) -> HookCounts:
    """What the tables print of it, which takes half the time."""
    return _hook_counts(*_counted(config))


def _counted(config: ExperimentConfig) -> tuple[str, str]:
    untrained = config.model.with_changes(**{"backbone.weights": "none"})
    return config.data.model_dump_json(), untrained.model_dump_json()


@lru_cache(maxsize=512)
def _cost(data: str, model: str) -> Cost:
    return cost(ExperimentConfig().with_changes(data=json.loads(data), model=json.loads(model)))


@lru_cache(maxsize=512)
def _hook_counts(data: str, model: str) -> HookCounts:
    config = ExperimentConfig().with_changes(data=json.loads(data), model=json.loads(model))
    with torch.device("meta"):
        network = build_without_download(config).eval()
    images = torch.empty(1, 3, *config.data.input_size, device="meta")
    return HookCounts(parameters_by_part(network), hook_multiply_adds_by_part(network, images))
