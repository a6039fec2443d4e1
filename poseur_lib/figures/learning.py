"""How all runs of a profile learned, in one figure."""

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from poseur_lib.config import ExperimentConfig
from poseur_lib.figures.style import COLORBLIND, GREY, style
from poseur_lib.study.record import Record

NOISE_COLOURS = {"released": COLORBLIND[0], "none": COLORBLIND[1], "paper": COLORBLIND[2]}
NOISE_LABELS = {"released": "noisy reference points", "none": "no noise", "paper": "uniform noise"}


@dataclass(frozen=True)
class LearningFigure:
    """The figure, and what it shows in words."""

    figure: Figure
    caption: str


def learning_figure(records: Mapping[str, Record]) -> LearningFigure | None:
    """AP and mean OKS over the minutes trained, pretraining included; None where no run was measured on the way."""
    runs = [record for record in records.values() if isinstance(record.config, ExperimentConfig)]
    runs = [record for record in runs if any(row.ap is not None for row in record.curve)]
    if not runs:
        return None
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(7.6, 2.9))
        for axis, metric, label in ((axes[0], "ap", "AP (OKS, × 100)"), (axes[1], "mean_oks", "mean OKS")):
            for record in runs:
                _draw(axis, record, _pretext_seconds(record, records), metric)
            axis.set(xlabel="minutes of training, pretraining included", title=label)
            axis.set_ylim(0, 1.08 * max(getattr(row, metric) or 0 for record in runs for row in record.curve))
        _mark_pretext(list(axes), max(_pretext_seconds(record, records) for record in runs))
        figure.tight_layout()
    return LearningFigure(figure, _caption(runs))


def _draw(axis: Axes, record: Record, before: float, metric: str) -> None:
    noise = record.config.model.head.noise.kind
    rows = [row for row in record.curve if getattr(row, metric) is not None]
    minutes = [(before + row.seconds) / 60 for row in rows]
    values = [getattr(row, metric) for row in rows]
    axis.plot(minutes, values, marker="o", color=NOISE_COLOURS[noise], label=NOISE_LABELS[noise])
    axis.set_xlim(0, max(axis.get_xlim()[1], minutes[-1] * 1.05))


def _mark_pretext(axes: list[Axes], seconds: float) -> None:
    handles, labels = axes[0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes[1].legend(unique.values(), unique.keys(), loc="lower right")
    if seconds:
        for axis in axes:
            axis.axvspan(0, seconds / 60, color=GREY, alpha=0.12, linewidth=0)
        axes[0].annotate("backbone: part\nsegmentation", (0.3, 0.05), xycoords=("data", "axes fraction"), color=GREY)


def _pretext_seconds(record: Record, records: Mapping[str, Record]) -> float:
    return sum(records[parent].curve[-1].seconds for parent in record.parents if parent in records)


def _caption(runs: list[Record]) -> str:
    one = max(runs, key=lambda record: record.provenance.n_images)
    provenance, evaluation = one.provenance, one.config.evaluation
    seeds = len({record.config.seed for record in runs})
    where = f"{provenance.device}, {provenance.threads} thread{'s' * (provenance.threads > 1)} a run"
    return (
        f"Profile {provenance.profile}: {len(runs)} runs, {seeds} seed{'s' * (seeds > 1)}, one point an epoch, no "
        f"interval. Measured on ground-truth boxes of about {evaluation.curve_people} people of the {evaluation.split} "
        f"split, without flip test. {where}; commit {provenance.commit[:10]}."
    )
