"""Where a keypoint's query looks: reference point and sampling points of every layer, head and level (Eq. 1)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from poseur_lib.poses import LayerExplanation
from poseur_study.display.attention.canvas import Window, black_note, draw_photo, window_around
from poseur_study.display.attention.marks import (
    PREDICTED,
    REFERENCE,
    TRUTH,
    capital,
    colours,
    draw_pose,
    handle,
    mark,
    spoken,
)
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
    heads, levels = _selected(seen, head, level)
    samples = [_samples(seen, keypoint, number, heads, levels) for number in chosen]
    window = window_around(seen.crop, np.concatenate([places[weights > SLIGHT] for places, weights in samples]))
    with drawing():
        width = _panel_width(len(chosen), window)
        numbers = np.unique(heads if colour == "head" else levels)
        columns = _legend_columns(min(len(chosen), COLUMNS) * width, colour)
        below = LEGENDS + LEGEND_LINE * -(-len(numbers) // columns)
        figure, axes = panels(len(chosen), COLUMNS, (width, width * window.aspect), bottom=below)
        for axis, number, (places, weights) in zip(axes, chosen, samples, strict=True):
            draw_photo(axis, seen.crop, window)
            draw_pose(axis, seen)
            by = np.broadcast_to((heads if colour == "head" else levels)[:, :, None], weights.shape)
            _draw_samples(axis, window, places, weights, [_palette(seen, colour)[one] for one in by.ravel()])
            _draw_marks(axis, seen, keypoint, number, window)
            axis.set_title(f"layer {number}")
        _draw_legends(figure, seen, colour, numbers, columns, below)
    name = spoken(seen.model.keypoints.names[keypoint])
    alt = f"The {name} query's sampling points over {seen.who}, layers {', '.join(map(str, chosen))}."
    caption = _caption(seen, keypoint, chosen, samples, window, colour) + black_note(seen.crop, window)
    return Drawn(figure, alt, caption, axes)


def _selected(seen: Seen, head: int | None, level: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Head and level number of each shown pair, both [heads, levels]."""
    _, _, all_heads, all_levels, _ = seen.layers[0].attention_weights.shape
    heads = range(all_heads) if head is None else [head]
    levels = range(all_levels) if level is None else [level]
    pairs = np.meshgrid(list(heads), list(levels), indexing="ij")
    return pairs[0], pairs[1]


def _samples(
    seen: Seen, keypoint: int, number: int, heads: np.ndarray, levels: np.ndarray
) -> tuple[Float[np.ndarray, "M L S 2"], Float[np.ndarray, "M L S"]]:
    """Places in crop pixels and weights of the shown samples of a layer."""
    layer: LayerExplanation = seen.layers[number - 1]
    places = layer.sampling_locations[0, keypoint].numpy()[heads, levels]
    return seen.to_px(places), layer.attention_weights[0, keypoint].numpy()[heads, levels]


def _draw_samples(axis: Axes, window: Window, places: np.ndarray, weights: np.ndarray, palette: list[str]) -> None:
    """Filled where they are, hollow at the border where they lie beyond the window; the light ones on top."""
    flat, order = places.reshape(-1, 2), np.argsort(-weights, axis=None)
    held, shown, edge = window.holds(flat)[order], window.clamped(flat)[order], to_rgba_array(palette)[order]
    face, rim = edge.copy(), np.where(held[:, None], (1.0, 1.0, 1.0, 1.0), edge)
    face[:, 3] = np.where(held, 0.75, 0.0)
    how = {"zorder": 4, "linewidths": np.where(held, 0.5, 1.4), "clip_on": False}
    axis.scatter(*shown.T, s=1 + AREA_OF_ONE * weights.ravel()[order], c=face, edgecolors=rim, **how)


def _draw_marks(axis: Axes, seen: Seen, keypoint: int, number: int, window: Window) -> None:
    reference = seen.to_px(seen.layers[number - 1].reference_points[0, keypoint].numpy())
    predicted = seen.to_px(seen.explanation.prediction.layers[number - 1].keypoints[0, keypoint].numpy())
    if seen.labelled[keypoint]:
        mark(axis, window, seen.truth_px[keypoint], TRUTH)
    mark(axis, window, predicted, PREDICTED)
    mark(axis, window, reference, REFERENCE, zorder=6)


def _palette(seen: Seen, colour: ColourBy) -> list[str]:
    _, _, heads, levels, _ = seen.layers[0].attention_weights.shape
    return colours(heads if colour == "head" else levels)


def _legend_columns(width: float, colour: ColourBy) -> int:
    """How many colours have room side by side in so many inches."""
    return max(1, int(width / (0.75 if colour == "head" else 1.1)))


def _draw_legends(
    figure: Figure, seen: Seen, colour: ColourBy, numbers: np.ndarray, columns: int, below: float
) -> None:
    """The marks in one line, the colours in as many as they need."""
    marks = [handle(REFERENCE, "reference point"), handle(PREDICTED, "layer's prediction"), handle(TRUTH, "label")]
    sizes = [f"{width}×{height}" for height, width in seen.explanation.level_sizes]
    names = [f"head {number + 1}" if colour == "head" else f"{sizes[number]} cells" for number in numbers]
    dots = [
        Line2D([], [], linestyle="none", marker="o", color=_palette(seen, colour)[number], label=name)
        for number, name in zip(numbers, names, strict=True)
    ]
    how = {"fontsize": 8, "handletextpad": 0.1, "columnspacing": 0.8, "loc": "upper center", "borderaxespad": 0}
    height = figure.get_figheight()
    marks = marks if seen.labelled.any() else marks[:2]
    figure.legend(handles=marks, ncols=3, bbox_to_anchor=(0.5, (below - 0.08) / height), **how)
    figure.legend(handles=dots, ncols=columns, bbox_to_anchor=(0.5, (below - 0.32) / height), **how)


def _panel_width(count: int, window: Window) -> float:
    """Inches: a single panel is as large as a screen allows, three fill a page."""
    width = {1: 5.2, 2: 3.9}.get(count, 2.75)
    return min(width, 5.6 / window.aspect)


def _caption(seen: Seen, keypoint: int, chosen: Sequence[int], samples: list, window: Window, colour: ColourBy) -> str:
    name, (height, width) = spoken(seen.model.keypoints.names[keypoint]), seen.crop.input_size
    _, _, heads, levels, points = seen.layers[0].attention_weights.shape
    outside = [_share_outside(seen, *one) for one in samples]
    shares = [f"{share:.0%} in layer {number}" for number, share in zip(chosen, outside, strict=True)]
    beyond = sum(int((~window.holds(places)).sum()) for places, _ in samples)
    further = f" {beyond} lie further out than the picture: hollow, at its border." if beyond else ""
    return (
        f"{capital(name)} of {seen.who}, {seen.model.name}: {heads} heads × {levels} levels × {points} points a layer. "
        f"Area: attention weight, of which each head has 1 in all; colour: {colour}. The frame is the crop, {width}×"
        f"{height} for the network; outside of it, where the image is pale, samples fade to zero within half a cell of "
        f"their level and read zeros beyond. Of the weight shown, {', '.join(shares)} lies there.{further}"
    )


def _share_outside(seen: Seen, places: np.ndarray, weights: np.ndarray) -> float:
    inside = ((places >= 0) & (places <= seen.crop.extent_px)).all(axis=-1)
    return float(weights[~inside].sum() / weights.sum())
