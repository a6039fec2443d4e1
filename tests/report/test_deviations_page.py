"""The page of deviations: every row is on it, and it asks nothing of a network."""

import html
import re

from poseur_study.paper.deviations import DEVIATIONS
from poseur_study.report.pages.fixed import deviations_page


def test_every_row_is_shown_with_all_it_says():
    page = html.unescape(re.sub(r"<wbr>", "", str(deviations_page().body)))
    assert page.count("<tr>") == len(DEVIATIONS) + 3
    for row in DEVIATIONS:
        for text in (row.subject, row.place, row.paper, row.released, row.note, row.knob or "", *row.test.split("::")):
            assert text in page, (row.subject, text)
