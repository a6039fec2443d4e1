"""The table of deviations as blocks of a page."""

import html
from collections.abc import Sequence

from poseur_study.experiments.experiment import shown_name
from poseur_study.paper.deviations import LEFT_OPEN, OF_THE_PRESET, WITHOUT_KNOB, Deviation, Value
from poseur_study.report.blocks import Block

PAGE = "deviations.html"
TITLE = "Where the paper and the released code differ"
_LEAD = (
    "The models here behave as the released code does, which the tests hold against numbers recorded from it. Where "
    "the paper's text says otherwise, a knob of the configuration chooses; the preset <code>paper_text</code> turns "
    "all of them at once: <code>poseur train DIR --data DATA --preset paper_text</code>."
)
_SECTIONS = (
    ("The paper's text says otherwise", "What the preset <code>paper_text</code> changes.", OF_THE_PRESET),
    ("One of the two leaves it open", "Knobs that the preset leaves at their default.", LEFT_OPEN),
    ("No choice", "Differences in words that have no knob.", WITHOUT_KNOB),
)
_COLUMNS = ("subject", "paper", "released code", "here")


def deviation_blocks() -> tuple[Block, ...]:
    """A lead, and a table for each kind of deviation."""
    blocks = [Block("prose", f'<h1>{TITLE}</h1><p class="lead">{_LEAD}</p>')]
    for heading, about, rows in _SECTIONS:
        blocks.append(Block("prose", f"<h2>{heading}</h2><p>{about}</p>"))
        blocks.append(Block("output", _table(rows)))
    return tuple(blocks)


def _table(rows: Sequence[Deviation]) -> str:
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    table = f'<table class="deviations"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def _cells(row: Deviation) -> str:
    subject = f'<b>{html.escape(row.subject)}</b><br><span class="soft">{html.escape(row.place)}</span>'
    cells = (subject, html.escape(row.paper), html.escape(row.released), _here(row))
    named = zip(_COLUMNS, cells, strict=True)
    return "".join(f'<td data-column="{name}">{cell}</td>' for name, cell in named)


def _here(row: Deviation) -> str:
    parts = []
    if row.knob is not None:
        parts.append(f"{_code(row.knob)} = {_code(_value(row.default))}")
        if row.paper_value is not None:
            parts.append(f"paper_text: {_code(_value(row.paper_value))}")
    if row.note:
        parts.append(html.escape(row.note))
    tables = ", ".join("every trained model" if one == "all" else shown_name(one) for one in row.tables)
    file, _, name = row.test.partition("::")
    parts.append(f'<span class="soft">Touches {tables}. Test: {_code(name)} in {_code(file)}.</span>')
    return "<br>".join(parts)


def _value(value: Value | None) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code(text: str) -> str:
    """Code that may break after a dot, a slash or an underscore, so that a column stays narrow."""
    escaped = html.escape(text)
    for mark in "._/":
        escaped = escaped.replace(mark, f"{mark}<wbr>")
    return f"<code>{escaped}</code>"
