"""DataFrames as tables of a page: row heads, numbers flush right, verdicts in their colours, and the CSV beside."""

import numbers
import zlib
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from poseur_study.analysis.verdict import Verdict

LONGEST, FILTERED = 80, 8
"""Lines that a page shows of a frame (of verdicts all; the CSV has all); lines from which verdicts have a filter."""
VERDICTS = {verdict.value: verdict for verdict in Verdict}

TABLE = Markup('<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>{}')
FILTER = Markup('<fieldset class="filter"><legend>show</legend>{}</fieldset>')
"""A choice of lines by verdict that needs no script: the style sheet hides the others."""
CHOICE = Markup('<label><input type="radio" name="{}" value="{}"{}>{}</label>')
VERDICT = Markup('<b class="{}" title="{}">{}</b>')
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
    columns = [_Column(name, whole.iloc[:, place], place < heads) for place, name in enumerate(names)]
    filtered = "verdict" in names[heads:] and len(whole) >= FILTERED
    longest = len(whole) if "verdict" in names else LONGEST
    lines = zip(*(of.values.head(longest) for of in columns), strict=True)
    rows = [
        Markup("<tr>{}</tr>").format(Markup().join(of.cell(value) for of, value in zip(columns, line, strict=True)))
        for line in lines
    ]
    more = len(whole) - longest
    note = Markup('<p class="caption">{:,} more lines are in the CSV.</p>').format(more) if more > 0 else Markup()
    table = TABLE.format(Markup().join(of.title for of in columns), Markup("\n").join(rows), note)
    return str(_filter(table) + table if filtered else table)


class _Column:
    """A column of a table: numbers are flush right, all with the decimals that the largest of them needs."""

    def __init__(self, name: str, values: pd.Series, head: bool) -> None:
        self.name, self.values, self.head = name, values, head
        self.flush = not head and pd.api.types.is_numeric_dtype(values) and values.dtype != bool
        largest = values.abs().max() if self.flush and len(values) else 0
        self.decimals = 1 if not largest or largest >= 10 else 2 if largest >= 0.1 else 3
        self.title = HEAD.format(NUMBER * self.flush, name)

    def cell(self, value: Any) -> Markup:
        """A cell with its column's name, which a narrow screen shows beside it."""
        text = f"{value:g}" if self.head and isinstance(value, float) else shown(value, self.decimals)
        return ROW_HEAD.format(self.name, text) if self.head else CELL.format(NUMBER * self.flush, self.name, text)


def shown(value: Any, decimals: int = 1) -> str | Markup:
    """A cell: a number with so many decimals, a verdict in its colour, a link; lines below the first are paler."""
    if isinstance(value, Markup):
        return value
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return "—"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return _minus(f"{value:,}")
    if isinstance(value, numbers.Real):
        return _minus(f"{value:,.{decimals}f}")
    if isinstance(value, Linked):
        return LINK.format(value.target, str(value))
    if isinstance(value, str) and value in VERDICTS:
        return VERDICT.format(VERDICTS[value].colour, value, VERDICTS[value].short)
    first, *below = str(value).split("\n")
    return Markup("<br>").join([Markup.escape(first), *(SOFT.format(line) for line in below)])


def _filter(table: Markup) -> Markup:
    """A choice of lines by verdict, of its own for each table."""
    name = f"verdict-{zlib.crc32(table.encode()):x}"
    choices = (("all", "all"), ("good", "as claimed"), ("bad", "against"), ("soft", "undecided"))
    labels = [CHOICE.format(name, value, Markup(" checked") * (value == "all"), text) for value, text in choices]
    return FILTER.format(Markup().join(labels))


def _is_numbered(frame: pd.DataFrame) -> bool:
    return frame.index.nlevels == 1 and frame.index.name is None and pd.api.types.is_integer_dtype(frame.index)


def _name(column: Any) -> str:
    return " · ".join(str(part) for part in column if part != "") if isinstance(column, tuple) else str(column)


def _minus(text: str) -> str:
    """A number with a typographic minus, none before a zero."""
    return text.replace("-", "−") if text.strip("-0.,") else text.removeprefix("-")
