"""Paper beside ours: dots with intervals, the paper hollow, ours filled."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.ticker import MaxNLocator

from poseur_lib.figures.style import GREY, as_html, backbone_colour, style


@dataclass(frozen=True)
class Dot:
    """A row's figure: ours with its interval, the paper's; None where there is none."""

    label: str
    ours: float | None
    low: float | None
    high: float | None
    paper: float | None


@dataclass(frozen=True)
class Difference:
    """A claim's effect, ours with its interval and the paper's."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    paper: float | None


def comparison_figure(
    dots: Sequence[Dot], differences: Sequence[Difference], backbone: str, alt: str, caption: str
) -> HTML:
    """Left: the rows' AP, the paper's and ours each on an axis of its own. Right: the differences that are claimed."""
    colour = backbone_colour(backbone)
    with style():
        height = 1.0 + 0.62 * max(len(dots), len(differences))
        figure, (paper, ours, effects) = plt.subplots(1, 3, figsize=(8.8, height), width_ratios=(1, 1, 1.3))
        rows = range(len(dots))
        _dots(paper, rows, [dot.paper for dot in dots], "o", GREY, hollow=True)
        _intervals(ours, rows, dots, [dot.ours for dot in dots], colour)
        for axis, title in ((paper, "AP, paper"), (ours, "AP, ours")):
            axis.set(title=title, ylim=(len(dots) - 0.5, -0.7), yticks=list(rows))
            axis.margins(x=0.25)
        paper.set_yticklabels([dot.label for dot in dots])
        ours.set_yticklabels([])
        _effects(effects, differences, colour)
        for axis in (paper, ours, effects):
            axis.xaxis.set_major_locator(MaxNLocator(4))
        figure.tight_layout(w_pad=2)
    return as_html(figure, alt, caption)


def _effects(axis: plt.Axes, differences: Sequence[Difference], colour: str) -> None:
    rows = range(len(differences))
    axis.axvline(0, color=GREY, linewidth=1)
    _intervals(axis, rows, differences, [one.value for one in differences], colour)
    _dots(axis, rows, [one.paper for one in differences], "o", GREY, hollow=True)
    for row, one in enumerate(differences):
        place = axis.get_yaxis_transform()
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axis.text(0.01, row - 0.45, one.label, transform=place, fontsize=8, va="center", color="#444444", bbox=ground)
    axis.set(title="difference, points", yticks=list(rows), ylim=(len(differences) - 0.5, -0.8))
    axis.set_yticklabels([])
    axis.margins(x=0.15)


def _intervals(axis: plt.Axes, rows: Sequence[float], ends: Sequence, values: Sequence, colour: str) -> None:
    for row, value, end in zip(rows, values, ends, strict=True):
        if value is None:
            axis.text(0.5, row, "not run", transform=axis.get_yaxis_transform(), color=GREY, ha="center", va="center")
            continue
        axis.plot([end.low, end.high], [row, row], color=colour, linewidth=1.6, solid_capstyle="round")
        _dots(axis, [row], [value], "o", colour, hollow=False)


def _dots(axis: plt.Axes, rows: Sequence, values: Sequence, marker: str, colour: str, hollow: bool) -> None:
    known = [(value, row) for value, row in zip(values, rows, strict=True) if value is not None]
    if not known:
        return
    axis.plot(*zip(*known, strict=True), marker, color=colour, markerfacecolor="white" if hollow else colour, zorder=3)
    for value, row in known:
        below = (0, -12) if hollow else (0, 5)
        axis.annotate(
            f"{value:.1f}", (value, row), below, textcoords="offset points", ha="center", fontsize=8, color=colour
        )
