"""Self-attention between the keypoints, as the paper draws it (supp. Fig. 2) and as matrices."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from scipy.optimize import isotonic_regression

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.explorer.attention.canvas import OUTLINE, black_note, draw_photo, drawing, window_around
from poseur_study.explorer.attention.drawn import Drawn, panel_row, panels
from poseur_study.explorer.attention.person_view import Seen, spoken

Weights = Float[np.ndarray, "K K"]
LINES, CHOSEN = COLORBLIND[8], COLORBLIND[3]
RIM, LINES_RIM = 0.6, "white"
"""Points of the edge by which lines over each other can be told apart."""
THICKEST = 9.0
"""Points of the line of the row's largest weight."""
HEIGHT, GAP, NAMES_LEFT, NAMES_BELOW, BAR = 4.6, 0.3, 1.15, 1.15, 0.9
"""Inches: of the panels, between them, and of the rooms for names and for the bar of colours."""
SIDE, WIDEST = 1.6, 9.4
"""Inches of a head's matrix, and of all in a row, at most."""
NAMED_UP_TO = 26
"""More keypoints than this have numbers for names."""
STRONGEST = 3
LINE_HEIGHT = 11.0
"""Points between two numbers."""


def attention_figure(seen: Seen, keypoint: int, weights: Weights, which: str, whose: str) -> Drawn:
    """Dots and lines over the person, and the matrix that they are a row of.

    Args:
        weights: how much of each keypoint's value (columns) a keypoint (rows) takes.
        which: "layer 1, mean of 4 heads".
        whose: the person's, or "mean over 200 of 2,000 people of the val set".
    """
    name, names, row = seen.spoken(keypoint), seen.model.keypoints.names, weights[keypoint]
    window = window_around(seen.crop, seen.keypoints_px)
    with drawing():
        width = HEIGHT / window.aspect
        rooms, total = [(GAP, width), (GAP + NAMES_LEFT, HEIGHT)], 2 * GAP + width + NAMES_LEFT + HEIGHT + BAR
        figure, axes = panel_row(rooms, HEIGHT, total, NAMES_BELOW)
        draw_photo(axes[0], seen.crop, window)
        draw_lines(axes[0], window.clamped(seen.keypoints_px), keypoint, row)
        axes[0].set_title(f"from {name}")
        draw_matrix(axes[1], weights, names, keypoint)
        axes[1].set_title(which)
    most = ", ".join(f"{spoken(names[other])} {row[other]:.2f}" for other in strongest(row, keypoint))
    where = f" of {whose}" if whose == seen.who else f", {whose}, drawn over {seen.who}"
    alt = f"Self-attention of the {name} over {seen.who}: most of {most}; and the matrix of all keypoints; {which}."
    caption = (
        f"Self-attention between the keypoint queries of {seen.model.name}, {which}{where}, as in supp. Fig. 2: dots"
        f" are keypoints, thicker is more weight. {name[:1].upper()}{name[1:]} takes {row[keypoint]:.2f} of its own"
        f" value and most of {most}; equal attention to all would be {1 / len(row):.2f}. Right: every row,"
        f" which sums to 1.{black_note(seen.crop, window)}"
    )
    return Drawn(figure, alt, caption, axes[:1])


def matrices_figure(layers: Float[np.ndarray, "N M K K"], names: Sequence[str], keypoint: int, what: str) -> Drawn:
    """The matrices of all layers (down) and heads (across) in one picture; the chosen keypoint's row is framed."""
    count, heads, keypoints, _ = layers.shape
    step = keypoints + max(1, keypoints // 12)
    padded = np.pad(layers, ((0, 0), (0, 0), (0, step - keypoints), (0, step - keypoints)), constant_values=np.nan)
    mosaic = padded.transpose(0, 2, 1, 3).reshape(count * step, heads * step)[: keypoints - step, : keypoints - step]
    side = min(SIDE, WIDEST / heads)
    with drawing():
        figure, (axis,) = panels(1, 1, (heads * side, count * side), gap=0.75, bottom=0.15, top=0.55)
        _draw_weights(axis, mosaic)
        for layer, head in np.ndindex(count, heads):
            _frame_row(axis, (head * step, layer * step + keypoint), keypoints, 0.9)
        middles = step * np.arange(max(count, heads)) + keypoints / 2
        axis.set_xticks(middles[:heads], [f"head {number + 1}" for number in range(heads)])
        axis.set_yticks(middles[:count], [f"layer {number + 1}" for number in range(count)])
        axis.xaxis.tick_top()
    largest = f"the largest weight, {layers.max():.2f}"
    alt = f"{count} layers times {heads} heads of self-attention matrices, {what}; {largest}."
    caption = (
        f"Self-attention between {keypoints} keypoints, {what}: rows attend to columns and sum to 1; framed: "
        f"{spoken(names[keypoint])}. The scale ends at {largest}; equal attention to all would be {1 / keypoints:.2f}."
    )
    return Drawn(figure, alt, caption)


def strongest(row: Float[np.ndarray, "K"], keypoint: int, count: int = STRONGEST) -> list[int]:
    """The other keypoints of which a keypoint takes most, in order."""
    return [int(other) for other in np.argsort(-row, kind="stable") if other != keypoint][:count]


def draw_lines(axis: Axes, points: Float[np.ndarray, "K 2"], keypoint: int, row: Float[np.ndarray, "K"]) -> None:
    """Dots, and lines from a keypoint to all others, thicker for more weight; the largest weights as numbers.

    Args:
        points: (x, y) in data coordinates of the axes, whose limits are set.
        row: how much of each keypoint's value the keypoint takes.
    """
    others = strongest(row, keypoint, len(row))  # the thickest first, so that none hides another
    for other in others:
        width = THICKEST * row[other] / max(row[others[0]], 1e-9)
        rim = [withStroke(linewidth=width + 2 * RIM, foreground=LINES_RIM)] if width > 2 * RIM else []
        ends = points[[keypoint, other]].T
        axis.plot(*ends, color=LINES, linewidth=width, solid_capstyle="round", path_effects=rim)
    axis.scatter(*points.T, s=26, color=LINES, edgecolor="black", linewidth=0.8, zorder=4)
    axis.scatter(*points[keypoint], s=70, color=CHOSEN, edgecolor="white", linewidth=1.2, zorder=5)
    _write_numbers(axis, points, row, others[:STRONGEST])


def _write_numbers(axis: Axes, points: Float[np.ndarray, "K 2"], row: Float[np.ndarray, "K"], of: list[int]) -> None:
    """Weights beside their keypoints, towards the middle of the picture; those of near keypoints under each other."""
    at_right = points[:, 0] > np.mean(axis.get_xlim())
    for side, offset, align in ((True, -7, "right"), (False, 7, "left")):
        here = [other for other in of if at_right[other] == side]
        heights = axis.transData.transform(points[here])[:, 1] * 72 / axis.figure.dpi if here else np.zeros(0)
        for other, shift in zip(here, spread(heights, LINE_HEIGHT) - heights, strict=True):
            axis.annotate(
                f"{row[other]:.2f}", points[other], (offset, shift), textcoords="offset points", ha=align, va="center",
                fontsize=8, color="white", path_effects=OUTLINE, zorder=6,
            )  # fmt: skip


def spread(places: Float[np.ndarray, "N"], gap: float) -> Float[np.ndarray, "N"]:
    """Places in the same order with at least `gap` between them, each as near to where it was as the others let it.

    Least squares: without the gaps it is a regression on places that must not fall.
    """
    if not len(places):
        return places
    order, gaps = np.argsort(places, kind="stable"), gap * np.arange(len(places))
    moved = np.empty(len(places))
    moved[order] = isotonic_regression(places[order] - gaps).x + gaps
    return moved


def draw_matrix(axis: Axes, weights: Weights, names: Sequence[str], keypoint: int) -> None:
    """Rows attend to columns; the chosen keypoint's row is framed. Colours end at the largest weight."""
    _draw_weights(axis, weights)
    _frame_row(axis, (0, keypoint), len(names), 1.6)
    every = 1 if len(names) <= NAMED_UP_TO else 10
    labels = [spoken(name) if every == 1 else str(number) for number, name in enumerate(names)][::every]
    axis.set_xticks(range(0, len(names), every), labels, rotation=90, fontsize=7)
    axis.set_yticks(range(0, len(names), every), labels, fontsize=7)


def _draw_weights(axis: Axes, weights: Float[np.ndarray, "rows columns"]) -> None:
    """Weights as colours, and a bar of these to the right of the axes, of their height."""
    image = axis.imshow(weights, cmap="magma", vmin=0, interpolation="nearest", aspect="auto")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    figure, box = axis.figure, axis.get_position()
    inch = 1 / figure.get_figwidth()
    bar = figure.add_axes((box.x1 + 0.12 * inch, box.y0, 0.13 * inch, box.height))
    figure.colorbar(image, cax=bar).outline.set_visible(False)
    bar.tick_params(labelsize=7, length=2)


def _frame_row(axis: Axes, first: tuple[int, int], count: int, width: float) -> None:
    """A frame around `count` cells of a row from the `first` (x, y) on."""
    corner = (first[0] - 0.5, first[1] - 0.5)
    axis.add_patch(Rectangle(corner, count, 1, fill=False, edgecolor=CHOSEN, linewidth=width))
