"""DataFrames as tables of a page: row heads, numbers flush right, verdicts in their colours, and the CSV beside."""

import numbers
import zlib
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from poseur_study.analysis.verdict import Verdict

LONGEST, FILTERED, LONGEST_CSV = 80, 8, 20_000
"""Lines that are shown of a frame (of verdicts all); from which verdicts have a filter; of which a CSV is kept."""
VERDICTS = {verdict.value: verdict for verdict in Verdict}

LAB = (
    "<style>.jp-RenderedHTMLCommon .scroll :is(th, td):not(.number) { text-align: left; } "
    ".jp-RenderedHTMLCommon .scroll td { vertical-align: top; } .jp-RenderedHTMLCommon .soft { opacity: 0.7; } "
    ".jp-RenderedHTMLCommon b.good { color: var(--jp-success-color1); } "
    ".jp-RenderedHTMLCommon b.bad { color: var(--jp-error-color1); }</style>"
)
"""What the pages' style sheet says of tables, for JupyterLab, which sets all cells flush right."""
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
NO_COUNT = Markup(' class="number no-count"')
"""Of a verdict that none has; a narrow screen, where every cell is a line, leaves it out."""
COUNTED = frozenset(verdict.short for verdict in Verdict)
NOTE = Markup('<p class="caption">{}</p>')


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
    """What IPython keeps of a shown frame: HTML, text and, unless it is very long, CSV."""
    frame = frame.to_frame() if isinstance(frame, pd.Series) else frame
    shown = {"text/html": LAB + frame_html(frame), "text/plain": frame.to_string(max_rows=LONGEST)}
    return shown | ({"text/csv": as_csv(frame)} if len(frame) <= LONGEST_CSV else {}), {}


def as_csv(frame: pd.DataFrame) -> str:
    """All of a frame, with its index where that says something."""
    return frame.to_csv(index=not _is_numbered(frame), lineterminator="\n", float_format="%.6g")


def frame_html(frame: pd.DataFrame) -> str:
    """A frame as a table; the levels of an index that is more than line numbers are the rows' heads.

    Numbered columns are named by what they number (`seed 0`); a frame's `attrs["note"]`, and how many lines
    are not shown, stand below.
    """
    heads = 0 if _is_numbered(frame) else frame.index.nlevels
    whole = frame.reset_index() if heads else frame
    numbered = frame.columns.name if pd.api.types.is_integer_dtype(frame.columns) else None
    names = [f"{numbered} {column}" if numbered and place >= heads else _name(column)
             for place, column in enumerate(whole.columns)]  # fmt: skip
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
    notes = [f"The first {longest} of {len(whole):,} lines."] if len(whole) > longest else []
    notes += ["No lines."] if whole.empty else []
    notes += [frame.attrs["note"]] if frame.attrs.get("note") else []
    note = NOTE.format(" ".join(notes)) if notes else Markup()
    table = TABLE.format(Markup().join(of.title for of in columns), Markup("\n").join(rows), note)
    return str(_filter(table) + table if filtered else table)


class _Column:
    """A column of a table: numbers are flush right, with as many decimals as the largest needs, or as not to be 0."""

    def __init__(self, name: str, values: pd.Series, head: bool) -> None:
        self.name, self.values, self.head = name, values, head
        self.flush = not head and pd.api.types.is_numeric_dtype(values) and values.dtype != bool
        largest = values.abs().max() if self.flush and len(values) else 0
        self.decimals = 1 if not largest or largest >= 10 else 2 if largest >= 0.1 else 3
        self.title = HEAD.format(NUMBER * self.flush, name)

    def cell(self, value: Any) -> Markup:
        """A cell with its column's name, which a narrow screen shows beside it."""
        decimals = decimals_of_sign(value, self.decimals) if isinstance(value, float) else self.decimals
        if self.name == "p" and isinstance(value, float):
            text = p_words(value) or "—"
        else:
            text = f"{value:g}" if self.head and isinstance(value, float) else shown(value, decimals)
        kind = NO_COUNT if self.name in COUNTED and value == 0 else NUMBER
        return ROW_HEAD.format(self.name, text) if self.head else CELL.format(kind * self.flush, self.name, text)


def decimals_of_sign(value: float, decimals: int = 1) -> int:
    """So many decimals, or as many more as a number that is not 0 needs not to be shown as 0; 3 at most."""
    places = range(decimals, 4)
    return next((place for place in places if round(value, place)), decimals) if value == value else decimals


def p_words(p: float | None) -> str:
    """`0.013`, `< 0.001`; "" where nothing was tested."""
    return "" if p is None or p != p else f"{p:.3f}" if p >= 0.001 else "<\N{NO-BREAK SPACE}0.001"


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
    choices = (("all", "all"), ("good", "as claimed"), ("bad", "against"), ("soft", "undecided or better"))
    labels = [CHOICE.format(name, value, Markup(" checked") * (value == "all"), text) for value, text in choices]
    return FILTER.format(Markup().join(labels))


def _is_numbered(frame: pd.DataFrame) -> bool:
    return frame.index.nlevels == 1 and frame.index.name is None and pd.api.types.is_integer_dtype(frame.index)


def _name(column: Any) -> str:
    return " · ".join(str(part) for part in column if part != "") if isinstance(column, tuple) else str(column)


def _minus(text: str) -> str:
    """A number with a typographic minus, none before a zero."""
    return text.replace("-", "−") if text.strip("-0.,") else text.removeprefix("-")
