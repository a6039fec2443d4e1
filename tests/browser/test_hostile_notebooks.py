"""Notebooks and records from elsewhere, opened in a browser: nothing of them runs, and nobody is asked for anything.

What runs without the two locks of a page, sanitising and its Content-Security-Policy, is tested beside it: the attacks
are real ones.
"""

import json
import shutil
from pathlib import Path

import pytest
from markupsafe import Markup
from nbformat import write

from poseur_study.experiments.profiles import profile
from poseur_study.report import render, site
from poseur_study.report.site import PAGES, write_report
from poseur_study.runs.origin import NOTEBOOK_DIGEST_FILE
from poseur_study.runs.record import IMPORTED_FILE, write_record
from poseur_study.runs.store import RunStore, note_failure
from tests.browser.chromium import opened
from tests.browser.hostile import ASKS, HOST, LINKS, REFRESH, RUNS, hostile_notebook
from tests.browser.reports import DECODED, OPEN_ALL
from tests.study.fakes import make_record
from tests.training.tiny import tiny_config

ROOT = Path(__file__).resolve().parents[2]
ATTACKS = "".join([*RUNS.values(), *ASKS.values()])
CONTEXT = {"menu": {}, "before": None, "after": None, "beside": [], "stamps": [], "footer": ""}
SHOWN = """() => {
  document.querySelectorAll('head, style').forEach((one) => one.remove());
  document.querySelectorAll('[style]').forEach((one) => one.setAttribute('style', one.style.cssText));
  return document.documentElement.outerHTML;
}"""
"""A page's elements, styles as the browser writes them."""


def without(monkeypatch, *locks: str) -> None:
    """Take locks off the pages that are rendered from now on."""
    if "sanitising" in locks:
        monkeypatch.setattr(render, "clean", Markup)
    if "policy" in locks:
        monkeypatch.setattr(render, "POLICY", Markup())


@pytest.fixture
def attack(browser, tmp_path):
    """What came of opening the page of a hostile notebook: what ran, and what was asked of the foreign host."""

    def open_page(html: str) -> tuple[set[str], set[str]]:
        file = tmp_path / "page.html"
        file.write_text(render.page(hostile_notebook(html), file.name, render.Files(), **CONTEXT))
        with opened(browser, tmp_path.as_uri()) as (page, watch):
            stopped = set()  # by the policy, before anything was sent; Chromium tells of these too
            page.on("requestfailed", lambda one: stopped.add(one.url) if one.failure == "csp" else None)
            page.goto(file.as_uri())
            page.wait_for_timeout(500)
            ran = set() if watch.elsewhere == [f"{HOST}/refresh"] else set(page.evaluate("window.ran || []"))
            return ran, {url.removeprefix(f"{HOST}/") for url in set(watch.elsewhere) - stopped}

    return open_page


def test_without_the_locks_every_attack_succeeds(attack, monkeypatch):
    without(monkeypatch, "sanitising", "policy")
    for name, html in RUNS.items():
        assert attack(html)[0] == {name}
    assert attack(ATTACKS)[1] == set(ASKS) and attack(REFRESH)[1] == {"refresh"}


@pytest.mark.parametrize("open_lock", ["none", "policy", "sanitising"])
def test_each_lock_alone_keeps_them_all_out_but_a_refresh_which_only_sanitising_does(attack, monkeypatch, open_lock):
    without(monkeypatch, open_lock)
    assert attack(ATTACKS) == (set(), set())
    assert attack(REFRESH)[1] == ({"refresh"} if open_lock == "sanitising" else set())


def test_what_waits_for_a_click_does_nothing(browser, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(render.page(hostile_notebook("".join(LINKS)), file.name, render.Files(), **CONTEXT))
    with opened(browser, tmp_path.as_uri()) as (page, watch):
        page.goto(file.as_uri())
        page.evaluate(OPEN_ALL)
        assert page.locator("a.attack").count() >= 2 and page.locator("form, button").count() == 0
        for link in page.locator("a.attack").all():
            link.dispatch_event("click")
        page.wait_for_timeout(200)
        assert page.url == file.as_uri() and page.evaluate("window.ran || []") == [] and watch.elsewhere == []
        assert not any("script" in target or "data:" in target for target in page.locator("a[href]").evaluate_all(
            "all => all.map((one) => one.href)"))  # fmt: skip


def test_a_file_beside_a_page_is_what_its_name_says():
    files = render.Files()
    render.page(hostile_notebook(ATTACKS), "page.html", files, **CONTEXT)
    assert {name.rpartition(".")[2] for name in files.of} == {"csv"}, "no PDF without a PDF's beginning"


@pytest.fixture
def report(tmp_path, monkeypatch):
    """A report of a table, a record, and a run that failed, all of them hostile."""
    store = RunStore(tmp_path / "runs" / "mini")
    table = store.table_folder("1b")
    shutil.copytree(ROOT / "runs" / "mini" / "tables" / "1b", table)
    result = (table / "result.json").read_text()
    assert '"label": "with noise"' in result
    (table / "result.json").write_text(result.replace('"label": "with noise"', f'"label": {json.dumps(ATTACKS)}'))
    write(hostile_notebook(ATTACKS), table / "notebook.ipynb")
    (table / NOTEBOOK_DIGEST_FILE).write_text(f"{'0' * 64}  notebook.ipynb\n")
    (table / 'rows"><img src=x>.csv').write_text("a\n")
    record = make_record(tiny_config())
    said = dict.fromkeys(("commit", "python", "device", "data_name", "machine", "computed"), ATTACKS)
    said |= {"profile": "mini", "versions": {"torch": ATTACKS}, "finished_at": "2026-01-01T00:00:00+00:00"}
    record = record.model_copy(update={"provenance": record.provenance.model_copy(update=said)})
    write_record(store.path(record.run_id), record, {})
    mark = {"source": f"{ATTACKS}.tar", "sha256": ATTACKS, "date": "2026-11-28T12:00:00+00:00"}
    for folder in (table, store.path(record.run_id)):
        (folder / IMPORTED_FILE).write_text(json.dumps(mark))
    write(hostile_notebook(ATTACKS), failed := store.folder / "failed.ipynb")
    note_failure(store.path("a_run"), f"```\n\n{ATTACKS}", failed)
    monkeypatch.setattr(site, "PAGES", tuple(one for one in PAGES if one.file in ("index.html", "runs.html")))
    write_report(profile("mini"), store, tmp_path / "report")
    return tmp_path / "report"


def test_a_report_of_hostile_results_and_records_runs_nothing(report, browser):
    pages = sorted(report.glob("*.html"))
    assert {page.name for page in pages} == {"failed_a_run.html", "index.html", "runs.html", "table_1b.html"}
    for file in pages:
        text = file.read_text()
        assert "evil.invalid" in text, "it is shown, as text"
        assert ("1 table from elsewhere: " if file.name.startswith("table") else "1 run from elsewhere: ") in text
        assert ("altered after it was executed" in text) == file.name.startswith("table")
        with opened(browser, report.as_uri()) as (page, watch):
            page.goto(file.as_uri())
            page.evaluate(OPEN_ALL)
            page.wait_for_timeout(300)
            assert (page.evaluate("window.ran || []"), watch.elsewhere, watch.complaints) == ([], [], []), file.name


@pytest.mark.slow
def test_our_own_notebooks_look_the_same_sanitised(browser, tmp_path, monkeypatch):
    notebooks = sorted((ROOT / "runs").glob("*/tables/*/notebook.ipynb"))
    assert len(notebooks) > 10
    with opened(browser, tmp_path.as_uri()) as (page, watch):
        for notebook in notebooks:
            looks = []
            for locks in ((), ("sanitising", "policy")):
                with monkeypatch.context() as one:
                    without(one, *locks)
                    file = tmp_path / "page.html"
                    text = render.page(render.read_notebook(notebook), file.name, render.Files(), **CONTEXT)
                file.write_text(text)
                page.goto(file.as_uri())
                page.evaluate(OPEN_ALL)
                page.evaluate(DECODED)
                looks.append((page.screenshot(), page.evaluate(SHOWN)))
            assert looks[0] == looks[1], notebook
        assert watch.complaints == []
