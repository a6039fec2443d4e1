"""Marks with one meaning in all figures of attention, and the words for them."""

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.display.attention.canvas import Window
from poseur_study.display.attention.person_view import Seen

OUTLINE = [withStroke(linewidth=3, foreground="black")]
REFERENCE = {"marker": "+", "color": "white", "markersize": 13, "markeredgewidth": 1.8, "path_effects": OUTLINE}
PREDICTED = {"marker": "D", "color": "none", "markeredgecolor": "white", "markersize": 7, "markeredgewidth": 1.6,
             "path_effects": OUTLINE}  # fmt: skip
TRUTH = {"marker": "x", "color": "#7CFC00", "markersize": 8, "markeredgewidth": 2.2, "path_effects": OUTLINE}
FAINT = {"color": "white", "linewidth": 0.8, "alpha": 0.55}


def colours(count: int) -> list[str]:
    """A colour for each of `count` things: the palette's, or evenly around the circle of hues where that ends."""
    if count <= len(COLORBLIND):
        return list(COLORBLIND[:count])
    return [to_hex(colormaps["hsv"](number / count)) for number in range(count)]


def mark(axis: Axes, window: Window, point_px: Float[np.ndarray, "2"], how: dict, zorder: float = 5) -> None:
    """One mark, at the border of the window where it lies beyond."""
    axis.plot(*window.clamped(point_px), linestyle="none", zorder=zorder, **how)


def handle(how: dict, label: str) -> Line2D:
    """A mark's line in a legend, legible on white."""
    return Line2D([], [], linestyle="none", label=label, **{**how, "markersize": 7})


def draw_pose(axis: Axes, seen: Seen) -> None:
    """The pose that the model ends with, faint, so that its keypoints can be told and clicked on."""
    points = seen.keypoints_px
    axis.add_collection(LineCollection(points[np.array(seen.model.keypoints.skeleton)], **FAINT, zorder=2))
    axis.scatter(*points.T, s=9, color="white", edgecolor="black", linewidth=0.5, alpha=0.8, zorder=3)


def spoken(name: str) -> str:
    """A keypoint's name as prose has it."""
    return name.replace("_", " ")


def capital(text: str) -> str:
    """With a capital letter first; `str.capitalize` would lower the others."""
    return text[:1].upper() + text[1:]
