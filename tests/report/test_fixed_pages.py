"""Pages of recorded evidence: every row is on them, verdicts follow the numbers, and records are of this version."""

import html
import re

import pytest

from poseur_lib.errors import UserError
from poseur_study.costs.benchmark_record import Benchmark, Comparison, Timing
from poseur_study.display.html_table import show_table
from poseur_study.experiments.profiles import profile
from poseur_study.parity.evaluation import EvaluationParity
from poseur_study.parity.outputs import ConfigParity, Differences
from poseur_study.report import evidence
from poseur_study.evidence.evidence import CostRecord, CostRow, Origin, ParityRecord, benchmark_records, recorded
from poseur_study.report.pages.fixed import fixed_pages
from poseur_study.report.pages.recorded import costs_page, parity_page, speed_page
from poseur_study.report.site import Site
from poseur_study.report.view import StudyView
from poseur_study.runs.store import RunStore

ORIGIN = Origin(device="A & B", cpu_count=2, threads=1, versions={"torch": "2", "torchvision": "0"}, commit="0123",
                dirty=True, finished_at="2026-01-02T03:04:05+00:00")  # fmt: skip
SMALL = Differences(coarse=1e-6, coarse_sigma=0, layers=2e-6, sigmas=1e-7, scores=1e-7, image_px=1e-4,
                    flip_px=(1e-4, 2e-4, 3e-4), flip_scores=(0, 0, 0))  # fmt: skip


def config(name, differences, parameters=5):
    return ConfigParity(name=name, recognised="resnet50, 6 layers, coco17", input_size=(256, 192),
                        parameters=parameters, parameters_released=5, differences=differences)  # fmt: skip


def test_parity_counts_what_keeps_its_bounds():
    wrong = SMALL.with_changes(layers=2e-5)
    in_pixels = SMALL.with_changes(flip_px=[1e-4, 2e-3, 0])
    assert (SMALL.within, wrong.within, in_pixels.within) == (True, False, False)
    configs = (config("coco__poseur_a", SMALL), config("coco__poseur_b", wrong), config("coco__poseur_c", None, 4))
    evaluation = EvaluationParity(name="gt_rle", boxes="detector", rescoring="classic", suppression="none", kept=3,
                                  kept_released=3, ap=70.0, ap_released=70.02, difference=0.02)  # fmt: skip
    record = ParityRecord(origin=ORIGIN, configs=configs, evaluations=(evaluation,))
    text = " ".join(parity_page(record).body.split())
    assert "1 of 2 configurations" in text and "2 of 3 state_dicts" in text and "0 of 1 evaluations" in text
    assert "2.0e-05" in text and "released: 5" in text and "a, coco" in text


def test_costs_that_differ_come_first_and_say_why():
    rows = [
        CostRow(source="T1", model="m<", quantity="GFLOPs", paper="4.48", ours=4.481, ours_everything=4.6, percent=0.02,
                agrees=True, note=""),
        CostRow(source="T2", model="n", quantity="parameters, M", paper="9.0", ours=10.0, ours_everything=None,
                percent=11.1, agrees=False, note=""),
    ]  # fmt: skip
    text = costs_page(CostRecord(origin=ORIGIN, rows=tuple(rows))).body
    assert "1 of 2 printed costs agree" in text and text.index("T2") < text.index("T1")
    assert "unexplained" in text and "m&lt;" in text and "+11.1 %" in text and "A &amp; B" in text


def test_benchmarks_name_goals_that_are_missed():
    timings = (
        Timing(name="ours", milliseconds=2.0, ratio=1.0, peak_mib=3.0),
        Timing(name="theirs", milliseconds=8.0, ratio=4.0, goal=5, at_least=True),
        Timing(name="slow", milliseconds=2.2, ratio=1.1, goal=1.2),
        Timing(name="absent", milliseconds=None, ratio=None, note="no <compiler>"),
    )
    comparison = Comparison(title="T", reference="ours", timings=timings)
    record = Benchmark(device="D", cpu_count=2, threads=2, load=0.1, versions={"torch": "2", "onnxruntime": "1"},
                       commit="a" * 40, dirty=False, finished_at="2026-01-02", rounds=7,
                       comparisons=(comparison,))  # fmt: skip
    text = speed_page([record]).body
    assert "1 of 2 goals" in text and "≥ 5.00, missed" in text and "≤ 1.20, reached" in text
    assert "not run" in text and "no &lt;compiler&gt;" in text
    assert "goal ≥ 5.00" in comparison.text() and "3.0 MiB" in comparison.text()


def test_a_cell_is_never_blank():
    assert show_table([{"a": "x", "b": ""}], css="stacked", numbers=("b",)).data.count("—") == 1


def test_a_record_of_another_version_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "DATA", tmp_path)
    assert recorded(ParityRecord) is None and benchmark_records(tmp_path) == ()
    (tmp_path / "parity.json").write_text('{"configs": []}')
    with pytest.raises(UserError, match=r"parity\.json is no ParityRecord of this version: record it anew"):
        recorded(ParityRecord)


def test_the_pages_are_there_self_contained_and_linked(tmp_path):
    (tmp_path / "runs").mkdir()
    site = Site(StudyView(profile("mini"), RunStore(tmp_path / "runs")), tmp_path / "report")
    site.write_fixed_pages()
    files = [one.link.target for one in site.fixed_pages]
    assert files[:4] == ["ledger.html", "compute.html", "environment.html", "deviations.html"]
    assert {one.link.target for one in fixed_pages()} < set(files) and files[-1] == "extend.html"
    for one, file in zip(site.fixed_pages, files, strict=True):
        text = (tmp_path / "report" / file).read_text()
        navigation = text[text.index("<nav") : text.index("</nav>")]
        assert one.title in html.unescape(text)
        assert not re.search(r"https?://|<script|<link rel=\"stylesheet", text)
        assert len(text.encode()) < 1_000_000
        assert re.findall(r'href="([^"]*)"', navigation) == ["index.html", files[0], "audit.html", *files[1:]]
        assert 'rel="prev"' in text and ('rel="next"' in text) == (file != files[-1])
