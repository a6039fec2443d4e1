"""The photo behind the points, in crop pixels, and marks with one meaning in all figures of attention."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import cv2
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from poseur_lib.data.crop import transform_points
from poseur_study.explorer.attention.person_view import Crop, Seen
from poseur_study.plotting.style import STYLE_FILE

LONG_SIDE = 480
"""Pixels of a photo's longer side in the picture."""
FURTHEST = 0.4
"""How far beyond the crop a window reaches at most, a fraction of the crop's side."""
PAD = 0.05
OUTSIDE_WHITE = 0.55
"""Share of white in what the network does not see."""
OUTLINE = [withStroke(linewidth=3, foreground="black")]
REFERENCE = {"marker": "+", "color": "white", "markersize": 13, "markeredgewidth": 1.8, "path_effects": OUTLINE}
PREDICTED = {"marker": "D", "color": "none", "markeredgecolor": "white", "markersize": 7, "markeredgewidth": 1.6,
             "path_effects": OUTLINE}  # fmt: skip
TRUTH = {"marker": "x", "color": "#7CFC00", "markersize": 8, "markeredgewidth": 2.2, "path_effects": OUTLINE}
FAINT = {"color": "white", "linewidth": 0.8, "alpha": 0.55}
WORDS = "#808080"
"""Legible on a light and on a dark page."""
WRITTEN = ("text.color", "axes.titlecolor", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
CLEAR = dict.fromkeys(("figure.facecolor", "axes.facecolor"), "none") | dict.fromkeys(WRITTEN, WORDS)


def drawing() -> AbstractContextManager[None]:
    """The style sheet for a page of any ground, without what makes pictures sharper and slower than a screen needs."""
    return plt.style.context([STYLE_FILE, {"savefig.bbox": None, "axes.grid": False, **CLEAR}])


@dataclass(frozen=True)
class Window:
    """The part of the crop's plane that is shown, in crop pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def aspect(self) -> float:
        """Height over width."""
        return (self.bottom - self.top) / (self.right - self.left)

    def clamped(self, points_px: Float[np.ndarray, "*shape 2"]) -> Float[np.ndarray, "*shape 2"]:
        """Points that lie beyond the window, moved to its border."""
        inset = 0.015 * (self.right - self.left)
        low, high = (self.left + inset, self.top + inset), (self.right - inset, self.bottom - inset)
        return np.clip(points_px, low, high)

    def holds(self, points_px: Float[np.ndarray, "*shape 2"]) -> Bool[np.ndarray, "*shape"]:
        """Which points lie in it."""
        inside = (points_px >= (self.left, self.top)) & (points_px <= (self.right, self.bottom))
        return np.asarray(inside.all(axis=-1))


def window_around(crop: Crop, points_px: Float[np.ndarray, "N 2"]) -> Window:
    """The crop and all of the points, as far as they are not too far out."""
    fractions = np.concatenate([points_px / crop.extent_px, [[0.0, 0.0], [1.0, 1.0]]])
    low = np.maximum(fractions.min(axis=0) - PAD, -FURTHEST) * crop.extent_px
    high = np.minimum(fractions.max(axis=0) + PAD, 1 + FURTHEST) * crop.extent_px
    return Window(*map(float, (*low, *high)))


def black_note(crop: Crop, *windows: Window) -> str:
    """The sentence that explains what of the photo in windows is plain; "" where they hold image alone."""
    corners = [(x, y) for one in windows for x in (one.left, one.right) for y in (one.top, one.bottom)]
    places = transform_points(np.array(corners), cv2.invertAffineTransform(crop.matrix))
    height, width = crop.image.shape[:2]
    inside = (places >= -0.5).all() and (places <= (width - 0.5, height - 0.5)).all()
    return "" if inside else " Plain black or grey: beyond the image."


def draw_photo(axis: Axes, crop: Crop, window: Window) -> None:
    """The image in a window; what lies outside the crop, which the network does not see, is pale."""
    scale = LONG_SIDE / max(window.right - window.left, window.bottom - window.top)
    width, height = round(scale * (window.right - window.left)), round(scale * (window.bottom - window.top))
    matrix = scale * crop.matrix
    matrix[:, 2] -= scale * np.array([window.left, window.top])
    photo = cv2.warpAffine(crop.image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    x = (np.arange(width) / scale + window.left) / crop.extent_px[0]
    y = (np.arange(height) / scale + window.top) / crop.extent_px[1]
    outside = ((y < 0) | (y > 1))[:, None] | ((x < 0) | (x > 1))[None]
    photo[outside] = (photo[outside] * (1 - OUTSIDE_WHITE) + 255 * OUTSIDE_WHITE).astype(np.uint8)
    half = 0.5 / scale  # the first pixel's centre is at the window's corner
    left, top = window.left - half, window.top - half
    extent = (left, left + width / scale, top + height / scale, top)
    axis.imshow(photo, extent=extent, interpolation="nearest", aspect="equal")
    frame = Rectangle((0, 0), *crop.extent_px, fill=False, edgecolor="white", linewidth=1.2)
    axis.add_patch(frame).set_path_effects([withStroke(linewidth=2.6, foreground="black")])
    axis.set(xlim=(window.left, window.right), ylim=(window.bottom, window.top), xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def draw_pose(axis: Axes, seen: Seen) -> None:
    """The pose that the model ends with, faint, so that its keypoints can be told and clicked on."""
    points, pairs = seen.keypoints_px, np.array(seen.model.keypoints.skeleton, int).reshape(-1, 2)
    axis.add_collection(LineCollection(points[pairs], **FAINT, zorder=2))
    axis.scatter(*points.T, s=9, color="white", edgecolor="black", linewidth=0.5, alpha=0.8, zorder=3)


def mark(axis: Axes, window: Window, point_px: Float[np.ndarray, "2"], how: dict, zorder: float = 5) -> None:
    """One mark, at the border of the window where it lies beyond; none of a point that is NaN."""
    axis.plot(*window.clamped(point_px), linestyle="none", zorder=zorder, **how)
