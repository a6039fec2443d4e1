"""Predicted scales against errors, and scores against the share of keypoints that they promise."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.axes import Axes

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.analysis.interval import CUT, METHOD, Estimate, bounded
from poseur_study.analysis.verdict import MIN_SEEDS, Evidence, Verdict
from poseur_study.display.figure import as_html
from poseur_study.display.html_table import show_table
from poseur_study.display.style import GREY, style
from poseur_study.display.words import interval, with_interval
from poseur_study.experiments.analyses import CALIBRATION_MARGIN
from poseur_study.measurements.calibration import PROBABILITIES, Reliability, ScaleCalibration, as_claimed, claimed

PANEL = 3.0
AXIS_COLOURS = {"x": COLORBLIND[0], "y": COLORBLIND[1]}
SCORE_COLOURS = dict(zip(PROBABILITIES, COLORBLIND, strict=False))
NOTHING = "No figure: no row that it is computed from has been run."


def scales_figure(scales: Sequence[ScaleCalibration]) -> HTML:
    """A row a method: error over sigma, and over the Laplace scale b that its loss makes of it."""
    if not scales:
        return HTML(f"<p>{NOTHING}</p>")
    rows = list(dict.fromkeys(one.label for one in scales))
    with style():
        figure, axes = plt.subplots(
            len(rows), 2, figsize=(2 * PANEL + 0.4, PANEL * len(rows) + 0.3), sharex=True, sharey=True, squeeze=False
        )
        for label, pair in zip(rows, axes, strict=True):
            for axis, (name, as_laplace) in zip(pair, (("σ", False), ("b", True)), strict=True):
                chosen = [one for one in scales if one.label == label]
                _scale_panel(axis, chosen, as_laplace, _ends(scales))
                axis.set_title(f"{label}: {name}")
        for axis in axes[-1]:
            axis.set_xlabel("predicted, % of the crop's side")
        for axis in axes[:, 0]:
            axis.set_ylabel("mean error, %")
        figure.tight_layout()
    factors = "; ".join(factor_words(one) for one in scales)
    caption = (
        "Keypoints at ground-truth boxes in ten bins of equally many, by predicted scale; dots: mean of the prediction "
        "and of the error |d| on the axis; line: equal, as E|d| = b for a Laplace distribution. b is what the run's "
        f"loss makes of σ where its flow is flat. {factors}. {METHOD}"
    )
    return as_html(figure, f"Error over predicted scale. {factors}.", caption)


def factor_words(of: ScaleCalibration) -> str:
    """`Poseur, x: error = 0.12 σ (0.11 to 0.13) = 0.04 b`."""
    factor, per_sigma = of.factor, of.laplace_per_sigma
    return (
        f"{of.label}, {of.axis}: error = {factor.value:.3f} σ ({factor.low:.3f} to {factor.high:.3f}) = "
        f"{factor.value / per_sigma:.3f} b"
    )


def reliability_figure(scores: Sequence[Reliability]) -> HTML:
    """A panel a radius: the share of keypoints within it over the score that promises it."""
    if not scores:
        return HTML(f"<p>{NOTHING}</p>")
    radii = list(dict.fromkeys(one.radius for one in scores))
    with style():
        figure, axes = plt.subplots(
            1, len(radii), figsize=(PANEL * len(radii), PANEL + 0.2), sharex=True, sharey=True, squeeze=False
        )
        for axis, radius in zip(axes[0], radii, strict=True):
            _score_panel(axis, [one for one in scores if one.radius == radius])
            axis.set(title=f"a = {radius:g}", xlabel="score, %", xlim=(-3, 103), ylim=(-3, 103))
            axis.set_aspect("equal")
        axes[0][0].set_ylabel("share within a, %")
        figure.tight_layout()
    caption = (
        f"{scores[0].label} at ground-truth boxes: keypoints in ten bins of equally many by their score; dots: mean "
        "score and share of keypoints whose prediction is within a on both axes, larger with more keypoints; line: "
        "the score is what it says. ECE: expected calibration error, the mean distance from that line over all "
        f"keypoints, per cent. {METHOD} {CUT}"
    )
    errors = [f"{one.score}, a = {one.radius:g}: ECE {one.calibration_error.value:.1f}" for one in scores]
    return as_html(figure, f"Share within a over score. {'; '.join(errors)}.", caption)


def reliability_table(scores: Sequence[Reliability]) -> HTML:
    """Score by score and radius by radius, on average."""
    rows = [
        {
            "a": f"{one.radius:g}", "score": one.score, "mean score, %": one.whole.predicted,
            "within a, %": with_interval(bounded(one.whole.observed)),
            "expected calibration error, %": with_interval(bounded(one.calibration_error)),
            "a score of 100 % would be off by": f"{one.error_of_certainty:.1f}",
        }
        for one in scores
    ]  # fmt: skip
    return show_table(rows, f"All labelled keypoints inside their crops, at ground-truth boxes. {CUT}")


def answer(scores: Sequence[Reliability], evidence: Evidence) -> HTML:
    """Is the score what it says? In words, by the claim's margin."""
    asked = claimed(scores)
    if asked is None:
        return HTML(f"<p>{NOTHING}</p>")
    others = [one for one in scores if one.radius == asked.radius and one is not asked]
    smaller = as_claimed(scores)[1:]
    nearer = "".join(
        f"At a = {one.radius:g}: {_word(one.calibration_error).lower()}, it says {_promise(one)}. " for one in smaller
    )
    nearest = min((asked, *others), key=lambda one: one.calibration_error.value)
    more = "; ".join(f"{one.score} says {_promise(one)}" for one in others)
    text = (
        f"Evidence: {evidence.value}. Is the score what it says? {_word(asked.calibration_error)}. At a = "
        f"{asked.radius:g}, {asked.score} says {_promise(asked)}; the margin is {CALIBRATION_MARGIN:g}. "
        f"{more}{'.' * bool(more)} {nearer}"
        f"At a = {asked.radius:g} nearest to what it says: {nearest.score}."
    )
    return HTML(f"<p><b>{text}</b></p>")


def _word(error: Estimate) -> str:
    if error.n_seeds < MIN_SEEDS:
        return Verdict.ONE_SEED.value.capitalize()
    if error.high <= CALIBRATION_MARGIN:
        return "Yes"
    return "No" if error.low > CALIBRATION_MARGIN else "Not decided"


def _promise(one: Reliability) -> str:
    error, whole = one.calibration_error, one.whole
    return (
        f"{whole.predicted:.1f} % on average where {whole.observed.value:.1f} % are within a: expected calibration "
        f"error {error.value:.1f} points ({interval(bounded(error))}); a score that is always 100 % has "
        f"{one.error_of_certainty:.1f}"
    )


def _ends(scales: Sequence[ScaleCalibration]) -> tuple[float, float]:
    """Limits of both axes, which hold every prediction, as sigma and as b, and every error."""
    values = [value for one in scales for of in one.bins for value in (of.predicted, of.observed.low, of.observed.high)]
    values += [one.laplace_per_sigma * of.predicted for one in scales for of in one.bins]
    return 0.7 * min(value for value in values if value > 0), 1.4 * max(values)


def _scale_panel(axis: Axes, scales: Sequence[ScaleCalibration], as_laplace: bool, ends: tuple[float, float]) -> None:
    for place, one in enumerate(scales):
        colour, scale = AXIS_COLOURS[one.axis], one.laplace_per_sigma if as_laplace else 1.0
        _dots(axis, [(scale * of.predicted, of.observed, 26) for of in one.bins], colour)
        words = f"{one.axis}: error = {one.factor.value / scale:.2f} × predicted"
        axis.text(0.04, 0.95 - 0.09 * place, words, transform=axis.transAxes, color=colour, fontsize=8, va="top")
    axis.plot(ends, ends, color=GREY, linewidth=1, zorder=1)
    axis.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    axis.set_aspect("equal")


def _score_panel(axis: Axes, scores: Sequence[Reliability]) -> None:
    axis.plot([0, 100], [0, 100], color=GREY, linewidth=1, zorder=1)
    for place, one in enumerate(scores):
        colour = SCORE_COLOURS[one.score]
        _dots(axis, [(of.predicted, bounded(of.observed), 8 + 1.2 * of.part) for of in one.bins], colour)
        words = f"{one.score}: ECE {one.calibration_error.value:.1f}"
        axis.text(0.97, 0.04 + 0.08 * place, words, transform=axis.transAxes, color=colour, fontsize=8, ha="right")


def _dots(axis: Axes, bins: Sequence[tuple[float, Estimate, float]], colour: str) -> None:
    """Place, share or error, and size of the dot of each bin."""
    axis.plot([x for x, *_ in bins], [one.value for _, one, _ in bins], color=colour, linewidth=0.8, alpha=0.6)
    for x, one, size in bins:
        axis.plot([x, x], [one.low, one.high], color=colour, solid_capstyle="round")
        axis.scatter(x, one.value, s=size, color=colour, zorder=3)
