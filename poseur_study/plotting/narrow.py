"""Figures for a phone: as wide as its screen at the size that their words are read at, labels above their lines."""

from collections.abc import Iterable

from matplotlib.axes import Axes

NARROW, ABOVE = 3.5, 50
"""Inches of a figure, and letters of a label above its line."""
OVER_NUMBERS = 16
"""Points between a line and its label, for the number that stands between."""


def labels_above(axis: Axes, labels: Iterable[str], points: float = OVER_NUMBERS) -> None:
    """Put the labels of an axis's lines, at 0, 1, 2 and so on downwards, above these instead of beside them."""
    for place, label in enumerate(labels):
        axis.annotate(label, (0, place), (2, points), xycoords=axis.get_yaxis_transform(), textcoords="offset points",
                      fontsize=8, va="bottom", annotation_clip=False)  # fmt: skip
    axis.tick_params(axis="y", length=0, labelleft=False)
    bottom, top = axis.get_ylim()
    axis.set_ylim(bottom, min(top, -0.85))
