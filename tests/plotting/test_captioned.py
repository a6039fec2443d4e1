"""Figures with their captions."""

import base64
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from poseur_study.plotting.captioned import LARGEST_SVG, MOST_VALUES, Captioned, Drawing, in_words
from poseur_study.report.sanitise import clean


def embedded(html: str) -> tuple[str, bytes]:
    kind, content = re.search(r'src="data:image/([^;]+);base64,([^"]+)"', html).groups()
    return kind, base64.b64decode(content)


def figure(points: int = 3) -> Captioned:
    axis = plt.subplots(figsize=(3, 2))[1]
    axis.plot(np.random.default_rng(0).random(points), np.random.default_rng(1).random(points))
    values = pd.DataFrame({"AP": [1.25, np.nan]}, index=pd.Index(["with <noise>", "without"], name="row"))
    return Captioned(axis, "AP of two rows, 3 seeds. More words.", values)


def test_a_drawing_has_caption_values_and_a_pdf_and_is_closed():
    one = figure()
    bundle = one._repr_mimebundle_()
    kind, svg = embedded(bundle["text/html"])
    assert kind == "svg+xml" and b"<svg" in svg and base64.b64decode(bundle["application/pdf"]).startswith(b"%PDF")
    assert one.alt == "AP of two rows, 3 seeds: with <noise>: AP 1.25; without: ."
    assert "with &lt;noise&gt;: AP 1.25" in bundle["text/html"] and "More words.</figcaption>" in bundle["text/html"]
    assert b"fill: #ffffff" not in svg.lower() and not plt.fignum_exists(one.figure.number)
    assert embedded(figure().html())[1] == svg  # drawn again, the same bytes


def test_a_large_drawing_is_a_png_and_photographs_are_jpeg():
    assert embedded(figure(20_000).html())[0] == "png" and LARGEST_SVG < 200_000
    photo = Captioned(plt.subplots()[0], "A picture.", "a person", photo=True)._repr_mimebundle_()
    assert embedded(photo["text/html"])[0] == "webp" and "application/pdf" not in photo
    assert 'class="photo"' in photo["text/html"] and 'alt="a person"' in photo["text/html"]


def test_a_drawing_of_its_own_for_a_phone_stands_beside_the_wide_one_and_survives_cleaning():
    wide, narrow = plt.subplots(figsize=(3, 2))[0], plt.subplots(figsize=(2, 2))[0]
    one = Captioned(wide, "Two.", "two", narrow=narrow)
    svg = base64.b64encode(one.saved("svg", narrow)).decode()
    source = f'<source media="(max-width: 40rem)" srcset="data:image/svg+xml;base64,{svg}">'
    assert source in one.html() and source in clean(one.html()) and 'class="drawing both"' in one.html()
    assert not plt.fignum_exists(narrow.number)
    assert "srcset" not in clean('<picture><source srcset="https://example.org/x.png"></picture>')
    assert "<picture>" not in figure().html()


def test_another_figure_that_is_open_stays_open():
    other = plt.figure()
    figure()
    assert plt.fignum_exists(other.number)
    plt.close(other)


def test_a_grid_of_seaborn_s_is_a_drawing():
    grid = sns.relplot(pd.DataFrame({"x": [1, 2], "y": [1, 2], "c": ["a", "b"]}), x="x", y="y", col="c")
    assert Captioned(grid, "Two panels.", "two").figure is grid.figure


def test_words_stop_where_nobody_listens_any_more():
    words = in_words(pd.Series(range(MOST_VALUES + 3), name="n"))
    assert words.startswith("n 0; n 1") and words.endswith("and 3 more")
    heads = pd.Series([0.5], index=pd.MultiIndex.from_tuples([("a", 1)]), name="share")
    assert in_words(heads) == "a, 1: share 0.5"


def test_a_drawing_of_the_project(tmp_path):
    (tmp_path / "x.svg").write_text("<svg/>")
    html = Drawing(tmp_path / "x.svg", "The model.", "boxes")._repr_html_()
    assert embedded(html) == ("svg+xml", b"<svg/>") and 'alt="boxes"' in html
