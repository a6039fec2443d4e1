"""Controls of the explorer, and how they are filled."""

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

ALL, EVERY = "all", -1
"""What stands for all layers, heads or levels together, and its value: a slider cannot hold None."""
WIDE = "calc(100% - 8px)"
"""As wide as its column."""
Options = Sequence[tuple[str, Any]]
Say = Callable[[str], None]
Changed = Callable[[], None]


def named(widget: widgets.DOMWidget, name: str, width: str = "") -> widgets.DOMWidget:
    """The widget with a class to find it by, and of that width."""
    widget.add_class(f"poseur-explorer-{name}")
    if width:
        widget.layout.width = width
    return widget


def layer_slider(name: str) -> widgets.SelectionSlider:
    """A slider over layers, which acts when it is let go."""
    slider = widgets.SelectionSlider(options=[(ALL, EVERY)], description="layer", continuous_update=False)
    return named(slider, name)


def chooser(description: str, name: str) -> widgets.Dropdown:
    """A narrow list."""
    return named(widgets.Dropdown(options=[(ALL, EVERY)], description=description), name, "13em")


def buttons(description: str, options: Sequence[str], name: str, width: str, each: str) -> widgets.ToggleButtons:
    """One of a few, as buttons that are `each` wide."""
    shown = widgets.ToggleButtons(options=options, description=description)
    shown.style.button_width = each
    return named(shown, name, width)


def numbered(count: int, together: str = ALL) -> Options:
    """All of them; numbers from 1 on as they are shown, from 0 on as they are used."""
    return [(together, EVERY), *((str(number + 1), number) for number in range(count))]


def offer(control: widgets.ValueWidget, options: Options) -> None:
    """New options; what was chosen stays where it is still there, else it is the first."""
    chosen, values = control.value, [value for _, value in options]
    if list(control.options) != list(options):
        control.options = options
    control.value = chosen if chosen in values else values[0]


def refill(control: widgets.Dropdown, options: Options, value: Any) -> None:
    """New options and one of them, None for none; in between nothing is chosen, so that nobody acts on the first."""
    control.value = None
    control.options = options
    control.value = value


def as_caption(text: str) -> str:
    """Text as HTML, with lines as close as in prose."""
    return f'<div style="line-height: 1.4">{html.escape(text)}</div>'
