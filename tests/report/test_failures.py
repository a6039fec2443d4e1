"""What failed is in sight: on the first page, with a page of its own, and not instead of what was there before."""

import shutil
from pathlib import Path

import pytest

from poseur_study.experiments.profiles import profile
from poseur_study.report.site import Site
from poseur_study.report.view import StudyView
from poseur_study.runs.store import RunStore, note_failure

MINI = Path(__file__).resolve().parents[2] / "runs" / "mini"


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Path:
    """Table 1b failed when it was made again, 1d the first time, and so did a run."""
    store = RunStore(tmp_path_factory.mktemp("runs") / "mini")
    shutil.copytree(MINI / "tables" / "1b", store.table_folder("1b"))
    note_failure(store.table_folder("1b"), "step 1\nKeyError: 'a <column>'", None)
    shutil.copy(MINI / "tables" / "1b" / "notebook.ipynb", store.table_folder("1b") / "failed.ipynb")
    note_failure(store.table_folder("1d"), "OSError: the disk is full", None)
    note_failure(store.path("a_run"), "step 7\nRuntimeError: loss is nan", None)
    site = Site(StudyView(profile("mini"), store), tmp_path_factory.mktemp("report"))
    site.write_table(site.view.tables[0])
    site.write_run("a_run")
    site.write_failed_tables()
    return site.write_index().parent


def test_the_first_page_names_it_and_links_to_it(pages):
    index = (pages / "index.html").read_text()
    for target, why in (
        ("runs/failed_table_1b.html", "KeyError: &#39;a &lt;column&gt;&#39;"),
        ("runs/failed_table_1d.html", "OSError: the disk is full"),
        ("runs/a_run.html", "RuntimeError: loss is nan"),
    ):
        assert f'href="{target}"' in index and why in index and (pages / target).exists()


def test_the_page_has_the_last_output_and_the_notebook(pages):
    page = (pages / "runs" / "failed_table_1b.html").read_text()
    assert "step 1" in page and "What would count as reproduced" in page
    assert "loss is nan" in (pages / "runs" / "a_run.html").read_text()


def test_a_table_that_was_made_before_is_still_shown_and_says_so(pages):
    page = (pages / "table_1b.html").read_text()
    assert "Of an earlier attempt." in page and 'href="runs/failed_table_1b.html"' in page
    assert not (pages / "table_1d.html").exists()
