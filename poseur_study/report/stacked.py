"""Tables whose rows become cards on a narrow screen."""

import html
from collections.abc import Sequence

from markupsafe import Markup

Cell = str | Markup
"""Text, which is escaped, or HTML."""


def stacked_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], numbers: Sequence[str] = ()) -> str:
    """A table as HTML; `numbers` names the columns that are set flush right. The first column heads a row's card."""
    kinds = ["number" if name in numbers else "" for name in columns]
    head = "".join(f'<th class="{kind}">{html.escape(name)}</th>' for name, kind in zip(columns, kinds, strict=True))
    body = "".join(f"<tr>{_cells(columns, kinds, row)}</tr>" for row in rows)
    table = f'<table class="stacked"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def mark(good: bool, words: str) -> Markup:
    """A verdict: words in the colour of what is well, or of what is not."""
    return Markup('<span class="{}">{}</span>').format("good" if good else "bad", words)


def small(value: float) -> str:
    """A difference with two digits, as 2.4e-07; 0 where there is none."""
    return "0" if value == 0 else f"{value:.1e}"


def _cells(columns: Sequence[str], kinds: Sequence[str], row: Sequence[Cell]) -> str:
    named = zip(columns, kinds, row, strict=True)
    return "".join(
        f'<td class="{kind}" data-column="{html.escape(name)}"><div>{Markup.escape(cell) if cell else "—"}</div></td>'
        for name, kind, cell in named
    )
