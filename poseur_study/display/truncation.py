"""Correct keypoints of cut people over the share that is cut off: inside the crop, in its padding, and outside."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.axes import Axes

from poseur_lib.evaluation.errors import NEAR_FROM
from poseur_lib.evaluation.truncation import Side
from poseur_study.analysis.interval import CUT, bounded
from poseur_study.display.style import COLORBLIND, GREY, METHOD_MARKERS, as_html, style
from poseur_study.display.tables import show_table
from poseur_study.display.truncation_findings import (
    ALIKE,
    interval_words,
    nothing_to_show,
    number_words,
    outside_words,
    seeds_of,
    value_words,
)
from poseur_study.experiments.experiment import Table
from poseur_study.experiments.figure_s1 import AS_RELEASED, HEATMAP, SUPERVISED
from poseur_study.measurements.truncation import CUT_RESAMPLES, SIDES
from poseur_study.measurements.truncation_curves import RowShares, Share, Truncation, reachable

ROW_COLOURS = dict(zip((AS_RELEASED, SUPERVISED, HEATMAP), COLORBLIND, strict=False))
PANELS = {
    "inside": "inside the crop",
    "padding": "… of these, beyond the cut",
    "outside": "outside the crop",
    "far": "… of these, out of reach from inside",
}
CUT_OFF = {"bottom": "the bottom of the box's height", "right": "the right of the box's width"}
ASIDE = 0.9
"""Per cent of the box between the dots of two rows, so that none hides another."""
LABEL_GAP = 9.0
"""Per cent of the axis between two names."""


def truncation_figure(of: Truncation, table: Table, side: Side) -> HTML:
    """Four panels for cuts from one side."""
    if not of.rows:
        return nothing_to_show(of)
    markers = {row.key: METHOD_MARKERS[row.method] for row in table.rows}
    with style():
        figure, axes = plt.subplots(2, 2, figsize=(8.4, 6.0), sharex=True, sharey=True)
        for axis, (zone, title) in zip(axes.flat, PANELS.items(), strict=True):
            for number, row in enumerate(of.rows):
                aside = ASIDE * (number - (len(of.rows) - 1) / 2)
                _curve(axis, row.curve(side, zone), ROW_COLOURS[row.row], markers[row.row], aside)
            _numbers(axis, of.rows[0].curve(side, zone))
            axis.set(title=title, ylim=(-14, 104), xlim=(-4, 54), yticks=range(0, 101, 20))
        _limits(axes.flat[2], of.rows[0], side)
        axes.flat[3].axhline(0, color=GREY, linestyle="--", linewidth=1.2, zorder=1)
        _names(axes.flat[1], of.rows, side, "padding")
        for axis in axes[-1]:
            axis.set_xlabel(f"cut off, % of {CUT_OFF[side].removeprefix('the ' + side + ' of ')}")
        for axis in axes[:, 0]:
            axis.set_ylabel("correct keypoints, %")
        figure.tight_layout()
    alt = f"Correct keypoints of people cut from the {side}, all cuts together. {outside_words(of, side)}."
    return as_html(figure, alt, f"People cut off at {CUT_OFF[side]}. {_caption(of)}")


def truncation_table(of: Truncation) -> HTML:
    """All cuts together, for both sides."""
    rows = []
    for side in SIDES:
        for zone, title in PANELS.items():
            for row in of.rows:
                share = row.all_cuts(side, zone)
                rows.append({
                    "cut from": side, "keypoints": title, "number": f"{share.keypoints:,}", "row": row.label,
                    "correct, %": value_words(share.correct), "95 % interval": interval_words(share.correct),
                    "placed outside the crop, %": number_words(share.placed_outside),
                })  # fmt: skip
    return show_table(rows, _caption(of)) if rows else nothing_to_show(of)


def _caption(of: Truncation) -> str:
    return (
        "The image is black beyond the cut, the box ends there, and the crop is made of that box; at 0 nothing is cut. "
        f"Correct: a keypoint similarity (OKS's term of one keypoint) of at least {NEAR_FROM:g} to the place in the "
        "uncut image, with the uncut person's area; below it the taxonomy of errors speaks of a miss. Small numbers: "
        "keypoints. Dashed: what no prediction inside the crop can pass. All people of "
        f"{of.n_images:,} images of the val split, at ground-truth boxes. 95 % intervals: {CUT_RESAMPLES} resamples of "
        f"these images; {seeds_of(of)}, with several Student's t over them in quadrature. {CUT} {ALIKE.capitalize()}: "
        "every resample and seed has this share."
    )


def _curve(axis: Axes, shares: Sequence[Share], colour: str, marker: str, aside: float) -> None:
    places = [100 * share.cut + aside for share in shares]
    values = [bounded(share.correct) for share in shares]
    for place, value in zip(places, values, strict=True):
        axis.plot([place, place], [value.low, value.high], color=colour, linewidth=1.2)
    axis.plot(places, [value.value for value in values], color=colour, marker=marker)


def _numbers(axis: Axes, shares: Sequence[Share]) -> None:
    for share in shares:
        axis.text(100 * share.cut, -8, f"{share.keypoints:,}", fontsize=7, color=GREY, ha="center", va="center")


def _limits(axis: Axes, row: RowShares, side: Side) -> None:
    pairs = zip(row.of[side]["outside"], row.of[side]["far"], strict=True)
    limits = [(100 * outside.cut, reachable(outside, far)) for outside, far in pairs if outside.cut is not None]
    known = [(place, best) for place, best in limits if best is not None]
    if known:
        axis.plot(*zip(*known, strict=True), color=GREY, linestyle="--", linewidth=1.2, zorder=1)


def _names(axis: Axes, rows: Sequence[RowShares], side: Side, zone: str) -> None:
    """Each row's name right of its last point, apart from each other."""
    last = {row.row: curve[-1].correct.value for row in rows if (curve := row.curve(side, zone))}
    place = -1e9
    for row in sorted((row for row in rows if row.row in last), key=lambda row: last[row.row]):
        place = max(last[row.row], place + LABEL_GAP)
        axis.text(
            1.01, (place + 14) / 118, row.label, transform=axis.transAxes, color=ROW_COLOURS[row.row], fontsize=8,
            va="center",
        )  # fmt: skip
