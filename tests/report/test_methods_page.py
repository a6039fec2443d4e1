"""The page of the methods, from a record made here; and the printed sizes that stand on it."""

import json
from pathlib import Path

import pytest

from benchmarks.overfit import PAIRS
from poseur_lib.config import ExperimentConfig
from poseur_lib.config.methods import METHODS, method_changes
from poseur_lib.paper.published import published
from poseur_lib.report.evidence import MethodRecord, MethodRow, Origin, Overfit
from poseur_lib.report.methods_page import method_blocks


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
    text = "".join(block.body for block in method_blocks(record))
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
