"""Where a keypoint's query looks: reference point and sampling points of every layer, head and level (Eq. 1)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from poseur_study.display.attention import canvas
from poseur_study.display.attention.canvas import PREDICTED, REFERENCE, TRUTH, Window, capital, handle, mark
from poseur_study.display.attention.person_view import Seen
from poseur_study.display.figure import Drawn, drawing, panels

ColourBy = Literal["head", "level"]
AREA_OF_ONE = 420.0
"""Square points of a sample that has all of its head's weight."""
SLIGHT = 0.01
"""Samples of less weight do not widen the picture."""
COLUMNS = 3
LEGENDS, LEGEND_LINE = 0.4, 0.19
"""Inches below the panels: of the marks, and of a line of colours."""
NAME_WIDTHS = {"head": 0.75, "level": 1.1}
"""Inches of a colour's name."""


def samples_figure(
    seen: Seen,
    keypoint: int,
    layers: Sequence[int] = (),
    head: int | None = None,
    level: int | None = None,
    colour: ColourBy = "head",
) -> Drawn:
    """One panel a layer.

    Args:
        layers: numbers from 1 on; () shows all.
        head, level: from 0 on; None shows all.
    """
    chosen = tuple(layers) or tuple(range(1, len(seen.layers) + 1))
    _, _, num_heads, num_levels, _ = seen.layers[0].attention_weights.shape
    heads = range(num_heads) if head is None else [head]
    levels = range(num_levels) if level is None else [level]
    samples = [_samples(seen, keypoint, number, np.ix_(heads, levels)) for number in chosen]
    window = canvas.window_around(seen.crop, np.concatenate([places[weights > SLIGHT] for places, weights in samples]))
    numbers = {"head": heads, "level": levels}[colour]
    palette = to_rgba_array(canvas.colours(num_heads if colour == "head" else num_levels))[numbers]
    sizes = [f"{across}×{down} cells" for down, across in seen.explanation.level_sizes]
    names = [f"head {number + 1}" if colour == "head" else sizes[number] for number in numbers]
    with drawing():
        width = min({1: 5.2, 2: 3.9}.get(len(chosen), 2.75), 5.6 / window.aspect)
        columns = max(1, int(min(len(chosen), COLUMNS) * width / NAME_WIDTHS[colour]))
        below = LEGENDS + LEGEND_LINE * -(-len(numbers) // columns)
        figure, axes = panels(len(chosen), COLUMNS, (width, width * window.aspect), bottom=below)
        for axis, number, (places, weights) in zip(axes, chosen, samples, strict=True):
            canvas.draw_photo(axis, seen.crop, window)
            canvas.draw_pose(axis, seen)
            by = np.indices(weights.shape)[0 if colour == "head" else 1]
            _draw_samples(axis, window, places.reshape(-1, 2), weights.ravel(), palette[by.ravel()])
            _draw_marks(axis, seen, keypoint, number, window)
            axis.set_title(f"layer {number}")
        _draw_legends(figure, seen, dict(zip(names, palette, strict=True)), columns, below)
    alt = f"The {seen.spoken(keypoint)} query's sampling points over {seen.who}, layers {', '.join(map(str, chosen))}."
    return Drawn(figure, alt, _caption(seen, keypoint, chosen, samples, window, colour), axes)


def _samples(
    seen: Seen, keypoint: int, number: int, shown: tuple[np.ndarray, ...]
) -> tuple[Float[np.ndarray, "M L S 2"], Float[np.ndarray, "M L S"]]:
    """Places in crop pixels and weights of the shown samples of a layer."""
    layer = seen.layers[number - 1]
    places = layer.sampling_locations[0, keypoint].numpy()[shown]
    return seen.to_px(places), layer.attention_weights[0, keypoint].numpy()[shown]


def _draw_samples(axis: Axes, window: Window, places: np.ndarray, weights: np.ndarray, colours: np.ndarray) -> None:
    """Filled where they are, hollow at the border where they lie beyond the window; the light ones on top."""
    order = np.argsort(-weights)
    held, edge = window.holds(places)[order], colours[order]
    face, rim = edge.copy(), np.where(held[:, None], (1.0, 1.0, 1.0, 1.0), edge)
    face[:, 3] = np.where(held, 0.75, 0.0)
    how = {"zorder": 4, "linewidths": np.where(held, 0.5, 1.4), "clip_on": False}
    shown = window.clamped(places)[order]
    axis.scatter(*shown.T, s=1 + AREA_OF_ONE * weights[order], c=face, edgecolors=rim, **how)


def _draw_marks(axis: Axes, seen: Seen, keypoint: int, number: int, window: Window) -> None:
    if seen.labelled[keypoint]:
        mark(axis, window, seen.truth_px[keypoint], TRUTH)
    predicted = seen.explanation.prediction.layers[number - 1].keypoints[0, keypoint]
    mark(axis, window, seen.to_px(predicted.numpy()), PREDICTED)
    reference = seen.layers[number - 1].reference_points[0, keypoint]
    mark(axis, window, seen.to_px(reference.numpy()), REFERENCE, zorder=6)


def _draw_legends(figure: Figure, seen: Seen, colours: dict[str, np.ndarray], columns: int, below: float) -> None:
    """The marks in one line, the colours by name in as many as they need."""
    marks = [handle(REFERENCE, "reference point"), handle(PREDICTED, "layer's prediction"), handle(TRUTH, "label")]
    marks = marks if seen.labelled.any() else marks[:2]
    dots = [Line2D([], [], linestyle="none", marker="o", color=of, label=name) for name, of in colours.items()]
    how = {"fontsize": 8, "handletextpad": 0.1, "columnspacing": 0.8, "loc": "upper center", "borderaxespad": 0}
    for handles, count, gap in ((marks, 3, 0.08), (dots, columns, 0.32)):
        figure.legend(handles=handles, ncols=count, bbox_to_anchor=(0.5, (below - gap) / figure.get_figheight()), **how)


def _caption(seen: Seen, keypoint: int, chosen: Sequence[int], samples: list, window: Window, colour: ColourBy) -> str:
    height, width = seen.crop.input_size
    _, _, heads, levels, points = seen.layers[0].attention_weights.shape
    outside = [_share_outside(seen, *one) for one in samples]
    shares = [f"{share:.0%} in layer {number}" for number, share in zip(chosen, outside, strict=True)]
    beyond = sum(int((~window.holds(places)).sum()) for places, _ in samples)
    further = f" {beyond} lie further out than the picture: hollow, at its border." if beyond else ""
    return (
        f"{capital(seen.spoken(keypoint))} of {seen.who}, {seen.model.name}: {heads} heads × {levels} levels × {points}"
        f" points a layer. Area: attention weight, of which each head has 1 in all; colour: {colour}. The frame is the"
        f" crop, {width}×{height} for the network; outside of it, where the image is pale, samples fade to zero within"
        " half a cell of their level and read zeros beyond. Of the weight shown,"
        f" {', '.join(shares)} lies there.{further}{canvas.black_note(seen.crop, window)}"
    )


def _share_outside(seen: Seen, places: np.ndarray, weights: np.ndarray) -> float:
    inside = ((places >= 0) & (places <= seen.crop.extent_px)).all(axis=-1)
    return float(weights[~inside].sum() / weights.sum())
