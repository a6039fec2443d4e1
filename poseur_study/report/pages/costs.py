"""The page of the paper's cost columns beside ours."""

import html

from poseur_study.costs.paper_costs import RULE
from poseur_study.report.blocks import Block
from poseur_study.report.evidence import CostRecord, CostRow
from poseur_study.report.stacked import Cell, mark, stacked_table

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
