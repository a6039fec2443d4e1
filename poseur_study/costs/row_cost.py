"""What a row's model costs at the paper's own configuration, whatever the profile trains."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import torch

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig
from poseur_lib.costs.cost import Cost, cost
from poseur_lib.costs.mmcv_flops import hook_multiply_adds_by_part
from poseur_lib.costs.parts import FLOWS, parameters_by_part
from poseur_study.experiments.experiment import CostColumn, Row, Table

DECODER = ("neck", "decoder", "branches")


class Quantity(StrEnum):
    """What a printed cost counts."""

    PARAMETERS = "parameters, M"
    PARAMETERS_WITHOUT_FLOWS = "parameters without flows, M"
    MULTIPLY_ADDS = "GFLOPs"
    DECODER_MULTIPLY_ADDS = "GFLOPs (neck and decoder layers)"


USUAL: Mapping[str, Quantity] = {
    "Params": Quantity.PARAMETERS_WITHOUT_FLOWS,
    "GFLOPs": Quantity.MULTIPLY_ADDS,
    "GFLOPs (Dec.)": Quantity.DECODER_MULTIPLY_ADDS,
}
COUNT_THE_FLOWS = (*(("1d", f"levels_{number}") for number in (1, 2, 3, 4)), ("S3", "shared"))
"""The paper's rows whose parameters contain the two flows of the training loss."""


@dataclass(frozen=True)
class PartCounts:
    """Parameters and multiply-adds by part of the model, by one convention."""

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


def quantity_of(column: CostColumn, paper_row: tuple[str, str] | None) -> Quantity:
    """What a cost column counts in a row of the paper; elsewhere, what it counts in most of them."""
    return Quantity.PARAMETERS if column == "Params" and paper_row in COUNT_THE_FLOWS else USUAL[column]


def row_cost(table: Table, row: Row, column: CostColumn) -> float:
    """Millions of parameters or billions of multiply-adds, counted as the paper's cell counts."""
    return hook_counts(row_config(table, row)).of(quantity_of(column, row.paper))


def row_config(table: Table, row: Row) -> ExperimentConfig:
    """The paper's own configuration of a row."""
    return ExperimentConfig().with_changes(**table.changes(row))


def hook_counts(config: ExperimentConfig) -> PartCounts:
    """By the hook convention, which the paper's numbers follow: half of the work of `model_cost`."""
    return _hook_counts(*_what_is_counted(config))


def model_cost(config: ExperimentConfig) -> Cost:
    """The whole cost of the model of a configuration, counted once: nothing but model and crop size matters."""
    return _cost(*_what_is_counted(config))


def both_counts(config: ExperimentConfig) -> tuple[PartCounts, PartCounts]:
    """By the hook convention, and with everything counted."""
    parts = model_cost(config).parts
    parameters = {part.name: part.parameters for part in parts}
    hooks = {part.name: part.hook_multiply_adds for part in parts}
    return PartCounts(parameters, hooks), PartCounts(parameters, {part.name: part.multiply_adds for part in parts})


def _what_is_counted(config: ExperimentConfig) -> tuple[str, str]:
    untrained = config.model.with_changes(**{"backbone.weights": "none"})
    return config.data.model_dump_json(), untrained.model_dump_json()


@lru_cache(maxsize=512)
def _cost(data: str, model: str) -> Cost:
    return cost(ExperimentConfig().with_changes(data=json.loads(data), model=json.loads(model)))


@lru_cache(maxsize=512)
def _hook_counts(data: str, model: str) -> PartCounts:
    config = ExperimentConfig().with_changes(data=json.loads(data), model=json.loads(model))
    with torch.device("meta"):
        network = build_without_download(config).eval()
    images = torch.empty(1, 3, *config.data.input_size, device="meta")
    return PartCounts(parameters_by_part(network), hook_multiply_adds_by_part(network, images))
