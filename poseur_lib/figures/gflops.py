"""AP over GFLOPs, as Fig. 1 of the paper: the printed numbers, and ours."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.ticker import FuncFormatter

from poseur_lib.figures.style import DARK, GREY, METHOD_MARKERS, as_html, backbone_colour, style

POSEUR = "Poseur"


@dataclass(frozen=True)
class CostDot:
    """A model.

    Attributes:
        pair: backbone and size, which joins a heatmap method to Poseur.
        gflops: billions of multiply-adds.
        low, high: ends of the AP's interval; None for a printed one.
    """

    pair: str
    method: str
    backbone: str
    gflops: float
    ap: float
    low: float | None = None
    high: float | None = None


def gflops_figure(paper: Sequence[CostDot], ours: Sequence[CostDot], alt: str, caption: str) -> HTML:
    """Left the paper's numbers, hollow; right ours, filled, at the cost of what was trained. Logarithmic cost."""
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.4))
        for axis, dots, title in zip(axes, (paper, ours), ("paper, COCO val", "ours"), strict=True):
            _panel(axis, dots, hollow=dots is paper)
            axis.set(title=title, xlabel="GFLOPs (multiply-adds)", ylabel="AP")
        handles = [
            plt.Line2D([], [], marker=METHOD_MARKERS[method], color=DARK, markerfacecolor="white", linestyle="")
            for method in _methods(paper)
        ]
        figure.legend(handles, _methods(paper), loc="lower center", ncols=len(handles), fontsize=8)
        figure.tight_layout(rect=(0, 0.06, 1, 1), w_pad=2)
    return as_html(figure, alt, caption)


def _methods(dots: Sequence[CostDot]) -> list[str]:
    return list(dict.fromkeys(dot.method for dot in dots))


def _panel(axis: plt.Axes, dots: Sequence[CostDot], *, hollow: bool) -> None:
    if not dots:
        axis.text(0.5, 0.5, "not run", transform=axis.transAxes, color=GREY, ha="center", va="center")
        axis.set(xticks=[], yticks=[])
        return
    axis.set_xscale("log")
    for pair in dict.fromkeys(dot.pair for dot in dots):
        members = [dot for dot in dots if dot.pair == pair]
        colour = backbone_colour(members[0].backbone)
        axis.plot([one.gflops for one in members], [one.ap for one in members], color=colour, linewidth=1, alpha=0.6)
        for one in members:
            _point(axis, one, colour, hollow)
        top = max(members, key=lambda one: one.ap)
        how = {"textcoords": "offset points", "ha": "center", "fontsize": 7.5, "color": DARK}
        axis.annotate(pair, (top.gflops, top.ap if top.high is None else top.high), (0, 6), **how)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.margins(x=0.14, y=0.1)


def _point(axis: plt.Axes, one: CostDot, colour: str, hollow: bool) -> None:
    if one.low is not None:
        axis.plot([one.gflops] * 2, [one.low, one.high], color=colour, linewidth=1.2)
    face = "white" if hollow else colour
    axis.plot(one.gflops, one.ap, METHOD_MARKERS[one.method], color=colour, markerfacecolor=face, zorder=3)
