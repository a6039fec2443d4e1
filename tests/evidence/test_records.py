"""Recorded evidence: verdicts follow the numbers, and a record of another version is one clear line."""

import pytest

from poseur_lib.errors import UserError
from poseur_study.costs.benchmark_record import Comparison, Timing
from poseur_study.evidence import evidence
from poseur_study.evidence.evidence import CostRecord, Origin, ParityRecord, benchmark_records, recorded
from poseur_study.parity.outputs import Differences

SMALL = Differences(coarse=1e-6, coarse_sigma=0, layers=2e-6, sigmas=1e-7, scores=1e-7, image_px=1e-4,
                    flip_px=(1e-4, 2e-4, 3e-4), flip_scores=(0, 0, 0))  # fmt: skip


def test_outputs_keep_their_bounds_or_not():
    wrong, in_pixels = SMALL.with_changes(layers=2e-5), SMALL.with_changes(flip_px=[1e-4, 2e-3, 0])
    assert (SMALL.within, wrong.within, in_pixels.within) == (True, False, False)


def test_benchmarks_name_goals_that_are_missed():
    timings = (
        Timing(name="ours", milliseconds=2.0, ratio=1.0, peak_mib=3.0),
        Timing(name="theirs", milliseconds=8.0, ratio=4.0, goal=5, at_least=True),
        Timing(name="slow", milliseconds=2.2, ratio=1.1, goal=1.2),
        Timing(name="absent", milliseconds=None, ratio=None, note="no <compiler>"),
    )
    assert [one.reached for one in timings] == [None, False, True, None]
    text = Comparison(title="T", reference="ours", timings=timings).text()
    assert "goal ≥ 5.00" in text and "3.0 MiB" in text


def test_a_record_of_another_version_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "DATA", tmp_path)
    assert recorded(ParityRecord) is None and benchmark_records(tmp_path) == ()
    (tmp_path / "parity.json").write_text('{"configs": []}')
    with pytest.raises(UserError, match=r"parity\.json is no ParityRecord of this version: record it anew"):
        recorded(ParityRecord)


def test_what_is_recorded_says_by_what():
    record = recorded(CostRecord)
    assert "Recorded on 20" in record.origin.text() and "torch" in record.origin.text()
    with_changes = Origin.now().with_changes(dirty=True, commit="0123456789abc").text()
    assert "commit 0123456789 with changes" in with_changes
