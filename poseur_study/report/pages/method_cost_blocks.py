"""On the page of the methods: which way to count gives which printed number, and why parameters differ."""

import html

from poseur_study.costs.printed_gflops import COUNTERS
from poseur_study.paper.published import notes
from poseur_study.report.blocks import Block
from poseur_study.report.evidence import MethodCostRecord, MethodCostRow
from poseur_study.report.stacked import Cell, mark, stacked_table

_COLUMNS = ("where", "model", "printed", "hooks", "all", "counter", "by it", "", "note")
_NUMBERS = ("printed", "hooks", "all", "by it")
_TEXT = (
    "Every GFLOPs cell of Tables 2a, 2b and 5 that is not Poseur's, beside ours by hooks and with everything counted. "
    "“Counter” is the way to count that the number follows, in our reading; “by it” is our model counted so. It agrees "
    "if that is the printed number once rounded or cut off, or within 1 %."
)
SAME_MODEL = (("2a", "simba_resnet50"), ("2b", "simba_256"), ("5", "simba_resnet50"))
"""SimpleBaseline on ResNet-50 at 256 x 192, three times."""


def method_cost_blocks(record: MethodCostRecord) -> tuple[Block, ...]:
    """The counters in words, one model with three numbers, every cell, and the notes on parameters."""
    counters = "".join(f"<li><b>{html.escape(one.name)}</b>: {html.escape(one.words)}.</li>" for one in COUNTERS)
    reasons = "".join(f"<li>{html.escape(method)}: {html.escape(text)}</li>" for method, text in notes().items())
    agreeing = sum(row.agrees for row in record.rows)
    lead = f"{agreeing} of {len(record.rows)} are explained. {record.origin.text()}"
    return (
        Block("prose", f"<h2>Which counter gives which printed GFLOPs</h2><p>{_TEXT}</p><ul>{counters}</ul>"),
        Block("prose", f"<p>{html.escape(three_numbers(record))} {html.escape(lead)}</p>"),
        Block("output", stacked_table(_COLUMNS, [_cells(row) for row in record.rows], _NUMBERS)),
        Block("prose", f"<h2>Parameters that differ from what is printed</h2><ul>{reasons}</ul>"),
    )


def three_numbers(record: MethodCostRecord) -> str:
    """The sentence on the model of which the paper prints three numbers; "" where they are not in the record."""
    found = {(row.table, row.row): row for row in record.rows}
    rows = [found[key] for key in SAME_MODEL if key in found]
    if not rows:
        return ""
    each = [f"{row.printed} (Table {row.table}) is {row.counted:.3f} by the counter “{row.counter}”" for row in rows]
    return (
        "SimpleBaseline on ResNet-50 at 256 x 192 is one model with three printed numbers: "
        f"{'; '.join(each)}. By hooks, which Poseur's own numbers follow, it has {rows[0].hooks:.2f}."
    )


def _cells(row: MethodCostRow) -> list[Cell]:
    ours = [f"{row.hooks:.2f}", f"{row.everything:.2f}", row.counter, f"{row.counted:.3f}"]
    verdict = mark(row.agrees, "agrees" if row.agrees else "differs")
    return [f"Table {row.table}", row.model, row.printed, *ours, verdict, row.note]
