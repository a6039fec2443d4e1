"""Controls of the explorer's views, and how their values are read."""

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

ALL, EVERY = "all", -1
"""What stands for all layers, heads or levels together, and its value: a slider cannot hold None."""
WIDE = "calc(100% - 8px)"
"""As wide as its column."""
THIS_PERSON, VAL_SET = "this person", "the val set"
Options = Sequence[tuple[str, Any]]
Say = Callable[[str], None]
Changed = Callable[[], None]


def one_of(control: widgets.ValueWidget) -> int | None:
    """The number that is chosen, None for all of them."""
    return None if control.value == EVERY else control.value


def numbered(count: int, together: str = ALL) -> Options:
    """Numbers from 1 on as they are shown, from 0 on as they are used."""
    return [(together, EVERY), *((str(number + 1), number) for number in range(count))]


def named(widget: widgets.DOMWidget, name: str, width: str = "") -> widgets.DOMWidget:
    """The widget with a class to find it by, and of that width."""
    widget.add_class(f"poseur-explorer-{name}")
    if width:
        widget.layout.width = width
    return widget


def layer_slider(name: str, together: str = ALL) -> widgets.SelectionSlider:
    """A slider over layers, which acts when it is let go."""
    options = [(together, EVERY)]
    return named(widgets.SelectionSlider(options=options, description="layer", continuous_update=False), name)


def chooser(description: str, options: Options, name: str) -> widgets.Dropdown:
    """A narrow list."""
    return named(widgets.Dropdown(options=options, description=description), name, "13em")


def buttons(description: str, options: Sequence[str], name: str, width: str, each: str) -> widgets.ToggleButtons:
    """One of a few, as buttons that are `each` wide."""
    shown = widgets.ToggleButtons(options=options, description=description)
    shown.style.button_width = each
    return named(shown, name, width)


def whose(name: str) -> widgets.ToggleButtons:
    """Weights of the person, or the mean over the val set."""
    return buttons("weights of", [THIS_PERSON, VAL_SET], name, "24em", "7.5em")


def as_caption(text: str) -> str:
    """Text as HTML, with lines as close as in prose."""
    return f'<div style="line-height: 1.4">{html.escape(text)}</div>'


def offer(control: widgets.ValueWidget, options: Options, first: Any = None) -> None:
    """New options; what was chosen stays where it is still there."""
    values = [value for _, value in options]
    kept = control.value if control.options and control.value in values else first
    if list(control.options) != list(options):
        control.options = options
    control.value = kept if kept in values else values[0]


def refill(control: widgets.Dropdown, options: Options, value: Any) -> None:
    """New options and one of them, None for none; in between nothing is chosen, so that nobody acts on the first."""
    control.value = None
    control.options = options
    control.value = value
