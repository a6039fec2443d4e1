"""Paper beside ours: dots with intervals, the paper hollow, ours filled; and claimed effects, a line each."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from poseur_lib.config import ExperimentConfig
from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.analysis.interval import METHOD, Estimate, bounded, cut_note
from poseur_study.analysis.result_types import RowResult, TableResult
from poseur_study.display.figure import as_html
from poseur_study.display.style import DARK, GREY, METHOD_MARKERS, backbone_colour, style
from poseur_study.display.words import NOT_RUN, number, seeds, with_interval
from poseur_study.experiments.experiment import Row, Table, shown_name
from poseur_study.paper.tables import paper_tables
from poseur_study.table_study import TableStudy

WIDTH = 8.8
FEW_ROWS, FEW_LETTERS = 8, 42
LINE, NARROW_LINE, HEAD = 0.62, 0.3, 1.0
"""Inches of a row, of a row with its number beside the dot, and of what stands around the rows."""
OWN_UNITS = "measured, each in the unit of its name"

EFFECTS_WIDTH, EFFECTS_LINE, EFFECTS_HEAD = 4.7, 0.5, 0.85
LETTERS_AN_INCH = 13.5  # of a label
TEXT_LINE = 0.3  # of a label, as a part of EFFECTS_LINE


Interval = tuple[float, float, float]
"""Value, low and high end."""


@dataclass(frozen=True)
class Effect:
    """A difference, ours with its interval and the paper's; None where there is none."""

    label: str
    ours: Interval | None
    paper: float | None = None


@dataclass(frozen=True)
class Dot:
    """A row's figure: ours with its interval, the paper's; None where there is none.

    The backbone is its colour, the method its shape.

    Attributes:
        released: of the released checkpoint evaluated here.
    """

    label: str
    ours: Interval | None
    paper: float | None
    backbone: str
    method: str
    released: Interval | None = None


def effects_figure(effects: Sequence[Effect], xlabel: str, width: float = EFFECTS_WIDTH) -> Figure:
    """A line an effect, its label above it, and a line at 0, where there is none; `width` is in inches."""
    labels = [textwrap.wrap(one.label, int(width * LETTERS_AN_INCH)) or [""] for one in effects]
    rows = [0, *accumulate(1 + TEXT_LINE * (len(lines) - 1) for lines in labels)]
    with style():
        figure, axis = plt.subplots(figsize=(width, EFFECTS_HEAD + EFFECTS_LINE * rows[-1]))
        axis.axvline(0, color=GREY, linewidth=1)
        for row, one, lines in zip(rows[1:], effects, labels, strict=True):
            value, *ends = one.ours
            axis.plot(ends, [row, row], color=COLORBLIND[0], solid_capstyle="round")
            axis.plot(value, row, "o", color=COLORBLIND[0], zorder=3)
            if one.paper is not None:
                axis.plot(one.paper, row, "o", color=DARK, markerfacecolor="white", zorder=2)
            _label(axis, 0, row - 0.36 - TEXT_LINE / 2 * (len(lines) - 1), "\n".join(lines), pad=1.5, zorder=2)
        axis.set(xlabel=xlabel, yticks=[], ylim=(rows[-1] + 0.5, 0.2))
        axis.spines["left"].set_visible(False)
        axis.grid(axis="y", visible=False)
        axis.margins(x=0.08)
        figure.tight_layout()
    return figure


def comparison_figure(
    dots: Sequence[Dot], effects: Sequence[Effect], measure: str, alt: str, caption: str, unit: str
) -> HTML:
    """The rows' AP, the paper's and ours each on an axis of its own, and the differences that are claimed.

    The differences stand to the right; below the rows where these are many or the differences' names are long.

    Args:
        measure: AP, or what else the table compares by.
        unit: of the differences.
    """
    with style():
        long = len(dots) > FEW_ROWS or any(len(one.label) > FEW_LETTERS for one in effects)
        figure, axes = _axes(len(dots), len(effects), long)
        _rows(axes["paper"], axes["ours"], dots, measure, long)
        colours = {backbone_colour(dot.backbone) for dot in dots}
        _effects(axes["effects"], effects, colours.pop() if len(colours) == 1 else DARK, unit)
        for name, axis in axes.items():
            if axis.has_data():
                axis.xaxis.set_major_locator(MaxNLocator(9 if long and name == "effects" else 4))
            else:
                axis.set_xticks([])
        figure.tight_layout(w_pad=2)
    return as_html(figure, alt, caption)


def _axes(rows: int, effects: int, long: bool) -> tuple[Figure, dict[str, plt.Axes]]:
    if long:
        heights = HEAD + NARROW_LINE * rows, HEAD + LINE * effects
        places, how = [["paper", "ours"], ["effects", "effects"]], {"height_ratios": heights}
    else:
        heights = (HEAD + LINE * max(rows, effects),)
        places, how = [["paper", "ours", "effects"]], {"width_ratios": (1, 1, 1.3)}
    return plt.subplot_mosaic(places, figsize=(WIDTH, sum(heights)), **how)


def _rows(paper: plt.Axes, ours: plt.Axes, dots: Sequence[Dot], measure: str, long: bool) -> None:
    for row, dot in enumerate(dots):
        colour, marker = backbone_colour(dot.backbone), METHOD_MARKERS.get(dot.method, "o")
        if dot.paper is not None:
            _hollow(paper, row, dot.paper, marker, colour, beside=long)
        if dot.released is not None:
            _interval(paper, row, dot.released, marker, colour)
        _interval(ours, row, dot.ours, marker, colour, beside=long)
    checkpoints = ", released checkpoint" if any(dot.released is not None for dot in dots) else ""
    for axis, title in ((paper, f"{measure}, paper{checkpoints}"), (ours, f"{measure}, ours")):
        axis.set(title=title, ylim=(len(dots) - 0.5, -0.7), yticks=list(range(len(dots))))
        axis.margins(x=0.25)
    if not paper.has_data():
        paper.text(0.5, 0.5, "none printed", transform=paper.transAxes, color=GREY, ha="center", va="center")
    paper.set_yticklabels([dot.label for dot in dots])
    ours.set_yticklabels([])


def _effects(axis: plt.Axes, effects: Sequence[Effect], colour: str, unit: str) -> None:
    axis.axvline(0, color=GREY, linewidth=1)
    for row, one in enumerate(effects):
        _interval(axis, row, one.ours, "o", colour)
        if one.paper is not None:
            _hollow(axis, row, one.paper, "o", GREY)
        _label(axis, 0.01, row - 0.45, one.label, color="#444444", pad=1)
    axis.set(title=unit, yticks=list(range(len(effects))), ylim=(len(effects) - 0.5, -0.8))
    axis.set_yticklabels([])
    axis.margins(x=0.15)


def _interval(
    axis: plt.Axes, row: int, ours: Interval | None, marker: str, colour: str, *, beside: bool = False
) -> None:
    if ours is None:
        axis.text(0.5, row, "not run", transform=axis.get_yaxis_transform(), color=GREY, ha="center", va="center")
        return
    axis.plot(ours[1:], [row, row], color=colour, linewidth=1.6, solid_capstyle="round")
    axis.plot(ours[0], row, marker, color=colour, zorder=3)
    _number(axis, row, ours[0], (6, 0) if beside else (0, 5), right=ours[2])


def _hollow(axis: plt.Axes, row: int, value: float, marker: str, colour: str, *, beside: bool = False) -> None:
    axis.plot(value, row, marker, color=colour, markerfacecolor="white", zorder=3)
    _number(axis, row, value, (6, 0) if beside else (0, -12), right=value)


def _number(axis: plt.Axes, row: int, value: float, offset: tuple[int, int], right: float) -> None:
    """Above (ours) or below (paper) the marker, or to the right of its interval."""
    place, how = ((right, row), ("left", "center")) if offset[0] else ((value, row), ("center", "baseline"))
    words = {"textcoords": "offset points", "fontsize": 8, "color": DARK, "ha": how[0], "va": how[1]}
    axis.annotate(number(value), place, offset, **words)


def _label(axis: plt.Axes, left: float, row: float, text: str, pad: float, **how: object) -> None:
    """What a line is of, on white, at a fraction of the axis from its left."""
    ground = {"facecolor": "white", "edgecolor": "none", "pad": pad}
    axis.text(left, row, text, transform=axis.get_yaxis_transform(), fontsize=8, va="center", bbox=ground, **how)


def table_figure(study: TableStudy, result: TableResult) -> HTML:
    """The rows' AP, the paper's and ours, and the claimed differences."""
    table, measure = study.table, headline(study.table)
    dots = [
        Dot(row.label, ours, _printed(row, measure), row_backbone(table, of), of.method, released)
        for row, of in zip(result.rows, table.rows, strict=True)
        for ours, released in [(_ends(bounded(row.ap)), _ends(bounded(row.released_ap)))]
    ]
    of_claims = {one.difference: one for one in reversed(result.claims)}  # several claims may speak of one difference
    effects = [Effect(name, _ends(one.effect), one.paper_effect) for name, one in reversed(of_claims.items())]
    what = "AP is OKS AP x 100; the two AP axes differ." if measure == "AP" else "PCKh@0.5."
    levels = [one for row in result.rows for one in (row.ap, row.released_ap)]
    released = any(row.released_ap for row in result.rows)
    beside = "; beside the paper's figure (filled), the released checkpoint evaluated on them" * released
    caption = (
        f"Source: the paper's {_printed_in(table)} (hollow) and {_n_seeds(result)} of profile "
        f"{result.profile} (filled) on {result.n_images:,} images{beside}. {what} {METHOD}"
        f"{cut_note(levels)}"
        if any(levels)
        else f"Source: the paper's {_printed_in(table)} (hollow); none of the rows was run here. {what}"
    )
    unit = OWN_UNITS if any(claim.measured for claim in table.claims) else "difference, points"
    return comparison_figure(dots, effects, measure, _alt(result, measure), caption, unit)


def headline(table: Table) -> str:
    """What a table compares by: AP, or the mean PCKh of Table 4."""
    return "AP" if "AP" in table.columns else table.columns[0]


def row_backbone(table: Table, row: Row) -> str:
    """A row's backbone, as the paper's own configuration of it has it."""
    changes = table.changes(row)
    if not changes and row.paper:
        return paper_tables()[row.paper[0]].row(row.paper[1]).subject.backbone
    return ExperimentConfig().with_changes(**changes).model.backbone.name


def _printed_in(table: Table) -> str:
    """The tables of the paper that print the rows' figures."""
    numbers = dict.fromkeys(row.paper[0] for row in table.rows if row.paper)
    return ", ".join(map(shown_name, numbers)) or table.name


def _printed(row: RowResult, measure: str) -> float | None:
    (cell,) = [cell for cell in row.cells if cell.column == measure]
    return None if cell.paper is None else float(cell.paper)


def _n_seeds(result: TableResult) -> str:
    return seeds(max((row.ap.n_seeds for row in result.rows if row.ap), default=0))


def _alt(result: TableResult, measure: str) -> str:
    rows = [
        f"{row.label}: paper {_printed(row, measure)}, "
        + (f"released checkpoint {with_interval(bounded(row.released_ap))}, " if row.released_ap else "")
        + f"ours {with_interval(bounded(row.ap), missing=NOT_RUN)}"
        for row in result.rows
    ]
    claims = [
        f"{one.difference}: paper {one.paper_effect}, ours {with_interval(one.effect, missing=NOT_RUN)}"
        for one in result.claims
    ]
    return f"{measure} of {shown_name(result.number)}. " + "; ".join(rows + claims) + "."


def _ends(estimate: Estimate | None) -> Interval | None:
    return (estimate.value, estimate.low, estimate.high) if estimate else None
