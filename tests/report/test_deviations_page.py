"""The page of deviations: every row is on it, and it asks nothing of a network."""

import html
import re

from poseur_study.paper.deviations import DEVIATIONS
from poseur_study.report.pages.deviations import deviation_blocks


def test_every_row_is_shown_with_all_it_says():
    page = re.sub(r"<wbr>", "", "".join(block.body for block in deviation_blocks()))
    assert page.count("<tr>") == len(DEVIATIONS) + 3
    for row in DEVIATIONS:
        for text in (row.subject, row.place, row.paper, row.released, row.note, row.knob or "", *row.test.split("::")):
            assert html.escape(text) in page, (row.subject, text)
