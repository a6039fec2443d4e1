"""The claimed effects of a study in one figure: ours with its interval, filled; the paper's hollow."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from poseur_study.display.style import COLORBLIND, DARK, GREY, style

WIDTH, LINE, HEAD = 4.7, 0.5, 0.85
LETTERS_AN_INCH = 13.5  # of a label
TEXT_LINE = 0.3  # of a label, as a part of LINE


@dataclass(frozen=True)
class Effect:
    """A difference in points; `paper` is None where it states none."""

    label: str
    value: float
    low: float
    high: float
    paper: float | None = None


def effects_figure(effects: Sequence[Effect], xlabel: str, width: float = WIDTH) -> Figure:
    """A line an effect, its label above it, and a line at 0, where there is none; `width` is in inches."""
    labels = [textwrap.wrap(one.label, int(width * LETTERS_AN_INCH)) or [""] for one in effects]
    rows = list(accumulate(1 + TEXT_LINE * (len(lines) - 1) for lines in labels))
    with style():
        figure, axis = plt.subplots(figsize=(width, HEAD + LINE * (rows[-1] if rows else 0)))
        axis.axvline(0, color=GREY, linewidth=1)
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        place = axis.get_yaxis_transform()
        for row, one, lines in zip(rows, effects, labels, strict=True):
            axis.plot([one.low, one.high], [row, row], color=COLORBLIND[0], solid_capstyle="round")
            axis.plot(one.value, row, "o", color=COLORBLIND[0], zorder=3)
            if one.paper is not None:
                axis.plot(one.paper, row, "o", color=DARK, markerfacecolor="white", zorder=2)
            middle = row - 0.36 - TEXT_LINE / 2 * (len(lines) - 1)
            axis.text(0, middle, "\n".join(lines), transform=place, fontsize=8, va="center", bbox=ground, zorder=2)
        axis.set(xlabel=xlabel, yticks=[], ylim=((rows[-1] if rows else 0) + 0.5, 0.2))
        axis.spines["left"].set_visible(False)
        axis.grid(axis="y", visible=False)
        axis.margins(x=0.08)
        figure.tight_layout()
    return figure
