"""DataFrames as tables of a page."""

import re

import numpy as np
import pandas as pd
from IPython.core.interactiveshell import InteractiveShell

from poseur_study.analysis.verdict import Verdict
from poseur_study.plotting.frames import FILTERED, LAB, LONGEST, Linked, as_csv, frame_html
from poseur_study.plotting.style import use_house_style


def cells(html: str) -> list[str]:
    return re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", html)


def test_numbers_share_their_column_s_decimals_and_stand_flush_right():
    frame = pd.DataFrame({"AP": [0.0744, -2.36], "share": [0.123, 0.5], "tiny": [0.0123, 0.0], "n": [1200, 3]})
    html = frame_html(frame)
    assert cells(html) == ["AP", "share", "tiny", "n", "0.07", "0.12", "0.012", "1,200", "−2.36", "0.50", "0.000", "3"]
    assert html.count('<td class="number"') == 8 and html.count('<th scope="col" class="number"') == 4


def test_what_is_not_0_is_not_shown_as_0():
    html = frame_html(pd.DataFrame({"ours": [-0.042, 37.4], "low": [-0.0863, 37.0], "high": [0.003, float("nan")]}))
    assert cells(html)[3:] == ["−0.04", "−0.1", "0.003", "37.4", "37.0", "—"]


def test_a_verdict_that_none_has_is_marked_for_narrow_screens():
    html = frame_html(pd.DataFrame({"reproduced": [0, 2], "tests": [0, 2]}))
    assert re.findall(r'<td class="number no-count" data-column="(\w+)">', html) == ["reproduced"]


def test_there_is_no_minus_before_a_zero():
    assert cells(frame_html(pd.DataFrame({"AP": [-0.0004, -12.0], "n": [0, -3]}))) == [
        "AP",
        "n",
        "0.0",
        "0",
        "−12.0",
        "−3",
    ]


def test_an_end_of_an_interval_shows_its_sign():
    frame = pd.DataFrame({"value": [0.9, 64.0], "low": [-0.022, 62.2], "high": [0.0, 66.6]})
    assert cells(frame_html(frame))[3:] == ["0.9", "−0.02", "0.0", "64.0", "62.2", "66.6"]


def test_an_index_that_says_something_is_the_rows_heads():
    frame = pd.DataFrame({"AP": [1.0, 2.0]}, index=pd.MultiIndex.from_product([["a"], [0, 1]], names=["row", "seed"]))
    assert cells(frame_html(frame)) == ["row", "seed", "AP", "a", "0", "1.00", "a", "1", "2.00"]
    assert frame_html(frame).count('scope="row"') == 4 and as_csv(frame).startswith("row,seed,AP\n")
    filtered = pd.DataFrame({"AP": [1.0, 2.0, 3.0]}).iloc[1:]
    assert cells(frame_html(filtered)) == ["AP", "2.00", "3.00"] and as_csv(filtered) == "AP\n2\n3\n"


def test_what_is_missing_is_a_dash_and_text_is_escaped():
    frame = pd.DataFrame({"a": ["<x>\nbelow", None], "b": [np.nan, 1.0], "c": [True, False]})
    html = frame_html(frame)
    assert cells(html) == ["a", "b", "c", '&lt;x&gt;<br><span class="soft">below</span>', "—", "yes", "—", "1.00", "no"]


def test_verdicts_have_their_colours_and_a_filter_where_there_are_many():
    verdicts = [verdict.value for verdict in Verdict]
    html = frame_html(pd.DataFrame({"claim": range(len(verdicts)), "verdict": verdicts}))
    for verdict in Verdict:
        assert f'<b class="{verdict.colour}" title="{verdict.value}">' in html
    assert "on generated people<" not in html and html.count('type="radio"') == 4
    assert "radio" not in frame_html(pd.DataFrame({"verdict": verdicts[: FILTERED - 1]}))
    names = {re.search(r'name="([^"]+)"', frame_html(pd.DataFrame({"verdict": [one] * 9})))[1] for one in verdicts}
    assert len(names) == len(verdicts)  # every table has a choice of its own


def test_a_long_frame_is_cut_on_the_page_and_whole_in_the_csv():
    frame = pd.DataFrame({"n": range(LONGEST + 5)})
    html = frame_html(frame)
    assert f"The first {LONGEST} of {LONGEST + 5} lines" in html and html.count("<tr>") == LONGEST + 1
    assert as_csv(frame).count("\n") == LONGEST + 6


def test_a_link_is_a_link_on_a_page_and_text_in_the_csv():
    frame = pd.DataFrame({"table": [Linked("Table 1b", "table_1b.html")]})
    assert '<a href="table_1b.html">Table 1b</a>' in frame_html(frame) and as_csv(frame) == "table\nTable 1b\n"


def test_a_notebook_shows_frames_and_series_with_their_csv(monkeypatch):
    shell = InteractiveShell()
    monkeypatch.setattr("poseur_study.plotting.style.get_ipython", lambda: shell)
    use_house_style()
    for shown in (pd.DataFrame({"a": [1]}), pd.Series([1], name="a")):
        bundle, _ = shell.display_formatter.format(shown)
        assert bundle["text/csv"] == "a\n1\n" and bundle["text/html"] == LAB + frame_html(pd.DataFrame({"a": [1]}))


def test_numbered_columns_say_of_what_and_notes_stand_below():
    frame = pd.DataFrame({"seed": [0, 1], "AP": [1.0, 2.0]}).set_index("seed").T
    assert cells(frame_html(frame))[:3] == ["", "seed 0", "seed 1"]
    empty = pd.DataFrame(columns=["AP"])
    empty.attrs["note"] = "Left out: seed 1."
    assert "No lines. Left out: seed 1." in frame_html(empty)
