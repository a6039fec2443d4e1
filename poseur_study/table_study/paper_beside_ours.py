"""The figure of every table: dots with intervals, the paper hollow, ours filled; and the claimed differences."""

import textwrap

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from poseur_lib.config import ExperimentConfig
from poseur_study.analysis.effect import Effect
from poseur_study.analysis.interval import METHOD, Estimate, bounded, cut_note
from poseur_study.analysis.result_types import ClaimResult, TableResult
from poseur_study.experiments.experiment import Row, Table, shown_name
from poseur_study.paper.tables import paper_tables
from poseur_study.plotting.captioned import Captioned
from poseur_study.plotting.narrow import ABOVE, NARROW, labels_above
from poseur_study.plotting.style import DARK, GREY, METHOD_MARKERS, VERDICT_COLOURS, backbone_colour
from poseur_study.table_study.answer import points

WIDTH, LINE, HEAD, TEXT_LINE = 8.8, 0.46, 0.9, 0.17
"""Inches: of the figure, of a row or claim, of what stands around them, and of a line of a label."""
TIMES = "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"
"""Of a size, which stays in one line."""


def paper_beside_ours(table: Table, result: TableResult) -> Captioned:
    """The rows on two axes, the paper's and ours, and below them the claims, in the colours of their verdicts.

    Where nothing of ours is there the paper's stand alone. On a phone labels stand above their lines.
    """
    found: dict[str, ClaimResult] = {}
    for one in result.claims:
        if one.effect:
            found.setdefault(one.difference, one)
    shown = list(found.values())
    measure = table.measure if table.measure in table.columns else table.columns[0]
    wide, narrow = (_figure(table, result, shown, measure, narrow) for narrow in (False, True))
    return Captioned(wide, _caption(result, shown), _alt(result, measure), narrow=narrow)


def _figure(table: Table, result: TableResult, shown: list[ClaimResult], measure: str, narrow: bool) -> Figure:
    labels = [row.label for row in table.rows], [one.difference for one in shown]
    wrapped = [[textwrap.fill(one.replace(" × ", TIMES), ABOVE if narrow else beside) for one in of]
               for of, beside in zip(labels, (34, 44), strict=True)]  # fmt: skip
    heights = [HEAD + len(of) * _line(of, narrow) for of in wrapped if of]
    ours = any(one.ap or one.released_ap for one in result.rows)
    places = [["paper", "ours"] if ours else ["paper"], ["claims", "claims"]][: len(heights)]
    how = {"figsize": (NARROW if narrow else WIDTH, sum(heights)), "height_ratios": heights, "layout": "constrained"}
    figure, axes = plt.subplot_mosaic(places, **how)
    figure.get_layout_engine().set(w_pad=0.06 if narrow else 0.12, h_pad=0.06)
    _rows(axes["paper"], axes.get("ours"), table, result, measure)
    if shown:
        _claims(axes["claims"], shown)
    for name, axis in axes.items():
        ticks = 3 if narrow and name != "claims" and ours else 5
        axis.xaxis.set_major_locator(MaxNLocator(ticks) if axis.has_data() else NullLocator())
    for name, of in zip(("paper", "claims"), wrapped, strict=True):
        if of and narrow:
            labels_above(axes[name], of)
        elif of:
            _labels_beside(axes[name], of)
    if "ours" in axes:
        axes["ours"].set_ylim(axes["paper"].get_ylim())
    return figure


def _labels_beside(axis: Axes, labels: list[str]) -> None:
    """Every line is a text of its own: of several in one, SVG with the browser's fonts keeps only the left ends."""
    axis.set_yticklabels([])
    size = matplotlib.rcParams["font.size"]
    for place, label in enumerate(labels):
        lines = label.split("\n")
        for number, line in enumerate(lines):
            beside = (-6, 1.2 * size * ((len(lines) - 1) / 2 - number))
            axis.annotate(
                line, (0, place), beside, axis.get_yaxis_transform(), "offset points", fontsize=size, ha="right",
                va="center", annotation_clip=False,
            )  # fmt: skip


def _line(labels: list[str], narrow: bool) -> float:
    """The height of a row: that of the longest label, which stands above the row's numbers on a phone."""
    text = TEXT_LINE * (1 + max(label.count("\n") for label in labels))
    return LINE + text if narrow else max(LINE, text + 0.1)


def _rows(paper: Axes, ours: Axes | None, table: Table, result: TableResult, measure: str) -> None:
    for place, (row, one) in enumerate(zip(table.rows, result.rows, strict=True)):
        colour, marker = backbone_colour(row_backbone(table, row)), METHOD_MARKERS.get(row.method, "o")
        printed = next(cell.paper for cell in one.cells if cell.column == measure)
        if printed is not None:
            paper.plot(float(printed), place, marker, color=colour, markerfacecolor="none", markersize=7)
            _label(paper, float(printed), place, printed)
        _interval(paper, place, bounded(one.released_ap), colour, marker)
        if ours is None:
            continue
        if one.ap is None:
            ours.text(0.5, place, "not run", transform=ours.get_yaxis_transform(), color=GREY, ha="center", va="center")
        _interval(ours, place, bounded(one.ap), colour, marker)
    if not paper.has_data():
        paper.text(0.5, 0.5, "none printed", transform=paper.transAxes, color=GREY, ha="center", va="center")
    for axis, title in ((paper, f"{measure}, paper"), (ours, f"{measure}, ours")):
        if axis is not None:
            axis.set(title=title, ylim=(len(result.rows) - 0.5, -0.7), yticks=range(len(result.rows)))
            axis.margins(x=0.25)
            axis.set_yticklabels([])


def _claims(axis: Axes, claims: list[ClaimResult]) -> None:
    axis.axvline(0, color=GREY, linewidth=1)
    for place, one in enumerate(claims):
        colour = VERDICT_COLOURS[one.verdict.colour]
        if one.paper_effect is not None:
            axis.plot(one.paper_effect, place, "o", color=DARK, markerfacecolor="none", markersize=7)
        _interval(axis, place, one.effect, colour, "o", points(one.effect.value))
    axis.set(ylim=(len(claims) - 0.5, -0.7), yticks=range(len(claims)), title="claimed differences")


def _interval(axis: Axes, place: int, of: Estimate | None, colour: str, marker: str, words: str = "") -> None:
    if of is not None:
        axis.plot([of.low, of.high], [place, place], color=colour, solid_capstyle="round")
        axis.plot(of.value, place, marker, color=colour, zorder=3)
        _label(axis, of.value, place, words or f"{of.value:.1f}")


def _label(axis: Axes, x: float, place: int, words: str) -> None:
    axis.annotate(words, (x, place), (0, 6), textcoords="offset points", ha="center", fontsize=8, color=DARK)


def row_backbone(table: Table, row: Row) -> str:
    """A row's backbone, as the paper's own configuration of it has it."""
    changes = table.changes(row)
    if not changes and row.paper:
        return paper_tables()[row.paper[0]].row(row.paper[1]).subject.backbone
    return ExperimentConfig().with_changes(**changes).model.backbone.name


def _caption(result: TableResult, claims: list[ClaimResult]) -> str:
    numbers = sorted({row.ap.n_seeds for row in result.rows if row.ap})
    released = "released checkpoints, on the paper's axis, evaluated as their README has it (flip fusion type 2)"
    released *= any(row.released_ap for row in result.rows)
    if not numbers:
        filled = f" Filled: {released}." if released else ""
        return f"{shown_name(result.number)}. Hollow: the paper's numbers; none of the rows was trained here.{filled}"
    seeds = f"{' to '.join(map(str, dict.fromkeys((numbers[0], numbers[-1]))))} seed{'s' * (numbers[-1] > 1)}"
    better = ", or better than claimed" * any(one.verdict.better for one in claims)
    among = ", also where p by Holm is not below 0.05" * (len(claims) > 1)
    colours = f" Differences: green as claimed, orange against it, grey undecided{among}{better}." if claims else ""
    in_short = [one.effect.in_short for one in claims if isinstance(one.effect, Effect)]
    alone = [f"{points(one.effect.value)} ({points(one.effect.earlier.low)} to {points(one.effect.earlier.high)})"
             for one in claims if one.hangs_on_pooling]  # fmt: skip
    pooling = f"By their own seeds alone these are undecided: {', '.join(dict.fromkeys(alone))}." if alone else ""
    how = " ".join(filter(None, [METHOD, *dict.fromkeys(in_short), pooling]))
    beside = f", and {released}" if released else ""
    return (
        f"{shown_name(result.number)}. Hollow: the paper; filled: ours, {seeds} of profile "
        f"{result.profile}, {result.n_images:,} images, on axes of their own{beside}.{colours} {how}"
        f"{cut_note(level for row in result.rows for level in (row.ap, row.released_ap))}"
    )


def _alt(result: TableResult, measure: str) -> str:
    run = any(row.ap for row in result.rows)
    rows = [
        f"{row.label}: paper {_printed(row, measure)}" + (f", ours {_words(bounded(row.ap))}" if run else "")
        for row in result.rows
    ]
    claims = [
        f"{one.difference}: paper {one.paper_effect}, ours {_words(one.effect)}, {one.verdict.value}"
        for one in result.claims
        if run
    ]
    return f"{measure} of {shown_name(result.number)}. {'; '.join(rows + claims)}."


def _printed(row: object, measure: str) -> str:
    return next((cell.paper for cell in row.cells if cell.column == measure and cell.paper), "prints none")


def _words(of: Estimate | None) -> str:
    return "not run" if of is None else f"{of.value:.1f} ({of.low:.1f} to {of.high:.1f})"
