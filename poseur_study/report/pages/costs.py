"""The page of the paper's cost columns beside ours.

On the page of the methods: which way to count gives which printed number, and why parameters differ.
"""

import html

from poseur_study.costs.paper_costs import RULE
from poseur_study.costs.printed_gflops import COUNTERS
from poseur_study.paper.tables import published_notes
from poseur_study.report.blocks import Block, Cell, mark, stacked_table
from poseur_study.report.evidence import CostRecord, CostRow, MethodCostRecord, MethodCostRow

TITLE = "Parameters and GFLOPs, the paper's beside ours"

PAGE = "costs.html"

_COLUMNS = ("where", "model", "what", "paper", "ours", "difference", "everything", "verdict", "note")

_TEXT = (
    "What the paper prints of Poseur itself, each cell once. A GFLOP is a billion multiply-adds. “Ours” follows the "
    "hook convention, “everything” counts attention and sampling as well. A note says what else would explain a "
    "number; where the paper does not say how it counted, that is a guess. Memory and frames per second of supp. "
    "Table 5 are printed without device, batch or software, so nothing can be compared with them."
)


def cost_blocks(record: CostRecord) -> tuple[Block, ...]:
    """A verdict, what differs, and every cell."""
    differing = [row for row in record.rows if not row.agrees]
    agreeing = len(record.rows) - len(differing)
    lead = f"{agreeing} of {len(record.rows)} printed costs agree. {RULE} {record.origin.text()}"
    return (
        Block("prose", f'<h1>{TITLE}</h1><p class="lead">{html.escape(lead)}</p><p>{_TEXT}</p>'),
        Block("prose", f"<h2>What differs</h2><p>{len(differing)} numbers, each with what is known of it.</p>"),
        Block("output", _table(differing)),
        Block("prose", "<h2>What agrees</h2>"),
        Block("output", _table([row for row in record.rows if row.agrees])),
    )


def _table(rows: list[CostRow]) -> str:
    return stacked_table(_COLUMNS, [_cells(row) for row in rows], ("paper", "ours", "difference", "everything"))


def _cells(row: CostRow) -> list[Cell]:
    everything = "" if row.ours_everything is None else _number(row.ours_everything)
    verdict = mark(row.agrees, "agrees" if row.agrees else "differs")
    note = row.note or ("" if row.agrees else "unexplained")
    difference = f"{row.percent:+.1f} %".replace("-", "−")
    return [row.source, row.model, row.quantity, row.paper, _number(row.ours), difference, everything, verdict, note]


def _number(value: float) -> str:
    return f"{value:.3f}"


_PRINTED_COLUMNS = ("where", "model", "printed", "hooks", "all", "counter", "by it", "", "note")

_NUMBERS = ("printed", "hooks", "all", "by it")

_PRINTED_TEXT = (
    "Every GFLOPs cell of Tables 2a, 2b and 5 that is not Poseur's, beside ours by hooks and with everything counted. "
    "“Counter” is the way to count that the number follows, in our reading; “by it” is our model counted so. It agrees "
    "if that is the printed number once rounded or cut off, or within 1 %."
)

SAME_MODEL = (("2a", "simba_resnet50"), ("2b", "simba_256"), ("5", "simba_resnet50"))
"""SimpleBaseline on ResNet-50 at 256 x 192, three times."""


def method_cost_blocks(record: MethodCostRecord) -> tuple[Block, ...]:
    """The counters in words, one model with three numbers, every cell, and the notes on parameters."""
    counters = "".join(f"<li><b>{html.escape(one.name)}</b>: {html.escape(one.words)}.</li>" for one in COUNTERS)
    notes = published_notes()
    reasons = "".join(f"<li>{html.escape(method)}: {html.escape(text)}</li>" for method, text in notes.items())
    agreeing = sum(row.agrees for row in record.rows)
    lead = f"{agreeing} of {len(record.rows)} are explained. {record.origin.text()}"
    return (
        Block("prose", f"<h2>Which counter gives which printed GFLOPs</h2><p>{_PRINTED_TEXT}</p><ul>{counters}</ul>"),
        Block("prose", f"<p>{html.escape(three_numbers(record))} {html.escape(lead)}</p>"),
        Block("output", stacked_table(_PRINTED_COLUMNS, [_printed_cells(row) for row in record.rows], _NUMBERS)),
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


def _printed_cells(row: MethodCostRow) -> list[Cell]:
    ours = [f"{row.hooks:.2f}", f"{row.everything:.2f}", row.counter, f"{row.counted:.3f}"]
    verdict = mark(row.agrees, "agrees" if row.agrees else "differs")
    return [f"Table {row.table}", row.model, row.printed, *ours, verdict, row.note]
