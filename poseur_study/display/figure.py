"""Figures as images with a caption, and those drawn without pyplot, in whose picture the crop can be pointed at."""

import base64
import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import matplotlib.pyplot as plt
from IPython.display import HTML
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from poseur_study.display.style import STYLE_FILE

PNG_LEVEL = 1
"""Of compression: the picture goes to a browser on the same machine, and time counts more than bytes."""
WEBP_QUALITY = 80
FIGURE = Markup('<figure class="{}"><img alt="{}" style="width:{}px;max-width:100%" src="{}">{}</figure>')


def as_html(figure: Figure, alt: str, caption: str, *, photo: bool = False) -> HTML:
    """The figure as an image of its own with a text for who cannot see it, and the caption; closes the figure.

    Args:
        photo: it shows photographs: their colours stay as they are on a dark page, and WebP may lose a little; a tenth
            as large as PNG then, where lines without loss are a third.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="webp", pil_kwargs={"quality": WEBP_QUALITY} if photo else {"lossless": True})
    plt.close(figure)
    source = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    below = Markup("<figcaption>{}</figcaption>").format(caption) if caption else ""
    css = "figure photo" if photo else "figure"
    return HTML(FIGURE.format(css, alt, int(figure.get_figwidth() * 100), source, below))


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

    def html(self) -> HTML:
        """As an image with its caption, for a static page."""
        return as_html(self.figure, self.alt, self.caption, photo=True)

    def _area(self, axis: Axes) -> Area:
        box = axis.get_window_extent()
        width, height = self.figure.get_size_inches() * self.figure.dpi
        left, right, top, bottom = box.x0 / width, box.x1 / width, 1 - box.y1 / height, 1 - box.y0 / height
        return Area(left, top, right, bottom, axis.get_xlim(), tuple(reversed(axis.get_ylim())))


def drawing() -> AbstractContextManager[None]:
    """The style sheet, without what makes pictures sharper and slower than a screen needs."""
    return plt.style.context([STYLE_FILE, {"savefig.bbox": None, "axes.grid": False}])


def panels(
    count: int,
    columns: int,
    size: tuple[float, float],
    *,
    top: float = 0.3,
    between: float | None = None,
    bottom: float = 0.1,
    gap: float = 0.3,
) -> tuple[Figure, list[Axes]]:
    """A figure of equal panels, placed by hand: matplotlib's own layout takes longer than the drawing.

    Args:
        size: (width, height) of a panel, inches.
        top, between, bottom: room above the first row of panels, between rows (None: as above), and below the last.
        gap: room to the left of every panel, and to the right of the last one.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    width = columns * (size[0] + gap) + gap
    between = top if between is None else between
    height = top + rows * size[1] + (rows - 1) * between + bottom
    figure = Figure(figsize=(width, height))
    axes = []
    for number in range(count):
        row, column = divmod(number, columns)
        left, down = gap + column * (size[0] + gap), top + row * between + (row + 1) * size[1]
        axes.append(figure.add_axes((left / width, 1 - down / height, size[0] / width, size[1] / height)))
    return figure, axes


def panel_row(
    rooms: Sequence[tuple[float, float]], height: float, total: float, bottom: float, top: float = 0.3
) -> tuple[Figure, list[Axes]]:
    """A figure of one row of panels, `total` inches wide.

    Args:
        rooms: of each panel, the room to its left and its own width, inches.
        bottom, top: room below and above the panels.
    """
    whole, left, axes = top + height + bottom, 0.0, []
    figure = Figure(figsize=(total, whole))
    for gap, width in rooms:
        axes.append(figure.add_axes(((left + gap) / total, bottom / whole, width / total, height / whole)))
        left += gap + width
    return figure, axes
