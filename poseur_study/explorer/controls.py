"""Controls of the explorer's views, and how their values are read."""

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

ALL, EVERY = "all", -1
"""What stands for all layers, heads or levels together, and its value: a slider cannot hold None."""
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


def layer_slider(css: str, together: str = ALL) -> widgets.SelectionSlider:
    """A slider over layers, which acts when it is let go."""
    slider = widgets.SelectionSlider(options=[(together, EVERY)], description="layer", continuous_update=False)
    slider.add_class(css)
    return slider


def chooser(description: str, options: Options, css: str) -> widgets.Dropdown:
    """A narrow list."""
    dropdown = widgets.Dropdown(options=options, description=description, layout=layout("13em"))
    dropdown.add_class(css)
    return dropdown


def whose(css: str) -> widgets.ToggleButtons:
    """Weights of the person, or the mean over the val set."""
    buttons = widgets.ToggleButtons(options=[THIS_PERSON, VAL_SET], description="weights of", layout=layout("24em"))
    buttons.style.button_width = "7.5em"
    buttons.add_class(css)
    return buttons


def layout(width: str) -> widgets.Layout:
    """A control of that width."""
    return widgets.Layout(width=width)


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


def wide(widget: widgets.DOMWidget, css: str) -> widgets.DOMWidget:
    """As wide as its column, with a class to find it by."""
    widget.layout.width = "calc(100% - 8px)"
    widget.add_class(css)
    return widget
