"""The page of deviations: every row is on it, and it asks nothing of a network."""

import html
import re

from poseur_lib.deviations import DEVIATIONS
from poseur_lib.report.deviations import deviation_blocks
from poseur_lib.report.site import DEVIATIONS_PAGE, Site
from poseur_lib.study.profiles import profile
from poseur_lib.study.store import RunStore


def test_every_row_is_shown_with_all_it_says():
    page = re.sub(r"<wbr>", "", "".join(block.body for block in deviation_blocks()))
    assert page.count("<tr>") == len(DEVIATIONS) + 3
    for row in DEVIATIONS:
        for text in (row.subject, row.place, row.paper, row.released, row.note, row.knob or "", *row.test.split("::")):
            assert html.escape(text) in page, (row.subject, text)


def test_the_page_is_self_contained(tmp_path):
    (tmp_path / "runs").mkdir()
    site = Site(profile("mini"), RunStore(tmp_path / "runs"), tmp_path / "report", [])
    site.write_deviations()
    page = (tmp_path / "report" / DEVIATIONS_PAGE).read_text()
    assert not re.search(r"https?://|<script|<link rel=\"stylesheet", page)
    assert re.findall(r'<a[^>]* href="([^"]*)"', page) == ["index.html", "audit.html", DEVIATIONS_PAGE]
