"""The page of the methods, from a record made here; and the printed sizes that stand on it."""

import html
import json
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.overfit import PAIRS
from poseur_lib.config import ExperimentConfig
from poseur_study.costs.printed_gflops import TABLES, MethodCost, agrees_with
from poseur_study.experiments.methods import METHODS, method_changes
from poseur_study.paper.tables import Printed, paper_tables, published
from poseur_study.evidence.evidence import (
    MethodCostRecord,
    MethodRecord,
    MethodRow,
    Origin,
    Overfit,
    recorded,
)
from poseur_study.report.pages.recorded import methods_page


def _row(ap: float | None) -> MethodRow:
    learnt = None
    if ap is not None:
        learnt = Overfit(
            stand_in="narrow24", parameters=1, ap=ap, ap_at_the_end=41.5, ceiling=64.0, target=61.0, people_seen=19200
        )
    return MethodRow(
        method="SimpleBaseline", backbone="ResNet-50", input_size=(256, 192), parameters=33_999_697,
        hook_multiply_adds=5_460_000_000, multiply_adds=5_430_000_000, training_cpu_ms=5.0, overfit=learnt,
    )  # fmt: skip


def test_the_page_says_what_is_printed_and_who_misses_the_target() -> None:
    record = MethodRecord(origin=Origin.now(), rows=(_row(62.0), _row(50.0), _row(None)))
    text = " ".join(methods_page(record).body.split())
    assert "1 of the 2 that were trained" in text and "misses 61.0" in text and "1 were counted only" in text
    assert "34.0" in text and "8.9" in text and "5.0 min" in text and "41.5" in text and "not timed" in text


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


def _cost(table: str, row: str, printed: str, counter: str, counted: float, **more: object) -> MethodCost:
    known = {"source": f"Table {table}", "model": "SimBa., ResNet-50", "hooks": 5.4615, "everything": 5.43}
    return MethodCost(
        table=table, row=row, printed=printed, counter=counter, counted=counted,
        **{**known, "agrees": True, "note": "", **more},
    )  # fmt: skip


def test_the_page_says_which_counter_gives_which_of_three_numbers() -> None:
    rows = (
        _cost("2a", "simba_resnet50", "8.27", "output channels", 8.2688),
        _cost("2b", "simba_256", "8.26", "output channels", 8.2688),
        _cost("5", "simba_resnet50", "8.9", "HRNet's summary", 8.9912),
        _cost("5", "transpose_ha6", "21.8", "all", 21.28, agrees=False, note="its trace counts more"),
    )
    printed = MethodCostRecord(origin=Origin.now(), rows=rows)
    page = methods_page(MethodRecord(origin=Origin.now(), rows=(_row(None),)), printed)
    text = " ".join(html.unescape(page.body).split())
    assert "8.27 (Table 2a) is 8.269 by the counter “output channels”" in text
    assert "8.26 (Table 2b) is 8.269" in text and "8.9 (Table 5) is 8.991 by the counter “HRNet's summary”" in text
    assert "By hooks, which Poseur's own numbers follow, it has 5.46" in text and "3 of 4 are explained" in text
    assert "its trace counts more" in text and "no reading of ours gives 7.8" in text


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


def test_recalled_figures_are_marked() -> None:
    row = _row(None).with_changes(method="HRFormer", backbone="HRFormer-S")
    record = MethodRecord(origin=Origin.now(), rows=(row,))
    text = methods_page(record).body
    assert "7.8*" in text and "2.8*" not in text and "2.8" in text


def test_latencies_keep_an_origin_of_their_own() -> None:
    timed = Origin.now().with_changes(threads=7)
    record = MethodRecord(origin=Origin.now(), rows=(_row(None),), timed=timed)
    assert "time of training: Recorded on" in methods_page(record).body


@pytest.mark.parametrize(
    ("printed", "counted", "agrees"),
    [("8.9", 8.991, True), ("8.9", 9.001, False), ("8.27", 8.2688, True), ("21.8", 21.28, False), ("11.0", 10.9, True)],
)
def test_a_number_agrees_rounded_cut_off_or_within_a_percent(printed: str, counted: float, agrees: bool) -> None:
    cell = Printed(Decimal(printed), "Table 5")
    assert agrees_with(cell, counted) == agrees
