"""Where a keypoint's query looks: reference point and sampling points of every layer, head and level (Eq. 1)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.explorer.attention import canvas
from poseur_study.explorer.attention.canvas import PREDICTED, REFERENCE, TRUTH, Window, mark
from poseur_study.explorer.attention.drawn import Drawn, panels
from poseur_study.explorer.attention.person_view import Seen

ColourBy = Literal["head", "level"]
AREA_OF_ONE = 420.0
"""Square points of a sample that has all of its head's weight."""
SLIGHT = 0.01
"""Samples of less weight do not widen the picture."""
COLUMNS = 3
PANEL_WIDTHS, TALLEST = {1: 5.2, 2: 3.9, 3: 2.75}, 5.6
"""Inches of a panel by how many there are, and of the height of one."""
LEGENDS, LEGEND_LINE = 0.4, 0.19
"""Inches below the panels: of the marks, and of a line of colours."""
NAME_WIDTHS = {"head": 0.75, "level": 1.1}
"""Inches of a colour's name."""
MARKS = {"reference point": REFERENCE, "layer's prediction": PREDICTED, "label": TRUTH}
LEGEND = {"fontsize": 8, "handletextpad": 0.1, "columnspacing": 0.8, "loc": "upper center", "borderaxespad": 0}


Samples = tuple[Float[np.ndarray, "M L S 2"], Float[np.ndarray, "M L S"]]
"""Places in crop pixels and weights of the samples that are shown of a layer."""


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
    sizes = [f"{across}×{down} cells" for down, across in seen.explanation.level_sizes]
    names = {"head": [f"head {number + 1}" for number in range(num_heads)], "level": sizes}[colour]
    shown = {"head": heads, "level": levels}[colour]
    palette = to_rgba_array(_colours(len(names)))[shown]
    with canvas.drawing():
        width = min(PANEL_WIDTHS.get(len(chosen), PANEL_WIDTHS[COLUMNS]), TALLEST / window.aspect)
        columns = max(1, int(min(len(chosen), COLUMNS) * width / NAME_WIDTHS[colour]))
        below = LEGENDS + LEGEND_LINE * -(-len(shown) // columns)
        figure, axes = panels(len(chosen), COLUMNS, (width, width * window.aspect), bottom=below)
        for axis, number, (places, weights) in zip(axes, chosen, samples, strict=True):
            canvas.draw_photo(axis, seen.crop, window)
            canvas.draw_pose(axis, seen)
            by = np.indices(weights.shape)[0 if colour == "head" else 1]
            _draw_samples(axis, window, places.reshape(-1, 2), weights.ravel(), palette[by.ravel()])
            for name, place in _marks(seen, keypoint, number).items():
                mark(axis, window, place, MARKS[name])
            axis.set_title(f"layer {number}")
        _draw_legends(figure, seen, dict(zip([names[one] for one in shown], palette, strict=True)), columns, below)
    outside = [_share_outside(seen, *one) for one in samples]
    shares = ", ".join(f"{share:.0%} in layer {number}" for number, share in zip(chosen, outside, strict=True))
    alt = (
        f"The {seen.spoken(keypoint)} query's sampling points over {seen.who}; of the weight shown, {shares} lies"
        " outside the crop."
    )
    alone = [f"head {head + 1}"] if head is not None else []
    alone += [f"level {sizes[level]}"] if level is not None else []
    beyond = _beyond(seen, keypoint, dict(zip(chosen, samples, strict=True)), window)
    caption = f"{_caption(seen, keypoint, alone, shares, colour)}{beyond}{canvas.black_note(seen.crop, window)}"
    return Drawn(figure, alt, caption, axes)


def _colours(count: int) -> list:
    """A colour for each of `count` things: the palette's, or evenly around the circle of hues where that ends."""
    return list(COLORBLIND[:count]) if count <= len(COLORBLIND) else list(colormaps["hsv"](np.arange(count) / count))


def _samples(seen: Seen, keypoint: int, number: int, shown: tuple[np.ndarray, ...]) -> Samples:
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


def _marks(seen: Seen, keypoint: int, number: int) -> dict[str, Float[np.ndarray, "2"]]:
    """Where a layer's marks belong, in crop pixels, the topmost last; the label's is NaN without one."""
    predicted = seen.explanation.prediction.layers[number - 1].keypoints[0, keypoint]
    reference = seen.layers[number - 1].reference_points[0, keypoint]
    return {
        "label": seen.truth_px[keypoint],
        "layer's prediction": seen.to_px(predicted.numpy()),
        "reference point": seen.to_px(reference.numpy()),
    }


def _draw_legends(
    figure: Figure, seen: Seen, colours: dict[str, Float[np.ndarray, "4"]], columns: int, below: float
) -> None:
    """The marks in one line, the colours by name in as many as they need."""
    marks = {name: how for name, how in MARKS.items() if name != "label" or seen.labelled.any()}
    of_marks = [Line2D([], [], linestyle="none", label=name, **{**how, "markersize": 7}) for name, how in marks.items()]
    dots = [Line2D([], [], linestyle="none", marker="o", color=of, label=name) for name, of in colours.items()]
    for handles, count, gap in ((of_marks, 3, 0.08), (dots, columns, 0.32)):
        place = (0.5, (below - gap) / figure.get_figheight())
        figure.legend(handles=handles, ncols=count, bbox_to_anchor=place, **LEGEND)


def _share_outside(seen: Seen, places: np.ndarray, weights: np.ndarray) -> float:
    inside = ((places >= 0) & (places <= seen.crop.extent_px)).all(axis=-1)
    return float(weights[~inside].sum() / weights.sum())


def _caption(seen: Seen, keypoint: int, alone: Sequence[str], shares: str, colour: ColourBy) -> str:
    height, width = seen.crop.input_size
    _, _, heads, levels, points = seen.layers[0].attention_weights.shape
    shown = f"; shown: {', '.join(alone)} alone" if alone else ""
    return (
        f"{seen.subject(keypoint)}: {heads} heads × {levels} levels × {points} points a layer{shown}. Area: attention"
        f" weight, of which each head has 1 in all; colour: {colour}. The frame is the crop, {width}×{height} for the"
        " network; outside of it, where the image is pale, samples fade to zero within half a cell of their level and"
        f" read zeros beyond. Of the weight shown, {shares} lies there."
    )


def _beyond(seen: Seen, keypoint: int, samples: dict[int, Samples], window: Window) -> str:
    """Which of the samples and marks lie further out than the picture, by layer number; "" where none does."""
    count = sum(int((~window.holds(places)).sum()) for places, _ in samples.values())
    said = f" {count} lie further out than the picture: hollow, at its border." if count else ""
    marks, moved = {number: _marks(seen, keypoint, number) for number in samples}, []
    for name in MARKS:
        places = {number: of[name] for number, of in marks.items() if not np.isnan(of[name]).any()}
        numbers = [str(number) for number, place in places.items() if not window.holds(place)]
        moved += [f"{name} in layer{'s' * (len(numbers) > 1)} {', '.join(numbers)}"] if numbers else []
    return f"{said} Beyond the picture and drawn at its border: {'; '.join(moved)}." if moved else said
