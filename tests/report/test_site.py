"""A report: every page, executed once and not again, and what failed in sight."""

import csv
import html
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from nbformat import v4, write

from poseur_lib.errors import UserError
from poseur_study.analysis.verdict import Evidence, Verdict
from poseur_study.experiments import TABLES
from poseur_study.experiments.profiles import profile
from poseur_study.paper.audit import audit, summary
from poseur_study.paper.claims import paper_claims
from poseur_study.paper.deviations import DEVIATIONS
from poseur_study.paper.tables import paper_tables
from poseur_study.profile_study import ProfileStudy
from poseur_study.report import execute, site
from poseur_study.report.site import PAGES, write_report
from poseur_study.runs.evaluation_file import EVALUATION_FILE
from poseur_study.runs.store import RunStore, note_failure

RUNS = Path(__file__).resolve().parents[2] / "runs"
OF_EFFECTS = {Verdict.NO_EVIDENCE.value, Verdict.NOT_RUN.value, Verdict.TOO_LITTLE.value}


@pytest.fixture(scope="module")
def committed(tmp_path_factory) -> ProfileStudy:
    """Profile mini as it is committed, without what somebody may have run since."""
    root, folder = RUNS.parent, tmp_path_factory.mktemp("committed")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "runs/mini"], cwd=root, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, folder / name)
    return ProfileStudy("mini", str(folder / "runs"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> RunStore:
    """No run, but a table and a run that failed."""
    store = RunStore(tmp_path_factory.mktemp("no runs") / "smoke")
    notebook = store.folder / "failed.ipynb"
    notebook.parent.mkdir()
    write(v4.new_notebook(cells=[v4.new_markdown_cell("# Training\n\nas far as it got")]), notebook)
    note_failure(store.table_folder("1d"), "OSError: the disk is <full>", None)
    note_failure(store.path("a_run"), "step 7\nRuntimeError: loss is nan", notebook)
    return store


@pytest.fixture(scope="module")
def report(runs, tmp_path_factory) -> Path:
    """All pages, over an older report."""
    folder = tmp_path_factory.mktemp("report")
    for name in ("table_9z.html", "csv/table_9z_rows.csv", "runs/gone.html", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("old")
    assert write_report(profile("smoke"), runs, folder) == folder / "index.html"
    return folder


def text_of(page: Path) -> str:
    return html.unescape(page.read_text())


def test_every_page_is_light_alone_without_error_and_linked(report):
    pages = sorted(report.rglob("*.html"))
    assert {one.file for one in PAGES} < {page.name for page in pages}
    for page in pages:
        text = page.read_text()
        assert len(text.encode()) < 1_000_000 and 'class="error"' not in text, page.name
        assert not re.search(r"<script|@import|src=\"http", text), page.name
        assert all(re.search(r'alt="[^"]{10,}"', image) for image in re.findall(r"<img [^>]*>", text)), page.name
        for target in re.findall(r'href="([^"#]+)"', text):
            there = target == "data:," or target.startswith("https://") or (page.parent / target).exists()
            assert there, (page.name, target)


def test_what_an_earlier_report_left_is_gone_and_nothing_else(report):
    assert not list(report.rglob("*9z*")) and not (report / "runs" / "gone.html").exists()
    assert (report / "notes.txt").read_text() == "old"


def test_the_first_page_says_what_was_asked_and_that_nothing_was_run(report):
    index = text_of(report / "index.html")
    summary_of = ("Scope.", "Methods.", "Results.", "What was easy.", "What was hard.", "What could not be done.")
    parts = ("Which of these claims hold?", "Headline claims", "were tested here", "How far to trust it",
             *(f"<strong>{part}</strong>" for part in summary_of), "The model</h2>")  # fmt: skip
    places = [index.index(words) for words in parts]
    assert places == sorted(places) and "nothing was run yet" in index and summary(audit()) in index
    assert "is no evidence" in index and "is no evidence" not in text_of(report / "audit.html")


def test_failures_are_on_the_first_page_and_have_pages_of_their_own(report):
    index = text_of(report / "index.html")
    for target, why in (("failed_table_1d.html", "OSError: the disk is <full>"), ("failed_a_run.html", "RuntimeError")):
        assert f'href="{target}"' in index and why in index
    page = text_of(report / "failed_a_run.html")
    assert (
        "step 7" in page
        and "as far as it got" in page
        and "the disk is <full>" in text_of(report / "failed_table_1d.html")
    )


def test_the_audit_has_every_claim_and_every_cell(report):
    page = text_of(report / "audit.html")
    assert all(claim.statement in page for claim in paper_claims().values())
    files = [list(csv.DictReader(path.open())) for path in sorted((report / "csv").glob("audit_*.csv"))]
    cells = next(rows for rows in files if rows and "printed" in rows[0] and "row" in rows[0])
    assert len(cells) == sum(len(row.cells) for table in paper_tables().values() for row in table.rows)
    assert {row["printed"] for row in cells if row["column"] == "AP_L" and row["table"] == "6"} == {"lost"}


def test_every_deviation_is_shown_with_all_it_says(report):
    page = text_of(report / "deviations.html")
    for row in DEVIATIONS:
        for words in (row.subject, row.place, row.paper, row.released, row.note, row.knob or "", row.test):
            assert words in page, (row.subject, words)


def test_the_ledger_decides_arithmetic_and_costs_and_no_effect(report, runs):
    claims = ProfileStudy("smoke", str(runs.folder.parent)).claims()
    rows = list(csv.DictReader((report / "csv" / "ledger.csv").open()))
    assert [row["key"] for row in rows] == claims["key"].tolist() and claims["key"].is_unique
    assert set(claims[claims["part"] == "effect"]["verdict"]) <= OF_EFFECTS
    decided = claims[claims["part"].isin(["cost", "arithmetic"])]
    assert (decided["verdict"] != Verdict.UNDECIDED.value).sum() > 80
    page = text_of(report / "ledger.html")
    assert all(claim in page for claim in claims["claim"])


def test_pages_are_executed_again_only_where_something_changed(report, runs, monkeypatch):
    executed = []
    monkeypatch.setattr(execute.WarmKernel, "execute", lambda self, notebook: executed.append(notebook) or notebook)
    write_report(profile("smoke"), runs, report)
    assert executed == []
    note_failure(runs.table_folder("1c"), "KeyError: another", None)
    write_report(profile("smoke"), runs, report)
    assert len(executed) == sum(one.of_profile for one in PAGES)
    evaluation = runs.path("a_run") / EVALUATION_FILE
    evaluation.write_bytes(b"cut off")
    write_report(profile("smoke"), runs, report)
    assert len(executed) == 2 * sum(one.of_profile for one in PAGES)
    evaluation.unlink()


def test_a_page_of_an_execution_before_one_that_failed_says_so(runs):
    pages = site.Site(ProfileStudy("smoke", str(runs.folder.parent)), Path("nowhere"))
    failed, other = ([*pages._stamps(runs.table_folder(number))] for number in ("1d", "1a"))
    assert [one for one in failed if one not in other] == [
        "The last execution of this page failed: what it shows is of an earlier one."
    ]


def test_what_a_user_starts_ipython_with_has_no_part_in_a_page(tmp_path, monkeypatch):
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("leaked = True")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    with execute.WarmKernel() as kernel:
        executed = kernel.execute(v4.new_notebook(cells=[v4.new_code_cell("'leaked' in get_ipython().user_ns")]))
    assert executed.cells[0].outputs[0].data["text/plain"] == "False"


def test_a_page_that_fails_is_written_as_far_as_it_got_and_said(runs, tmp_path, monkeypatch):
    raised = v4.new_output("error", ename="KeyError", evalue="'AP'", traceback=["KeyError: 'AP'"])
    cells = [v4.new_markdown_cell("# A page"), v4.new_code_cell("frame['AP']", outputs=[raised])]
    monkeypatch.setattr(site, "PAGES", PAGES[:1])
    monkeypatch.setattr(site, "executed_page", lambda *_: v4.new_notebook(cells=cells))
    with pytest.raises(UserError, match=r"index\.html is written, but pages failed: Overview: KeyError: 'AP'"):
        write_report(profile("smoke"), runs, tmp_path)
    assert "KeyError: 'AP'" in text_of(tmp_path / "index.html") and (tmp_path / "failed_a_run.html").exists()


def test_what_was_run_is_named_by_what_it_is_and_counts_by_its_evidence(committed):
    study = committed
    names = study.names.values()
    assert {"Table 1b, with noise, seed 0", "pretraining, narrow24 64x48", "pretraining, narrow24 16x16"} <= {*names}
    assert all(re.search(r"seed \d|^pre", name) for name in names)
    effects = study.claims().query("part == 'effect'").dropna(subset="value")
    assert set(effects["evidence"]) == {Evidence.GENERATED.value}
    assert all("generated people" in verdict for verdict in effects["verdict"])
    (flops,) = study.claims().query("key == 'cost-fewer-flops'").itertuples()
    assert flops.verdict == Verdict.CONTRADICTED.value and flops.ours.startswith("17 %") and "our reading" in flops.note
    curves, strata = study.curves(), study.strata()
    assert set(curves["run"]) <= set(names) and {"view", "size"} <= set(strata["group"])


def test_the_verdicts_beside_the_tables_add_up_to_the_effects_that_were_measured(committed):
    study = committed
    told, sums = study.table_links()["verdicts"], Counter()
    for words in told:
        of_paper = words.partition("; own modifications")[0]
        own = re.sub(r"[^:;]*\(counted with [^)]*\)", "", of_paper).rpartition(": ")[2]
        for number, verdict in re.findall(r"(\d+) ([a-z ]+?)(?:,|;|$)", own):
            sums[verdict] += int(number)
    effects = [one for one in study.effects() if one.value is not None]
    assert sums == Counter(one.verdict.short for one in effects) and sums.total() == len(effects) == 42
    measured = [one.table for one in study.parts["effect"] if one.value is not None]
    for table, words, ran in zip(TABLES, told, study.table_links()["rows run"], strict=True):
        assert (words == "not run") <= (table.number not in measured and ran.startswith("0 of")), table.name
    assert told.filter(like="Fig. 1: AP").item() == "1 same direction, 1 inconclusive (counted with Table 2a)"
    assert told.filter(like="Scoring").item() == "claim not tested; own modifications: 2 within the margin"
