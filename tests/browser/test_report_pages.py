"""A report's pages in a real browser, from disk and offline: on a phone and a desktop, light and dark, and on paper."""

from pathlib import Path

import pytest
from nbformat import NotebookNode, v4, write

from poseur_study.experiments.profiles import profile
from poseur_study.report.site import write_report
from poseur_study.runs.store import RunStore, note_failure
from tests.browser.reports import Report

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = sorted(path.parent for path in (ROOT / "reports").glob("*/index.html"))
LINE = "loss nan at step 31: " + "weights_of_the_sampling_offsets/" * 12


EVERY_PAGE = [pytest.param(f"committed {path.name}", marks=pytest.mark.slow) for path in COMMITTED]


@pytest.fixture(scope="module", params=["failed", *EVERY_PAGE])
def report(request, browser, tmp_path_factory):
    """Runs that failed alone; and every report that is committed."""
    if request.param.startswith("committed"):
        return Report(ROOT / "reports" / request.param.split()[1], browser)
    folder = tmp_path_factory.mktemp("failed")
    write_report(profile("smoke"), _failed_runs(folder / "smoke"), folder / "report")
    return Report(folder / "report", browser)


def _failed_runs(folder: Path) -> RunStore:
    """A run whose notebook raised, one that was killed before it had any, and a table that failed."""
    raised = folder / "failed.ipynb"
    folder.mkdir(parents=True)
    write(_raised(), raised)
    note_failure(folder / "poseur_resnet50_failed_raised", f"FloatingPointError: {LINE}", raised)
    note_failure(folder / "poseur_resnet50_failed_killed", f"{LINE}\nits process was killed by SIGKILL", None)
    note_failure(folder / "tables" / "1e", f"UserError: {LINE}", None)
    return RunStore(folder)


def _raised() -> NotebookNode:
    code = v4.new_code_cell(f"train(run, note={LINE!r})  # as far as it gets")
    traceback = ["\x1b[31mFloatingPointError\x1b[39m  Traceback (most recent call last)", f"----> 1 {LINE}", LINE]
    code.outputs = [
        v4.new_output("stream", name="stdout", text=f"epoch 1\repoch 2\n{LINE}\n"),
        v4.new_output("error", ename="FloatingPointError", evalue=LINE, traceback=traceback),
    ]
    return v4.new_notebook(cells=[v4.new_markdown_cell(f"# Training of one variant\n\n`{LINE}`"), code])


def test_no_link_is_broken_and_no_picture_missing(report):
    for name, page in report.found.items():
        assert list(report.broken(name)) == [], name
        assert [image for image in page.any["images"] if not image["width"]] == [], name


def test_every_picture_has_a_text_for_who_cannot_see_it(report):
    for name, page in report.found.items():
        assert [image["alt"] for image in page.any["images"] if len(image["alt"]) < 10] == [], name


def test_nothing_is_asked_of_a_network_and_nothing_complains(report):
    for name, page in report.found.items():
        assert page.watch.elsewhere == [] and page.watch.complaints == [], name


def test_no_page_is_wider_than_its_window(report):
    for name, page in report.found.items():
        for way, look in page.looks.items():
            assert (look["overflow"], look["wide"]) == (0, []), (name, way)


def test_text_stands_out_from_its_ground(report):
    for name, page in report.found.items():
        for way, look in page.looks.items():
            assert look["dark"] == (way[0] == "dark") and look["faint"] == [], (name, way)


def test_paper_shows_what_is_folded_within_its_width(report):
    for name, page in report.found.items():
        assert (page.printed["overflow"], page.printed["wide"], page.printed["folded"]) == (0, [], []), name
        assert not page.printed["dark"] and page.pdf.startswith(b"%PDF"), name


def test_next_and_previous_pass_every_page(report):
    there, back, name = ["index.html"], [], "index.html"
    while (name := report.found[name].any["next"]) is not None:
        there.append(name)
    name = there[-1]
    while name is not None:
        back.insert(0, name)
        name = report.found[name].any["previous"]
    assert there == back and sorted(there) == sorted(page for page in report.pages if not page.startswith("failed_"))


def test_every_page_is_light(report):
    heavy = {path.name: path.stat().st_size for path in report.folder.rglob("*.*") if path.stat().st_size >= 1_000_000}
    assert heavy == {}
