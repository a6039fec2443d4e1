"""The page of the paper's costs of Poseur beside ours."""

from poseur_study.costs.paper_costs import RULE
from poseur_study.display.html_table import Cell, mark
from poseur_study.report.evidence import CostRecord, CostRow
from poseur_study.report.pages.page import Page, make_page


def costs_page(record: CostRecord) -> Page:
    """A verdict, what differs, and every cell."""
    lines = {agrees: [_line(row) for row in record.rows if row.agrees == agrees] for agrees in (True, False)}
    title = "Parameters and GFLOPs, the paper's beside ours"
    context = {"record": record, "rule": RULE, "agreeing": lines[True], "differing": lines[False]}
    return make_page("costs.html", "Costs", title, **context)


def _line(row: CostRow) -> dict[str, Cell]:
    return {
        "where": row.source, "model": row.model, "what": row.quantity, "paper": row.paper, "ours": f"{row.ours:.3f}",
        "difference": f"{row.percent:+.1f} %".replace("-", "−"),
        "everything": "" if row.ours_everything is None else f"{row.ours_everything:.3f}",
        "verdict": mark(row.agrees, "agrees" if row.agrees else "differs"),
        "note": row.note or ("" if row.agrees else "unexplained"),
    }  # fmt: skip
