"""The page of the methods, from a record made here; and the printed sizes that stand on it."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.overfit import PAIRS
from poseur_lib.config import ExperimentConfig
from poseur_study.costs.cost_rows import agrees_with
from poseur_study.costs.printed_gflops import TABLES
from poseur_study.evidence.evidence import (
    MethodCostRecord,
    recorded,
)
from poseur_study.experiments.methods import METHODS, method_changes
from poseur_study.paper.tables import Printed, paper_tables, published


def test_printed_gflops_are_the_papers_where_it_has_them() -> None:
    assert published("PRTR", "ResNet-50").gflops is None  # printed at 384 x 288 only
    assert published("Poseur", "ResNet-50").gflops == ("4.6", published("Poseur", "ResNet-50").gflops[1])
    assert published("SimpleBaseline", "ResNet-101").gflops[0] == "12.4"
    assert published("TokenPose", "B").parameters[0] == "13.5"


def test_published_sizes_are_those_of_the_reference(shared: Path) -> None:
    compared = 0
    for row in json.loads((shared / "reference" / "published.json").read_text()):
        method, _, variant = row["method"].replace(" (heatmap)", "").partition("-")
        backbone = variant.replace("v2", "V2") if method in ("TransPose", "TokenPose") else row["backbone"]
        ours = published("UDP-Pose" if method == "UDP" else method, backbone).parameters
        if ours is not None:  # parameters do not depend on the input
            assert float(ours[0]) == row["params_M"], row
            compared += 1
    assert compared == 22


@pytest.mark.parametrize(("method", "backbone"), PAIRS)
def test_every_method_is_a_configuration(method: str, backbone: str) -> None:
    config = ExperimentConfig().with_changes(**method_changes(method, backbone))
    assert config.model.head.kind
    assert method in METHODS


def test_the_record_has_every_printed_cell_of_another_method() -> None:
    """And says of each that does not agree, why."""
    record = recorded(MethodCostRecord)
    cells = {
        (table, row.key): row.cells["GFLOPs"].text
        for table in TABLES
        for row in paper_tables()[table].rows
        if row.subject.method != "Poseur" and isinstance(row.cells["GFLOPs"], Printed)
    }
    assert {(row.table, row.row): row.printed for row in record.rows} == cells
    assert all(row.note for row in record.rows if not row.agrees)


@pytest.mark.parametrize(
    ("printed", "counted", "agrees"),
    [("8.9", 8.991, True), ("8.9", 9.001, False), ("8.27", 8.2688, True), ("21.8", 21.28, False), ("11.0", 10.9, True)],
)
def test_a_number_agrees_rounded_cut_off_or_within_a_percent(printed: str, counted: float, agrees: bool) -> None:
    cell = Printed(Decimal(printed), "Table 5")
    assert agrees_with(cell, counted, cut_off=True) == agrees
