"""What was measured of how many seeds, and what could not be, in words."""

import html
from collections.abc import Mapping, Sequence

from IPython.display import HTML


def seed_words(of: Mapping[str, int]) -> str:
    """`3 seeds`, or by label where they differ: `2 seeds (Poseur), 3 seeds (SimpleBaseline)`."""
    labels: dict[int, list[str]] = {}
    for label, number in of.items():
        labels.setdefault(number, []).append(label)
    words = {number: f"{number} seed{'s' * (number != 1)}" for number in sorted(labels)}
    if len(words) == 1:
        return next(iter(words.values()))
    return ", ".join(f"{text} ({'; '.join(labels[number])})" for number, text in words.items())


def measured_notes(notes: Sequence[str]) -> HTML:
    """A line for each row and seed that was not measured, or not by this code, with the reason."""
    return HTML("".join(f"<p>{html.escape(line)}.</p>" for line in notes))


def nothing_measured(what: str) -> HTML:
    """In the place of a figure of what was measured of no run."""
    return HTML(f"<p>No figure: {html.escape(what)} was measured of no run.</p>")
