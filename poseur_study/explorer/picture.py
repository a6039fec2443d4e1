"""A picture that is drawn by matplotlib and can be clicked: the one widget that ipywidgets does not have.

Its element is `<div class="poseur-explorer-picture …"><img></div>`; the image's `src` is a new blob URL after every
change, so a test in a browser may wait for that. Nothing is loaded from anywhere: the module is this package's own.
"""

from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets

from poseur_study.explorer.attention.drawn import Picture


class PictureWidget(anywidget.AnyWidget):
    """A PNG image that can be focused, clicked in some areas, and stepped through with the arrow keys.

    Attributes:
        png: the image; none is shown while it is empty.
        alt: its text for who cannot see it.
        width: CSS pixels, less where the page is narrower.
        areas: (left, top, right, bottom) of the parts where a click is told, in fractions of the image from the upper
            left; the cursor is a cross there.
        event: the last of the person's: {"kind": "click", "next" or "previous", "x", "y", "number"}, with the place of
            a click in fractions of the image from the upper left.
    """

    _esm = Path(__file__).with_name("picture.js")
    png = traitlets.Bytes(b"").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    width = traitlets.Int(600).tag(sync=True)
    areas = traitlets.List([]).tag(sync=True)
    event = traitlets.Dict({"kind": "", "x": 0.0, "y": 0.0, "number": 0}).tag(sync=True)

    def show(self, picture: Picture) -> None:
        """Show a picture; the image comes last, and with it the change."""
        with self.hold_sync():
            self.alt, self.width = picture.alt, picture.width
            self.areas = [[area.left, area.top, area.right, area.bottom] for area in picture.areas]
            self.png = picture.png

    def clear(self) -> None:
        """Show no picture."""
        with self.hold_sync():
            self.alt, self.areas, self.png = "", [], b""

    def on_person(self, click: Callable[[float, float], None], step: Callable[[int], None]) -> None:
        """Call `click` with the place of a click, and `step` with 1 or -1 for an arrow key."""

        def act(change: dict) -> None:
            event = change["new"]
            if event["kind"] == "click":
                click(event["x"], event["y"])
            else:
                step({"next": 1, "previous": -1}[event["kind"]])

        self.observe(act, "event")
