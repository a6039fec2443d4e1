"""What could not be measured, or not again, in words."""

import html
from collections.abc import Sequence

from IPython.display import HTML


def measured_notes(notes: Sequence[str]) -> HTML:
    """A line for each row and seed that was not measured, or not by this code, with the reason."""
    return HTML("".join(f"<p>{html.escape(line)}.</p>" for line in notes))


def nothing_measured(what: str) -> HTML:
    """In the place of a figure of what was measured of no run."""
    return HTML(f"<p>No figure: {html.escape(what)} was measured of no run.</p>")
