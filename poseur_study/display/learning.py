"""How a run learned, and how the runs behind a table did."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from poseur_lib.config import ExperimentConfig
from poseur_lib.predict.drawing import COLORBLIND
from poseur_lib.training.curve import Curve
from poseur_study.display.figure import as_html
from poseur_study.display.style import style
from poseur_study.display.words import seeds
from poseur_study.runs.record import Record

METRICS = {"ap": "AP (OKS, × 100)", "mean_oks": "mean OKS"}
FEW = 4
"""Rows whose names have room within the axes."""
WIDTH, HEIGHT, LINE = 3.9, 3.0, 0.19
"""Inches of a panel, which fills a phone's width, and of a line of a long legend."""


@dataclass(frozen=True)
class LabelledRun:
    """A run, by the row that it is of; runs of several seeds have one label."""

    label: str
    record: Record


def measured(runs: Sequence[LabelledRun]) -> tuple[LabelledRun, ...]:
    """Those that were measured while they trained."""
    posed = [run for run in runs if isinstance(run.record.config, ExperimentConfig)]
    return tuple(run for run in posed if any(row.ap is not None for row in run.record.curve))


def learning_figures(runs: Sequence[LabelledRun]) -> list[HTML]:
    """A figure for AP and one for mean OKS, without captions."""
    found = []
    for metric, title in METRICS.items():
        ends = [(run.label, getattr(run.record.curve[-1], metric)) for run in runs]
        last = [f"{label} {value:.3g}" for label, value in ends if value is not None]
        alt = f"Learning curves, {title}, over the people seen in training; at the end: {', '.join(last)}."
        found.append(as_html(learning_figure(runs, (metric,)), alt, ""))
    return found


def learning_figure(runs: Sequence[LabelledRun], metrics: Sequence[str] = tuple(METRICS)) -> Figure:
    """AP or mean OKS, or both side by side, over the people seen in training.

    Args:
        runs: see `measured`; at least one.
    """
    labels = list(dict.fromkeys(run.label for run in runs))
    colours = {label: COLORBLIND[number % len(COLORBLIND)] for number, label in enumerate(labels)}
    legend = 0 if len(labels) <= FEW else LINE * (len(labels) + 1)
    with style():
        figure, axes = plt.subplots(
            1, len(metrics), figsize=(WIDTH * len(metrics), HEIGHT + legend), squeeze=False, layout="constrained"
        )
        for axis, metric in zip(axes[0], metrics, strict=True):
            for run in runs:
                places = [row.images / 1000 for row in run.record.curve]
                _curve(axis, places, [getattr(row, metric) for row in run.record.curve], colours[run.label])
            axis.set(xlabel="people seen in training / 1,000", title=METRICS[metric])
            axis.set_ylim(0, 1.08 * max(axis.get_ylim()[1], 1e-6))
        handles = [plt.Line2D([], [], color=colours[label], marker="o") for label in labels]
        if len(labels) <= FEW:
            axes[0][-1].legend(handles, labels, loc="lower right")
        else:
            figure.legend(handles, labels, loc="outside lower left", fontsize=7)
    return figure


def _curve(axis: Axes, places: Sequence[float], values: Sequence[float | None], colour: str) -> None:
    """What was measured, with dots, from 0 people on."""
    known = [(x, y) for x, y in zip(places, values, strict=True) if y is not None]
    if known:
        axis.plot(*zip(*known, strict=True), marker="o", color=colour)
    axis.set_xlim(left=0)


def learning_caption(runs: Sequence[LabelledRun]) -> str:
    """What is plotted, how many runs, of how many people, and where."""
    one = max((run.record for run in runs), key=lambda record: record.provenance.n_images)
    provenance, evaluation = one.provenance, one.config.evaluation
    n_seeds = len({run.record.config.seed for run in runs})
    devices = " and ".join(sorted({run.record.provenance.device for run in runs}))
    pretext = " The backbones were pretrained before, which is not counted." if one.parents else ""
    return (
        f"Profile {provenance.profile}: {len(runs)} run{'s' * (len(runs) > 1)}, {seeds(n_seeds)}, one "
        f"point an epoch, no interval. Measured on ground-truth boxes of about {evaluation.curve_people} people of the "
        f"{evaluation.split} split, without flip test, on {devices}.{pretext}"
    )


def curve_figure(curve: Curve, title: str) -> HTML:
    """Loss, and where measured mean OKS, AP and (pretraining) the IoU of body parts, over the images seen."""
    names = dict(loss="training loss", mean_oks="mean OKS", ap="AP (OKS, x 100)", part_iou="mean IoU of body parts")
    panels = {label: [getattr(row, name) for row in curve] for name, label in names.items()}
    panels = {label: values for label, values in panels.items() if any(value is not None for value in values)}
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(2.9 * len(panels), 2.4), squeeze=False)
        for axis, (label, values) in zip(axes[0], panels.items(), strict=True):
            _curve(axis, [row.images / 1000 for row in curve], values, COLORBLIND[0])
            axis.set(title=label, xlabel="training people seen / 1,000")
        figure.tight_layout()
    first, last = curve[0], curve[-1]
    alt = f"Learning curve of {title}: loss from {first.loss:.2f} after epoch 1 to {last.loss:.2f} after {len(curve)}."
    caption = (
        f"{title}: one point an epoch, {len(curve)} epochs, {last.images:,} people seen in {last.seconds:.0f} training "
        "seconds; a single run, so no interval."
    )
    return as_html(figure, alt, caption)
