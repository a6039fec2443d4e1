"""The one figure of a table's page."""

from IPython.display import HTML

from poseur_lib.config import ExperimentConfig
from poseur_study.analysis.interval import METHOD, Estimate, bounded, cut_note
from poseur_study.analysis.result_types import RowResult, TableResult
from poseur_study.costs.row_cost import USUAL, hook_counts
from poseur_study.display.comparison import Difference, Dot, comparison_figure
from poseur_study.display.gflops import CostDot, gflops_figure
from poseur_study.experiments.experiment import Row, Table, shown_name
from poseur_study.paper.printed import Printed
from poseur_study.paper.tables import paper_tables
from poseur_study.table_study import TableStudy

OWN_UNITS = "measured, each in the unit of its name"


def table_figure(study: TableStudy, result: TableResult) -> HTML:
    """The rows' AP, the paper's and ours, and the claimed differences; for Fig. 1 the AP over the cost."""
    if study.table.scatter:
        return _scatter(study, result)
    table, measure = study.table, headline(study.table)
    dots = [_dot(table, row, of, measure) for row, of in zip(result.rows, table.rows, strict=True)]
    of_claims = {one.difference: one for one in reversed(result.claims)}  # several claims may speak of one difference
    differences = [Difference(name, *_ends(one.effect), one.paper_effect) for name, one in reversed(of_claims.items())]
    what = "AP is OKS AP x 100; the two AP axes differ." if measure == "AP" else "PCKh@0.5."
    levels = [one for row in result.rows for one in (row.ap, row.released_ap)]
    caption = (
        f"Source: the paper's {_printed_in(table)} (hollow) and {_seeds(result)} of profile "
        f"{result.profile} (filled) on {result.n_images:,} images{_beside_paper(result)}. {what} {METHOD}"
        f"{cut_note(levels)}"
        if any(levels)
        else f"Source: the paper's {_printed_in(table)} (hollow); none of the rows was run here. {what}"
    )
    unit = OWN_UNITS if any(claim.measured for claim in table.claims) else "difference, points"
    return comparison_figure(dots, differences, measure, _alt(result, measure), caption, unit)


def _dot(table: Table, row: RowResult, of: Row, measure: str) -> Dot:
    ends = _ends(bounded(row.ap))
    return Dot(row.label, *ends, _printed(row, measure), row_backbone(table, of), of.method, _released(row))


def _scatter(study: TableStudy, result: TableResult) -> HTML:
    table, printed, ours = study.table, [], []
    for row, of in zip(table.rows, result.rows, strict=True):
        who = (_pair(row), row.method, row_backbone(table, row))
        gflops, ap = row.printed("GFLOPs"), row.printed("AP")
        if isinstance(gflops, Printed) and isinstance(ap, Printed):
            printed.append(CostDot(*who, gflops.value, ap.value))
        if of.ap is not None:
            level = bounded(of.ap)
            trained = hook_counts(study.run(row).config).of(USUAL["GFLOPs"])
            ours.append(CostDot(*who, trained, level.value, level.low, level.high))
    caption = (
        "Left: the paper's Tables 2a and 5; Fig. 1 itself prints no numbers. Right: "
        f"{_seeds(result)} of profile {result.profile} on {result.n_images:,} images, at the multiply-adds of "
        "the models that were trained. A line joins methods on one backbone and crop size. AP is OKS AP x 100. "
        f"{METHOD}{cut_note(row.ap for row in result.rows)}"
    )
    return gflops_figure(printed, ours, _alt(result, "AP"), caption)


def headline(table: Table) -> str:
    """What a table compares by: AP, or the mean PCKh of Table 4."""
    return "AP" if "AP" in table.columns else table.columns[0]


def row_backbone(table: Table, row: Row) -> str:
    """A row's backbone, as the paper's own configuration of it has it."""
    changes = table.changes(row)
    if not changes and row.paper:
        return paper_tables()[row.paper[0]].row(row.paper[1]).subject.backbone
    return ExperimentConfig().with_changes(**changes).model.backbone.name


def _printed_in(table: Table) -> str:
    """The tables of the paper that print the rows' figures."""
    numbers = dict.fromkeys(row.paper[0] for row in table.rows if row.paper)
    return ", ".join(map(shown_name, numbers)) or table.name


def _pair(row: Row) -> str:
    subject = paper_tables()[row.paper[0]].row(row.paper[1]).subject
    return subject.backbone + ("" if subject.input == "256 × 192" else f" {subject.input}")


def _printed(row: RowResult, measure: str) -> float | None:
    (cell,) = [cell for cell in row.cells if cell.column == measure]
    return None if cell.paper is None else float(cell.paper)


def _released(row: RowResult) -> tuple[float, float, float] | None:
    return _ends(bounded(row.released_ap)) if row.released_ap else None


def _beside_paper(result: TableResult) -> str:
    shown = any(row.released_ap for row in result.rows)
    return "; beside the paper's figure (filled), the released checkpoint evaluated on them" if shown else ""


def _seeds(result: TableResult) -> str:
    n = max((row.ap.n_seeds for row in result.rows if row.ap), default=0)
    return f"{n} seed{'s' * (n != 1)}"


def _alt(result: TableResult, measure: str) -> str:
    rows = [
        f"{row.label}: paper {_printed(row, measure)}, "
        + (f"released checkpoint {_words(bounded(row.released_ap))}, " if row.released_ap else "")
        + f"ours {_words(bounded(row.ap))}"
        for row in result.rows
    ]
    claims = [f"{one.difference}: paper {one.paper_effect}, ours {_words(one.effect)}" for one in result.claims]
    return f"{measure} of {shown_name(result.number)}. " + "; ".join(rows + claims) + "."


def _words(estimate: Estimate | None) -> str:
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})" if estimate else "not run"


def _ends(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
