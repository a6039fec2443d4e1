"""AP and error under wrong proposals, with and without noisy reference points."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.axes import Axes

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.analysis.interval import CUT, Estimate, bounded
from poseur_study.analysis.table_data import RESAMPLES
from poseur_study.display.figure import as_html
from poseur_study.display.html_table import show_table
from poseur_study.display.style import DARK, GREY, style
from poseur_study.display.tables import nothing_measured
from poseur_study.display.words import seed_words, with_interval
from poseur_study.measurements.proposal_robustness import Robustness

WIDTH, HEIGHT = 3.1, 3.0
WHAT = "the AP under moved proposals"
HOW = (
    "Every coarse keypoint is moved by the shift, a fraction of the crop's sides, in a random direction of its own: "
    "the same directions for every model and shift, and the mirrored ones in the flip test."
)


def shifts_figure(of: Robustness) -> HTML:
    """AP over the shift; how much more of it the row with noise keeps; the error before and after the decoder."""
    if not of.curves:
        return nothing_measured(WHAT)
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(3 * WIDTH, HEIGHT))
        _draw_rows(axes[0], axes[2], of)
        _draw_kept(axes[1], of)
        for axis in axes:
            axis.set(xlabel="shift, fraction of the crop")
            axis.margins(x=0.06)
        figure.tight_layout(w_pad=1.5)
    seeds = seed_words({curve.label: max((one.n_seeds for one in curve.ap if one), default=0) for curve in of.curves})
    caption = (
        f"{HOW} Left: AP, detector boxes. Middle: per cent of its AP that the row with noise keeps, minus that of the "
        "row without; above 0 noise makes robust. Right: mean distance of keypoints from their labels at ground-truth "
        "boxes, of the moved proposals and of the last layer, in one pass without flip test. "
        f"{seeds}, {of.n_images:,} images. 95 % intervals: {RESAMPLES:,} resamples of the images, both rows on the "
        f"same ones, Student's t over seeds in quadrature. {CUT}"
    )
    return as_html(figure, _alt(of), caption)


def shifts_table(of: Robustness) -> HTML:
    """A line a shift."""
    if not of.curves:
        return nothing_measured(WHAT)
    rows = []
    for number, shift in enumerate(of.shifts):
        row = {"shift": f"{shift:g}"}
        for curve in of.curves:
            row[f"AP {curve.label}"] = with_interval(bounded(curve.ap[number]))
            row[f"error % {curve.label}"] = " → ".join(f"{value:.1f}" for value in _values(curve.errors[number]))
        if of.kept_more:
            row["% of AP kept, with − without"] = with_interval(of.kept_more[number], sign=True)
            row["error added, without − with"] = with_interval(of.added_less[number], sign=True)
        rows.append(row)
    notes = "".join(f" {line}." for line in of.notes)
    return show_table(rows, f"Errors after: {', '.join(of.stages)}. {CUT}{notes}")


def _draw_rows(ap: Axes, error: Axes, of: Robustness) -> None:
    for number, (curve, colour) in enumerate(zip(of.curves, COLORBLIND, strict=False)):
        _line(ap, of.shifts, [bounded(one) for one in curve.ap], colour)
        ap.text(0.97, 0.96 - 0.09 * number, curve.label, transform=ap.transAxes, color=colour, ha="right", va="top")
        error.plot(of.shifts, _values([errors[0] for errors in curve.errors]), "--", color=colour, linewidth=1)
        _line(error, of.shifts, [errors[-1] for errors in curve.errors], colour)
    ap.set(title="AP", ylim=(0, None))
    error.set(title="mean error, % of the crop", ylim=(0, None))
    how = {"transform": error.transAxes, "va": "top", "color": DARK, "fontsize": 8}
    error.text(0.04, 0.96, "dashed: start\nsolid: last layer", **how)


def _draw_kept(axis: Axes, of: Robustness) -> None:
    axis.axhline(0, color=GREY, linewidth=1)
    axis.set_title("% of AP kept: with − without noise")
    if of.kept_more:
        _line(axis, of.shifts, of.kept_more, DARK)
    else:
        axis.text(0.5, 0.5, "not both rows measured", transform=axis.transAxes, ha="center", color=GREY)


def _line(axis: Axes, shifts: Sequence[float], values: Sequence[Estimate | None], colour: str) -> None:
    axis.plot(shifts, _values(values), "o-", color=colour, linewidth=1.2, zorder=3)
    for shift, one in zip(shifts, values, strict=True):
        if one is not None:
            axis.plot([shift, shift], [one.low, one.high], color=colour, solid_capstyle="round")


def _values(of: Sequence[Estimate | None]) -> list[float]:
    return [float("nan") if one is None else one.value for one in of]


def _alt(of: Robustness) -> str:
    rows = {curve.label: zip(_values(curve.ap), of.shifts, strict=True) for curve in of.curves}
    parts = [f"{label}: " + ", ".join(f"{ap:.1f} at {shift:g}" for ap, shift in pairs) for label, pairs in rows.items()]
    return f"AP under shifted proposals. {'; '.join(parts)}."
