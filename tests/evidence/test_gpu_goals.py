"""The GPU's record: what bounds a row, limits of a card, and goals that are computed from rows."""

import pytest

from poseur_study.costs.gpu_goals import (
    BACKBONE,
    BF16,
    EMSDA,
    EPOCH,
    FLOAT32,
    GOALS,
    INFERENCE,
    NOT_MEASURED,
    PYRAMID,
    R50,
    REAL,
    RUNS,
    TRAINING,
    WHOLE,
    goal_rows,
)  # fmt: skip
from poseur_study.costs.gpu_record import GpuBenchmark, GpuRow, WayTime
from poseur_study.evidence.evidence import gpu_records

TERA = 1e12


def row(section: str, name: str, part: str, batch: int, *ms: float, precision: str = BF16, **more) -> GpuRow:
    ways = [WayTime(way=way, milliseconds=taken) for way, taken in zip(("eager", "graph"), ms, strict=False)]
    key = {"section": section, "name": name, "part": part, "precision": precision, "batch": batch, "items": batch}
    return GpuRow(**key | {"ways": tuple(ways)} | more)


def record(*rows: GpuRow, **more) -> GpuBenchmark:
    of = {"device": "NVIDIA H200", "cpu_count": 16, "versions": {"torch": "2.14"}, "commit": "0123456789abc",
          "dirty": False, "finished_at": "2026-12-01T10:00:00+00:00"}  # fmt: skip
    return GpuBenchmark(**of | more, rows=rows)


def test_the_quickest_way_counts_and_ways_are_joined():
    eager = row(INFERENCE, R50, WHOLE, 128, 20.0)
    graph = eager.with_changes(ways=[{"way": "graph", "milliseconds": 10.0}])
    failed = eager.with_changes(ways=[{"way": "inductor", "milliseconds": None, "note": "no compiler"}])
    joined = eager.joined(graph).joined(failed)
    assert joined.best.way == "graph" and joined.per_second == 12_800
    assert "inductor (no compiler)  12,800/s" in joined.text()
    assert not failed.timed and record(failed).bound(failed) == ""


@pytest.mark.parametrize(
    "busy, flops, moved, expected",
    [
        (0.2, 1e12, 1e9, "launching kernels: the GPU is busy for 20%; arithmetic 10%; memory bandwidth 2.1%"),
        (1.0, 6e12, 1e9, "arithmetic: arithmetic 61%, memory bandwidth 2.1%"),
        (0.9, 1e12, 40e9, "memory bandwidth: arithmetic 10%, memory bandwidth 83%"),
        (0.9, 1e12, None, "its kernels, short of both limits: the GPU is busy for 90%; arithmetic 10%"),
        (None, 1e12, None, "not profiled; arithmetic 10%"),
    ],
)
def test_what_bounds_a_call_of_ten_milliseconds(busy, flops, moved, expected):
    way = WayTime(way="graph", milliseconds=10.0, busy=busy)
    call = row(TRAINING, R50, WHOLE, 128, flops=flops, bytes=moved, ways=(way,))
    assert record(call).bound(call) == expected


def test_float32_is_held_against_tf32_which_has_half_of_bf16_s_operations():
    of_bf16, of_float32 = (row(TRAINING, R50, WHOLE, 128, 10.0, flops=3e12, precision=one) for one in (BF16, FLOAT32))
    assert record().shares(of_float32)["arithmetic"] == 2 * record().shares(of_bf16)["arithmetic"] > 0.6


def test_limits_are_measured_or_of_the_datasheet():
    sheet = record().limits
    assert (sheet.flops, sheet.bytes) == (989.4e12, 4.8e12)
    assert sheet.source == "989 TFLOP/s (NVIDIA H200 datasheet), 4.8 TB/s (NVIDIA H200 datasheet)"
    assert record(device="NVIDIA H100 80GB HBM3").limits.bytes == 3.35e12
    measured = record(flops=790e12).limits
    assert (measured.flops, measured.bytes) == (790e12, 4.8e12)
    assert measured.source == "790 TFLOP/s (measured), 4.8 TB/s (NVIDIA H200 datasheet)"
    constant = record(flops=790e12, flops_source="a constant of the script").limits
    assert constant.source.startswith("790 TFLOP/s (a constant of the script)")
    assert record(device="a processor").limits.flops == float("inf")


FULL = (
    row(INFERENCE, R50, WHOLE, 1, 9.0, 1.5),
    row(INFERENCE, R50, BACKBONE, 1, 4.0, 0.75),
    row(INFERENCE, R50, WHOLE, 128, 9.0, 8.0),
    row(TRAINING, R50, WHOLE, 128, 40.0, 32.0, flops=3 * 128 * 9.1e9),
    row(TRAINING, R50, BACKBONE, 128, 30.0, 25.0),
    row(EPOCH, REAL, WHOLE, 256, 20.0),
    row(RUNS, "mini, 1 at a time", WHOLE, 32, 4.0, precision=FLOAT32),
    row(RUNS, "mini, 16 at a time", WHOLE, 32, 8.0, precision=FLOAT32, items=512),
    row(EMSDA, PYRAMID, "bags", 128, 9.0, precision=FLOAT32),
    row(EMSDA, PYRAMID, "library", 128, 2.0),
)
EXPECTED = [
    ("1.50 ms", "yes"), ("16,000/s", "no"), ("4,000/s", "no"), ("13.8 %", "no"), ("0.28 x", "yes"), ("64,000/s", "yes"),
    ("12,800/s", "yes"), ("2.00 ms", "yes"), ("4.50 x", "yes"),
]  # fmt: skip


def test_goals_are_computed_from_a_record():
    rows = list(goal_rows([record(*FULL, flops=790e12)]))
    assert [(one["measured"], one["reached"]) for one in rows] == EXPECTED
    assert rows[0]["beside"] == "backbone 0.75 ms, whole ÷ backbone 2.0" and rows[0]["of"].endswith("bf16, graph")
    assert rows[5]["beside"] == "mini, 1 at a time 8,000, mini, 16 at a time 64,000"
    assert (rows[0]["card"], rows[0]["torch"], rows[0]["date"], rows[0]["code"]) == (
        "NVIDIA H200", "2.14", "2026-12-01", "0123456789",
    )  # fmt: skip


def test_the_newest_record_that_measured_a_goal_counts():
    newer = record(row(INFERENCE, R50, WHOLE, 1, 1.2), finished_at="2026-12-02")
    rehearsed = record(*FULL, finished_at="2026-12-03", rehearsal=True)
    rows = list(goal_rows([record(*FULL), newer, rehearsed]))
    assert [one["measured"] for one in rows[:2]] == ["1.20 ms", "16,000/s"]


def test_the_committed_record_is_of_the_code_for_which_the_goals_were_set():
    (first, *_) = gpu_records()
    assert (first.device, first.finished_at, first.rehearsal) == ("NVIDIA H200", "2026-11-27", False)
    assert "before" in first.note and "2026-11-27" in first.note
    rows = list(goal_rows([first]))
    assert {(one["measured"], one["reached"]) for one in rows} == {(NOT_MEASURED, NOT_MEASURED)}
    before = [one["before"] for one in rows]
    noted = [goal.before for goal in GOALS]
    assert before[3:5] == ["4.1 %", "2.30 x"] and noted[3:5] == ["4.1 %", "2.3 x"]
    assert before[5] == "5,000/s, stated without a record" and rows[5]["card"] is None
    assert (before[0], before[2], before[7]) == ("2.78 ms", "1,189/s", "3.22 ms")
