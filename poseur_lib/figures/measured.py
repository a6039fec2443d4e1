"""What could not be measured, in words."""

import html
from collections.abc import Sequence

from IPython.display import HTML


def missing_lines(missing: Sequence[str]) -> HTML:
    """A line for each row and seed that was not measured, with the reason; nothing where all were."""
    return HTML("".join(f"<p>Not measured: {html.escape(line)}.</p>" for line in missing))


def nothing_measured(what: str) -> HTML:
    """In the place of a figure of what was measured of no run."""
    return HTML(f"<p>No figure: {html.escape(what)} was measured of no run.</p>")
