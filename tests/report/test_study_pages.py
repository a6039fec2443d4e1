"""The pages of a study that was run: the committed one, rendered into another folder."""

import csv
import html
import re
import shutil
from pathlib import Path

import pytest

from poseur_study.analysis.verdict import Evidence, Verdict
from poseur_study.display.learning import measured
from poseur_study.experiments.profiles import profile
from poseur_study.report.pages import ledger as ledger_page
from poseur_study.report.site import Site
from poseur_study.report.view import StudyView
from poseur_study.runs.store import RunStore

RUNS = Path(__file__).resolve().parents[2] / "runs" / "mini"
OF_EFFECTS = {Verdict.NO_EVIDENCE, Verdict.NOT_RUN, Verdict.TOO_LITTLE}


@pytest.fixture(scope="module")
def view():
    return StudyView(profile("mini"), RunStore(RUNS))


@pytest.fixture(scope="module")
def site(view, tmp_path_factory):
    """All pages but the audit, whose notebook is executed elsewhere, over an older report."""
    folder = tmp_path_factory.mktemp("report")
    old = ("table_9z.html", "csv/table_9z_rows.csv", "runs/gone.html", "notes.txt")
    for name in old:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("old")
    site = Site(view, folder)
    site.write_pages(RUNS / "tables" / "audit" / "notebook.ipynb")
    return site


def test_every_page_is_light_alone_and_linked(site):
    pages = sorted(site.folder.rglob("*.html"))
    assert {page.name for page in pages} >= {"index.html", "ledger.html", "compute.html", "table_1b.html"}
    for page in pages:
        text = page.read_text()
        assert len(text.encode()) < 1_000_000, page.name
        assert not re.search(r"https?://(?!.*</pre>)|<script|@import", re.sub(r"<pre.*?</pre>", "", text, flags=re.S))
        assert all(re.search(r'alt="[^"]{10,}"', image) for image in re.findall(r"<img [^>]*>", text)), page.name
        for target in re.findall(r'href="([^"#]+)"', text):
            assert target == "data:," or (page.parent / target).exists(), (page.name, target)


def test_what_an_earlier_report_left_is_gone_and_nothing_else(site):
    assert not list(site.folder.rglob("*9z*")) and not (site.folder / "runs" / "gone.html").exists()
    assert (site.folder / "notes.txt").read_text() == "old"


def test_the_ledger_decides_arithmetic_and_costs_and_says_by_which_rule(site):
    entries = site.ledger
    for one in entries:
        assert one.rule and one.claim and one.source
        if one.evidence in (Evidence.ARITHMETIC, Evidence.COST):
            assert one.verdict in (Verdict.REPRODUCED, Verdict.CONTRADICTED, Verdict.UNDECIDED)
        elif one.value is not None:
            assert one.evidence == Evidence.GENERATED and "generated people" in one.verdict.value
    page = html.unescape((site.folder / "ledger.html").read_text())
    rows = list(csv.DictReader((site.folder / "csv" / "ledger.csv").open()))
    assert [row["key"] for row in rows] == [one.key for one in entries]
    assert all(one.claim in page for one in entries)
    assert len({one.key for one in entries}) == len(entries)


def test_heatmap_costs_are_a_cost_claim_worded_as_a_reading(site):
    (flops,) = (one for one in site.ledger if one.key == "cost-fewer-flops")
    assert flops.evidence == Evidence.COST and flops.verdict == Verdict.CONTRADICTED
    assert flops.ours.startswith("17 %") and "5.46" in flops.ours and "our reading" in flops.note
    index = html.unescape((site.folder / "index.html").read_text())
    assert "17 % (4.54 against 5.46)" in index and "separates Poseur's rows from all others" in index


def test_smoke_gives_no_verdict_on_an_effect_but_on_all_others(tmp_path):
    entries = ledger_page.ledger(StudyView(profile("smoke"), RunStore(tmp_path)))
    decided = (Evidence.ARITHMETIC, Evidence.COST)
    assert {one.verdict for one in entries if one.evidence not in decided} <= OF_EFFECTS
    assert sum(one.evidence in decided and one.verdict != Verdict.UNDECIDED for one in entries) > 80


def test_a_table_s_page_says_what_it_can_find_and_why(site):
    page = (site.folder / "table_1b.html").read_text()
    places = [page.index(words) for words in ("What this table can find", "What would count", "Why: where the rows")]
    assert places == sorted(places) and "inversion" in page and "How the runs of Table 1b learned" in page
    assert "the order of their scores differs" in (site.folder / "table_1c.html").read_text()


def test_only_runs_behind_the_tables_are_counted(view, tmp_path):
    other = tmp_path / "mini"
    shutil.copytree(RUNS, other, ignore=shutil.ignore_patterns("*.pt", "tables", ".*"))
    nothing = StudyView(profile("mini"), RunStore(other))
    assert nothing.behind == {} and set(nothing.others) == set(nothing.run_ids)
    assert set(view.others) == set(view.run_ids) - set(view.behind) != set(view.run_ids)
    one = view.results["1b"]
    assert len(measured(view.labelled("1b"))) == len(one.rows) * len(one.seeds) > 0
