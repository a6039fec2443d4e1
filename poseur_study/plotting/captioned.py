"""A figure as what a cell ends in: a drawing with its caption and a text for who cannot see it, and a PDF beside."""

import base64
import io
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from seaborn.axisgrid import Grid

LARGEST_SVG = 150_000
"""Bytes; a larger drawing becomes a PNG."""
MOST_VALUES = 40
LOSSY = {kind: {"pil_kwargs": {"quality": 82}} for kind in ("webp", "jpeg")}
FIGURE = Markup('<figure class="{}">{}{}</figure>')
IMAGE = Markup('<img alt="{}" style="width:{}px" src="{}">')
PICTURE = Markup('<picture><source media="(max-width: 40rem)" srcset="{}">{}</picture>')
"""A drawing of its own for a phone; the style sheet makes its figures narrow at the same width."""
CAPTION = Markup("<figcaption>{}</figcaption>")
POLICY = Markup(
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; font-src data:; '
    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
)
"""What a browser may do with a page: show what is in it. It runs no script, and asks no machine for anything."""


class Captioned:
    """A drawn figure with its caption; it is closed, so that a notebook shows it once.

    Args:
        drawing: a figure, axes, or a grid of seaborn's.
        caption: what is plotted, n, the kind of interval, and the source.
        values: what is drawn, for the alt text: words, or a frame with a row or a column a value.
        photo: it shows photographs, whose colours stay as they are on a dark page.
        narrow: the same, laid out for a phone.
    """

    def __init__(
        self,
        drawing: Figure | Axes | Grid,
        caption: str,
        values: str | pd.DataFrame | pd.Series,
        *,
        photo: bool = False,
        narrow: Figure | None = None,
    ) -> None:
        self.figure = drawing if isinstance(drawing, Figure) else drawing.figure
        self.caption, self.photo, self.narrow = caption, photo, narrow
        self.alt = values if isinstance(values, str) else f"{caption.split('. ')[0].rstrip('.')}: {in_words(values)}."
        plt.close(self.figure)
        if narrow is not None:  # plt.close(None) closes whichever figure is the current one
            plt.close(narrow)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        pdf = "" if self.photo else base64.b64encode(self.saved("pdf")).decode()
        return {"text/html": self.html(), "text/plain": self.alt} | ({"application/pdf": pdf} if pdf else {})

    def html(self) -> str:
        """The drawing as SVG, PNG or, of photographs, WebP, in an HTML figure."""
        css, width = "photo" if self.photo else "drawing", int(self.figure.get_figwidth() * 100)
        image = IMAGE.format(self.alt, width, self._embedded(self.figure))
        if self.narrow is not None:
            css, image = f"{css} both", PICTURE.format(self._embedded(self.narrow), image)
        return str(FIGURE.format(css, image, CAPTION.format(self.caption)))

    def _embedded(self, figure: Figure) -> str:
        """A data URL."""
        kind, content = ("webp", self.saved("webp", figure)) if self.photo else ("svg+xml", self.saved("svg", figure))
        if kind == "svg+xml" and len(content) > LARGEST_SVG:
            kind, content = "png", self.saved("png", figure)
        return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"

    def saved(self, kind: str, figure: Figure | None = None) -> bytes:
        """The drawing, or the one for a phone, as a file; a figure that is drawn again gives the same bytes."""
        buffer = io.BytesIO()
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
        with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "poseur"}):
            (figure or self.figure).savefig(
                buffer, format=kind, metadata=metadata, transparent=kind != "jpeg", **LOSSY.get(kind, {})
            )
        return buffer.getvalue()


class Drawing:
    """A drawing that lies as SVG in the project, with its caption and alt text."""

    def __init__(self, path: Path, caption: str, alt: str) -> None:
        self.content, self.caption, self.alt = path.read_bytes(), caption, alt

    def _repr_html_(self) -> str:
        encoded, caption = base64.b64encode(self.content).decode(), CAPTION.format(self.caption)
        image = IMAGE.format(self.alt, 1080, f"data:image/svg+xml;base64,{encoded}")
        return str(FIGURE.format("drawing", image, caption))

    def __repr__(self) -> str:
        return self.alt


def in_words(values: pd.DataFrame | pd.Series) -> str:
    """`with noise, 0: AP 23.1; with noise, 1: AP 24.0`: a frame, a line each, as far as one can listen to."""
    frame = values.to_frame() if isinstance(values, pd.Series) else values
    lines = []
    for head, line in list(zip(frame.index, frame.itertuples(index=False, name=None), strict=True))[:MOST_VALUES]:
        cells = [f"{name} {_number(cell)}" for name, cell in zip(frame.columns, line, strict=True) if cell == cell]
        heads = head if isinstance(head, tuple) else (head,)
        numbered = isinstance(frame.index, pd.RangeIndex)
        lines.append(", ".join(cells) if numbered else f"{', '.join(map(str, heads))}: {', '.join(cells)}")
    more = len(frame) - MOST_VALUES
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


def _number(cell: Any) -> str:
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)
