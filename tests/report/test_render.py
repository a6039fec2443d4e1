"""An executed notebook as a page: the answer first, folded sections last, files beside."""

import base64
import json
import re

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from poseur_study.report.render import Files, Link, arranged, page, title_of

CONTEXT = {"menu": {"Start": [Link("Overview", "index.html")]}, "before": None, "after": None, "beside": [],
           "stamps": [], "footer": "poseur_lib"}  # fmt: skip


def html(text: str, **more: str) -> dict:
    return new_output("display_data", data={"text/html": text, "text/plain": "no", **more})


def notebook():
    answer = {"tags": ["answer"]}
    yes = new_output("display_data", {"text/markdown": "**Yes.**"})
    fold = {"tags": ["fold"]}
    return new_notebook(cells=[
        new_markdown_cell("# A title\n\nText with *weight*."),
        new_markdown_cell("## Parameters\n\nfolded words", metadata=fold),
        new_code_cell("profile = 'smoke'", metadata={"tags": ["parameters", "fold"]}),
        new_code_cell("study.answer()", metadata=answer, outputs=[yes]),
        new_markdown_cell("Why it is so.", metadata=answer),
        new_markdown_cell("## One\n\nfirst\n\n## Two & three\n\nsecond"),
        new_code_cell("x = 1 < 2", outputs=[
            new_output("stream", name="stdout", text="step 1\rstep 2\r\x1b[32mstep 3\x1b[0m <b>"),
            new_output("stream", name="stderr", text="a warning"),
            html("<table></table>", **{"text/csv": "a\n1\n"}),
            html("<figure></figure>", **{"application/pdf": base64.b64encode(b"%PDF").decode()}),
            new_output("error", ename="E", evalue="v", traceback=["\x1b[31mE\x1b[0m: <v>"]),
        ]),
    ])  # fmt: skip


def test_cells_are_arranged_by_their_tags():
    head, answer, sections = arranged(notebook())
    assert [cell.source for cell in head] == ["# A title\n\nText with *weight*."]
    assert [cell.source for cell in answer] == ["study.answer()", "Why it is so."]
    assert [(one.title, one.anchor, one.fold) for one in sections] == [
        ("One", "one", False), ("Two & three", "two-three", False), ("Parameters", "parameters", True)
    ]  # fmt: skip
    assert title_of(notebook()) == "A title"


def test_a_page_opens_with_the_answer_and_folds_code():
    files = Files()
    text = page(notebook(), "table_1b.html", files, **CONTEXT)
    in_order = ("<h1", "<strong>Yes.</strong>", "Why it is so.", "One</h2>", "Two &amp; three</h2>", "folded")
    places = [text.index(words) for words in in_order]
    assert places == sorted(places)
    assert "<em>weight</em>" in text and "a warning" not in text and "anchor-link" not in text
    assert "<pre>step 3 &lt;b&gt;</pre>" in text and '<pre class="error">E: &lt;v&gt;</pre>' in text
    assert re.search(r'<details class="fold" id="parameters">.*profile', text, re.S)
    assert text.count("<summary>code</summary>") == 1 and "<title>A title" in text


def test_tables_and_figures_have_their_files_beside():
    files = Files()
    text = page(notebook(), "table_1b.html", files, **CONTEXT)
    assert files.of == {"csv/table_1b_1.csv": b"a\n1\n", "figures/table_1b_1.pdf": b"%PDF"}
    assert 'href="csv/table_1b_1.csv">CSV</a>' in text and 'href="figures/table_1b_1.pdf">PDF</a>' in text


def test_the_menu_marks_the_page_and_the_stamp_is_seen():
    text = page(
        notebook(),
        "index.html",
        Files(),
        **{**CONTEXT, "stamps": ["smoke: no <evidence>"], "after": Link("1b", "b.html")},
    )
    assert '<a href="index.html" aria-current="page">Overview</a>' in text and "no &lt;evidence&gt;" in text
    assert '<a rel="next" href="b.html">1b →</a>' in text and 'class="skip"' in text


def test_outputs_of_what_is_no_code_are_not_shown():
    """nbformat refuses them in formats that it knows, and takes a later one's as they come."""
    hostile = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<script>evil()</script>"}}
    for kind in ("raw", "markdown"):
        cell = {"cell_type": kind, "id": "a", "metadata": {"tags": ["answer"]}, "source": "words", "outputs": [hostile]}
        text = {"nbformat": 4, "nbformat_minor": 99, "metadata": {}, "cells": [cell]}
        shown = page(nbformat.reads(json.dumps(text), as_version=4), "a.html", Files(), **CONTEXT)
        assert "evil" not in shown and "<title>" in shown
