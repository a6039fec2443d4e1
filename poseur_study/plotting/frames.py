"""DataFrames as tables of a page: row heads, numbers flush right, verdicts in their colours, and the CSV beside."""

import numbers
from collections.abc import Iterable
from typing import Any

import pandas as pd
from markupsafe import Markup

from poseur_study.analysis.verdict import Verdict

LONGEST, FILTERED = 40, 8
"""Lines that a page shows of a frame, whose CSV has all (of verdicts all are shown); lines from which a table of verdicts has a filter."""
VERDICTS = {verdict.value: verdict for verdict in Verdict}

TABLE = Markup('<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>{}')
FILTER = Markup(
    '<fieldset class="filter"><legend>show</legend>'
    '<label><input type="radio" name="verdict" value="all" checked>all</label>'
    '<label><input type="radio" name="verdict" value="good">as claimed</label>'
    '<label><input type="radio" name="verdict" value="bad">against</label>'
    '<label><input type="radio" name="verdict" value="soft">undecided</label></fieldset>'
)
"""A filter of lines by verdict that needs no script: the style sheet hides the others."""
HEAD = Markup('<th scope="col"{}>{}</th>')
ROW_HEAD = Markup('<th scope="row" data-column="{}">{}</th>')
CELL = Markup('<td{} data-column="{}">{}</td>')
SOFT = Markup('<span class="soft">{}</span>')
LINK = Markup('<a href="{}">{}</a>')
NUMBER = Markup(' class="number"')


class Linked(str):
    """Text that is a link on a page.

    Attributes:
        target: of the link.
    """

    target: str

    def __new__(cls, text: str, target: str) -> "Linked":
        """The text, with its target."""
        linked = super().__new__(cls, text)
        linked.target = target
        return linked


def frame_bundle(frame: pd.DataFrame | pd.Series) -> tuple[dict[str, str], dict[str, Any]]:
    """What IPython keeps of a shown frame: HTML, CSV and text."""
    frame = frame.to_frame() if isinstance(frame, pd.Series) else frame
    return {"text/html": frame_html(frame), "text/csv": as_csv(frame), "text/plain": frame.to_string()}, {}


def as_csv(frame: pd.DataFrame) -> str:
    """All of a frame, with its index where that says something."""
    return frame.to_csv(index=not _is_numbered(frame), lineterminator="\n", float_format="%.6g")


def frame_html(frame: pd.DataFrame) -> str:
    """A frame as a table; the levels of an index that is more than line numbers are the rows' heads."""
    heads = 0 if _is_numbered(frame) else frame.index.nlevels
    whole = frame.reset_index() if heads else frame
    names = [_name(column) for column in whole.columns]
    if heads == 1 and frame.index.name is None:
        names[0] = ""
    longest = len(whole) if "verdict" in names else LONGEST
    flush = [place >= heads and pd.api.types.is_numeric_dtype(whole.iloc[:, place]) for place in range(len(names))]
    rows = [
        Markup("<tr>{}</tr>").format(Markup().join(_cells(line, names, flush, heads)))
        for line in whole.head(longest).itertuples(index=False, name=None)
    ]
    more = len(whole) - longest
    note = Markup('<p class="caption">{:,} more lines are in the CSV.</p>').format(more) if more > 0 else Markup()
    columns = Markup().join(HEAD.format(NUMBER * right, name) for name, right in zip(names, flush, strict=True))
    chooser = FILTER if "verdict" in names and len(whole) >= FILTERED else Markup()
    return str(chooser + TABLE.format(columns, Markup("\n").join(rows), note))


def shown(value: Any) -> str | Markup:
    """A cell: numbers with one decimal (two digits where they are below 1), a verdict in its colour."""
    if isinstance(value, Markup):
        return value
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return "—"
    if isinstance(value, bool) or hasattr(value, "item") and value.dtype == bool:
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return _minus(f"{value:,}")
    if isinstance(value, numbers.Real):
        return _minus(f"{value:,.1f}" if abs(value) >= 1 or value == 0 else f"{value:.2g}")
    if isinstance(value, Linked):
        return LINK.format(value.target, str(value))
    text = str(value)
    if text in VERDICTS:
        return Markup('<b class="{}">{}</b>').format(VERDICTS[text].colour, text)
    first, *below = text.split("\n")
    return Markup("<br>").join([Markup.escape(first), *(SOFT.format(line) for line in below)])


def _cells(line: tuple[Any, ...], names: list[str], flush: list[bool], heads: int) -> Iterable[Markup]:
    for place, (value, name, right) in enumerate(zip(line, names, flush, strict=True)):
        yield ROW_HEAD.format(name, shown(value)) if place < heads else CELL.format(NUMBER * right, name, shown(value))


def _is_numbered(frame: pd.DataFrame) -> bool:
    return isinstance(frame.index, pd.RangeIndex) and frame.index.name is None


def _name(column: Any) -> str:
    return " · ".join(str(part) for part in column if part != "") if isinstance(column, tuple) else str(column)


def _minus(text: str) -> str:
    return text.replace("-", "−")
