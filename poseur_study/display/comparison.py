"""Paper beside ours: dots with intervals, the paper hollow, ours filled."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from poseur_study.display.style import DARK, GREY, METHOD_MARKERS, as_html, backbone_colour, style

WIDTH = 8.8
FEW_ROWS, FEW_LETTERS = 8, 42
LINE, NARROW_LINE, HEAD = 0.62, 0.3, 1.0
"""Inches of a row, of a row with its number beside the dot, and of what stands around the rows."""


@dataclass(frozen=True)
class Dot:
    """A row's figure: ours with its interval, the paper's; None where there is none.

    The backbone is its colour, the method its shape.

    Attributes:
        released: of the released checkpoint evaluated here: value and interval.
    """

    label: str
    ours: float | None
    low: float | None
    high: float | None
    paper: float | None
    backbone: str
    method: str
    released: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Difference:
    """A claim's effect, ours with its interval and the paper's."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    paper: float | None


def comparison_figure(
    dots: Sequence[Dot],
    differences: Sequence[Difference],
    measure: str,
    alt: str,
    caption: str,
    unit: str = "difference, points",
) -> HTML:
    """The rows' AP, the paper's and ours each on an axis of its own, and the differences that are claimed.

    The differences stand to the right; below the rows where these are many or the differences' names are long.

    Args:
        measure: AP, or what else the table compares by.
        unit: of the differences.
    """
    with style():
        long = len(dots) > FEW_ROWS or any(len(one.label) > FEW_LETTERS for one in differences)
        figure, (paper, ours, effects) = _below(dots, differences) if long else _beside(dots, differences)
        _rows(paper, ours, dots, measure, long)
        _effects(effects, differences, _one_colour(dots), unit)
        for axis in (paper, ours, effects):
            if axis.has_data():
                axis.xaxis.set_major_locator(MaxNLocator(4 if not long or axis is not effects else 9))
            else:
                axis.set_xticks([])
        figure.tight_layout(w_pad=2)
    return as_html(figure, alt, caption)


def _beside(dots: Sequence, differences: Sequence) -> tuple[Figure, Sequence[plt.Axes]]:
    height = HEAD + LINE * max(len(dots), len(differences))
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, height), width_ratios=(1, 1, 1.3))
    return figure, tuple(axes)


def _below(dots: Sequence, differences: Sequence) -> tuple[Figure, Sequence[plt.Axes]]:
    heights = HEAD + NARROW_LINE * len(dots), HEAD + LINE * len(differences)
    figure = plt.figure(figsize=(WIDTH, sum(heights)))
    grid = figure.add_gridspec(2, 2, height_ratios=heights)
    return figure, (
        figure.add_subplot(grid[0, 0]),
        figure.add_subplot(grid[0, 1]),
        figure.add_subplot(grid[1, :]),
    )


def _rows(paper: plt.Axes, ours: plt.Axes, dots: Sequence[Dot], measure: str, long: bool) -> None:
    for row, dot in enumerate(dots):
        colour, marker = backbone_colour(dot.backbone), METHOD_MARKERS.get(dot.method, "o")
        if dot.paper is not None:
            _dot(paper, row, dot.paper, marker, colour, hollow=True, beside=long)
        if dot.released is not None:
            _interval(paper, row, dot.released[0], dot.released[1:], marker, colour, beside=False)
        _interval(ours, row, dot.ours, (dot.low, dot.high), marker, colour, beside=long)
    checkpoints = ", released checkpoint" if any(dot.released is not None for dot in dots) else ""
    for axis, title in ((paper, f"{measure}, paper{checkpoints}"), (ours, f"{measure}, ours")):
        axis.set(title=title, ylim=(len(dots) - 0.5, -0.7), yticks=list(range(len(dots))))
        axis.margins(x=0.25)
    if not paper.has_data():
        paper.text(0.5, 0.5, "none printed", transform=paper.transAxes, color=GREY, ha="center", va="center")
    paper.set_yticklabels([dot.label for dot in dots])
    ours.set_yticklabels([])


def _one_colour(dots: Sequence[Dot]) -> str:
    """The backbone's colour where all rows have the same."""
    colours = {backbone_colour(dot.backbone) for dot in dots}
    return colours.pop() if len(colours) == 1 else DARK


def _effects(axis: plt.Axes, differences: Sequence[Difference], colour: str, unit: str) -> None:
    rows = range(len(differences))
    axis.axvline(0, color=GREY, linewidth=1)
    for row, one in enumerate(differences):
        _interval(axis, row, one.value, (one.low, one.high), "o", colour, beside=False)
        if one.paper is not None:
            _dot(axis, row, one.paper, "o", GREY, hollow=True, beside=False)
        place = axis.get_yaxis_transform()
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axis.text(0.01, row - 0.45, one.label, transform=place, fontsize=8, va="center", color="#444444", bbox=ground)
    axis.set(title=unit, yticks=list(rows), ylim=(len(differences) - 0.5, -0.8))
    axis.set_yticklabels([])
    axis.margins(x=0.15)


def _interval(
    axis: plt.Axes,
    row: int,
    value: float | None,
    ends: tuple[float | None, float | None],
    marker: str,
    colour: str,
    *,
    beside: bool,
) -> None:
    if value is None:
        axis.text(0.5, row, "not run", transform=axis.get_yaxis_transform(), color=GREY, ha="center", va="center")
        return
    axis.plot(ends, [row, row], color=colour, linewidth=1.6, solid_capstyle="round")
    _dot(axis, row, value, marker, colour, hollow=False, beside=beside, right=ends[1])


def _dot(
    axis: plt.Axes,
    row: int,
    value: float,
    marker: str,
    colour: str,
    *,
    hollow: bool,
    beside: bool,
    right: float | None = None,
) -> None:
    """A marker and its number: above (ours) or below (paper) it, or to the right of its interval."""
    axis.plot(value, row, marker, color=colour, markerfacecolor="white" if hollow else colour, zorder=3)
    how = {"textcoords": "offset points", "fontsize": 8, "color": DARK}
    text = f"{round(value, 1) + 0.0:.1f}"  # no minus before a zero
    if beside:
        axis.annotate(text, (value if right is None else right, row), (6, 0), ha="left", va="center", **how)
    else:
        axis.annotate(text, (value, row), (0, -12) if hollow else (0, 5), ha="center", **how)
