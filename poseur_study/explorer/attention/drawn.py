"""Figures as images with a caption, and those drawn without pyplot, in whose picture the crop can be pointed at."""

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from poseur_lib.files import write_atomically
from poseur_study.plotting.captioned import POLICY, Captioned

PNG_LEVEL = 1
"""Of compression: the picture goes to a browser on the same machine, and time counts more than bytes."""
PAPER_DPI = 300
PAGE = '<!doctype html><html lang="en"><meta charset="utf-8">%s<title>%s</title><body>%s</body></html>\n'
ABOVE = 0.3
"""Inches above a row of panels."""


@dataclass(frozen=True)
class Area:
    """A part of a picture that shows the crop.

    Attributes:
        left, top, right, bottom: its place in the picture, in fractions from the upper left.
        x, y: crop pixels at its left and right, and at its top and bottom.
    """

    left: float
    top: float
    right: float
    bottom: float
    x: tuple[float, float]
    y: tuple[float, float]


@dataclass(frozen=True)
class Picture:
    """A drawn figure as the browser gets it."""

    png: bytes
    width: int
    alt: str
    caption: str
    areas: tuple[Area, ...]

    def crop_px(self, across: float, down: float) -> tuple[float, float] | None:
        """The place of the crop at a fraction (x, y) of the picture; None where no crop is shown."""
        for of in self.areas:
            s, t = (across - of.left) / (of.right - of.left), (down - of.top) / (of.bottom - of.top)
            if 0 <= s <= 1 and 0 <= t <= 1:
                return of.x[0] + s * (of.x[1] - of.x[0]), of.y[0] + t * (of.y[1] - of.y[0])
        return None


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure and what is said of it.

    Attributes:
        photos: axes whose data coordinates are crop pixels.
    """

    figure: Figure
    alt: str
    caption: str
    photos: Sequence[Axes] = ()

    def picture(self) -> Picture:
        """As a PNG image."""
        canvas = FigureCanvasAgg(self.figure)
        buffer = io.BytesIO()
        canvas.print_png(buffer, pil_kwargs={"compress_level": PNG_LEVEL})
        width = int(self.figure.get_figwidth() * 100)
        return Picture(buffer.getvalue(), width, self.alt, self.caption, tuple(map(self._area, self.photos)))

    def captioned(self) -> Captioned:
        """As a figure with its caption, for a static page."""
        return Captioned(self.figure, self.caption, self.alt, photo=True)

    def save(self, place: Path) -> tuple[Path, Path]:
        """As files for a paper: a PNG of 300 dots an inch, and a page with the caption that needs nothing else.

        Args:
            place: of both, without an ending; those that are there stay, and these get a number.
        """
        number = next(n for n in count(1) if not place.with_name(f"{place.name}-{n}.png").exists())
        png, page = (place.with_name(f"{place.name}-{number}{ending}") for ending in (".png", ".html"))
        content = io.BytesIO()
        with plt.rc_context({"savefig.bbox": None}):  # as it is shown, whatever style the notebook has set
            self.figure.savefig(content, format="png", dpi=PAPER_DPI)
        write_atomically(page, (PAGE % (POLICY, html.escape(self.alt), self.captioned().html())).encode())
        write_atomically(png, content.getvalue())
        return png, page

    def _area(self, axis: Axes) -> Area:
        box = axis.get_window_extent()
        width, height = self.figure.get_size_inches() * self.figure.dpi
        left, right, top, bottom = box.x0 / width, box.x1 / width, 1 - box.y1 / height, 1 - box.y0 / height
        return Area(left, top, right, bottom, axis.get_xlim(), tuple(reversed(axis.get_ylim())))


def panels(
    count: int, columns: int, size: tuple[float, float], *, top: float = ABOVE, bottom: float = 0.1, gap: float = 0.3
) -> tuple[Figure, list[Axes]]:
    """A figure of equal panels, placed by hand: matplotlib's own layout takes longer than the drawing.

    Args:
        size: (width, height) of a panel, inches.
        top, bottom: room above each row of panels, and below the last.
        gap: room to the left of every panel, and to the right of the last one.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    width = columns * (size[0] + gap) + gap
    height = rows * (top + size[1]) + bottom
    figure = Figure(figsize=(width, height))
    axes = []
    for number in range(count):
        row, column = divmod(number, columns)
        left, down = gap + column * (size[0] + gap), (row + 1) * (top + size[1])
        axes.append(figure.add_axes((left / width, 1 - down / height, size[0] / width, size[1] / height)))
    return figure, axes


def panel_row(
    rooms: Sequence[tuple[float, float]], height: float, total: float, bottom: float
) -> tuple[Figure, list[Axes]]:
    """A figure of one row of panels, `total` inches wide.

    Args:
        rooms: of each panel, the room to its left and its own width, inches.
        bottom: room below the panels.
    """
    whole, left, axes = ABOVE + height + bottom, 0.0, []
    figure = Figure(figsize=(total, whole))
    for gap, width in rooms:
        axes.append(figure.add_axes(((left + gap) / total, bottom / whole, width / total, height / whole)))
        left += gap + width
    return figure, axes
