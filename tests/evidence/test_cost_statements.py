"""Costs by clocks and codecs: EMSDA beside MSDA on each device, heatmaps of whole cells; and what is recorded."""

import math
import re

import pytest

from poseur_study.costs.benchmark_record import Benchmark, Comparison, Timing
from poseur_study.costs.cost_claims import emsda_times
from poseur_study.evidence.evidence import CostClaimRecord, benchmark_records, recorded


def benchmark(device: str, **milliseconds: float | None) -> Benchmark:
    names = {
        "bags": "bags (ours)",
        "dense": "dense (ours)",
        "msda": "MSDA, projected first",
        "eq1": "replicated (Eq. 1)",
    }
    timings = tuple(Timing(name=names[one], milliseconds=time, ratio=1.0) for one, time in milliseconds.items())
    comparison = Comparison(title="EMSDA forward", reference="bags (ours)", timings=timings)
    return Benchmark(device=device, cpu_count=2, threads=1, load=0.0, versions={}, commit="", dirty=False,
                     finished_at="2026-11-28T00:00:00+00:00", rounds=1, comparisons=(comparison,))  # fmt: skip


def test_the_quickest_of_our_ways_counts_device_by_device():
    slow, quick = benchmark("A", bags=9.0, dense=7.0, msda=6.0, eq1=1.0), benchmark("B", bags=5.0, dense=None, msda=6.0)
    found = emsda_times([slow, quick, benchmark("C", bags=1.0)])
    assert [one.holds for one in found] == [False, True]
    assert [one.ours for one in found] == [
        "7.00 ms (dense (ours)) against 6.00 ms",
        "5.00 ms (bags (ours)) against 6.00 ms",
    ]
    assert len({one.key for one in found}) == 2 and found[0].note.startswith("A; EMSDA forward.")


def test_a_heatmap_of_whole_cells_loses_what_a_square_of_four_pixels_has():
    (one,) = [one for one in recorded(CostClaimRecord).statements if one.of == "quantisation-limits-heatmaps"]
    rms = 4 / math.sqrt(6)  # of a point drawn evenly from a cell of 4 pixels a side, from the cell's centre
    shares = {size: float(share) for share, size in re.findall(r"([\d.]+) % at (\d+ × \d+)", one.ours)}
    expected = {f"{height} × {width}": 100 * rms / width for height, width in ((64, 64), (128, 128), (256, 192))}
    assert one.holds and shares == pytest.approx(expected, abs=0.06) and f"{rms:.1f} crop pixels" in one.note


def test_what_is_recorded_is_what_the_recorded_benchmarks_say():
    of = {one.key: one for one in recorded(CostClaimRecord).statements}
    timed = emsda_times(benchmark_records())
    assert timed and all(of[one.key] == one for one in timed)
