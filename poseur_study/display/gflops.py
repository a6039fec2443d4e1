"""AP over GFLOPs, as Fig. 1 of the paper: the printed numbers, and ours."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import Bbox, BboxBase

from poseur_study.display.figure import as_html
from poseur_study.display.style import DARK, GREY, METHOD_MARKERS, backbone_colour, style

MARKER = 5
"""Pixels around a point that no name should cover."""
PLACES = (0, 7, "center", "bottom"), (7, 0, "left", "center"), (-7, 0, "right", "center"), (0, -8, "center", "top")


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
        methods = list(dict.fromkeys(dot.method for dot in paper))
        how = {"color": DARK, "markerfacecolor": "white", "linestyle": ""}
        handles = [plt.Line2D([], [], marker=METHOD_MARKERS[method], **how) for method in methods]
        figure.legend(handles, methods, loc="lower center", ncols=len(handles), fontsize=8)
        figure.tight_layout(rect=(0, 0.06, 1, 1), w_pad=2)
        for axis, dots in zip(axes, (paper, ours), strict=True):
            taken = [_box(axis, one) for one in dots]
            for pair in dict.fromkeys(dot.pair for dot in dots):  # once the points have their places on the page
                _name(axis, [dot for dot in dots if dot.pair == pair], taken)
    return as_html(figure, alt, caption)


def _panel(axis: plt.Axes, dots: Sequence[CostDot], *, hollow: bool) -> None:
    if not dots:
        axis.text(0.5, 0.5, "not run", transform=axis.transAxes, color=GREY, ha="center", va="center")
        axis.set(xticks=[], yticks=[])
        return
    axis.set_xscale("log")
    axis.margins(x=0.16, y=0.12)
    for pair in dict.fromkeys(dot.pair for dot in dots):
        members = [dot for dot in dots if dot.pair == pair]
        colour = backbone_colour(members[0].backbone)
        axis.plot([one.gflops for one in members], [one.ap for one in members], color=colour, linewidth=1, alpha=0.6)
        for one in members:
            if one.low is not None:
                axis.plot([one.gflops] * 2, [one.low, one.high], color=colour, linewidth=1.2)
            how = {"color": colour, "markerfacecolor": "white" if hollow else colour, "zorder": 3}
            axis.plot(one.gflops, one.ap, METHOD_MARKERS[one.method], **how)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.autoscale_view()


def _name(axis: plt.Axes, members: Sequence[CostDot], taken: list[BboxBase]) -> None:
    """The pair's name beside one of its points, where it covers least of what is there already."""
    found = []
    for one in sorted(members, key=lambda one: -one.ap):
        for *offset, ha, va in PLACES:
            how = {"textcoords": "offset points", "ha": ha, "va": va, "fontsize": 7.5, "color": DARK}
            text = axis.annotate(one.pair.replace(" ", "\n", 1), (one.gflops, one.ap), offset, **how)
            box = text.get_window_extent()
            outside = 0.3 * (box.width * box.height - _shared(box, axis.bbox))
            found.append((outside + sum(_shared(box, other) for other in taken), len(found), text, box))
    found.sort(key=lambda place: place[:2])
    for _, _, text, _ in found[1:]:
        text.remove()
    taken.append(found[0][3])


def _box(axis: plt.Axes, one: CostDot) -> Bbox:
    """What a point with its interval covers, in pixels of the figure."""
    low, high = (one.ap, one.ap) if one.low is None else (one.low, one.high)
    ends = axis.transData.transform([(one.gflops, low), (one.gflops, high)])
    return Bbox([ends.min(axis=0) - MARKER, ends.max(axis=0) + MARKER])


def _shared(a: BboxBase, b: BboxBase) -> float:
    both = Bbox.intersection(a, b)
    return 0.0 if both is None else both.width * both.height
