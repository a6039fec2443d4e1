"""The one figure of a table's page."""

from IPython.display import HTML

from poseur_lib.figures.comparison import Difference, Dot, comparison_figure
from poseur_lib.study.estimate import METHOD, Estimate
from poseur_lib.study.table_result import TableResult
from poseur_lib.study.table_study import TableStudy


def table_figure(study: TableStudy, result: TableResult) -> HTML:
    """The rows' AP, the paper's and ours, and the claimed differences."""
    dots = [Dot(row.label, *_ends(row.ap), row.paper_ap) for row in result.rows]
    differences = [Difference(one.difference, *_ends(one.effect), one.paper_effect) for one in result.claims]
    estimates = [row.ap for row in result.rows if row.ap]
    seeds = max((one.n_seeds for one in estimates), default=0)
    caption = (
        f"Source: the paper's Table {result.number} (hollow) and {seeds} seed(s) of profile {result.profile} (filled) "
        f"on {result.n_images:,} images. AP is OKS AP x 100; the two AP axes differ. {METHOD}"
    )
    backbone = study.run(study.table.rows[0]).config.model.backbone.name
    return comparison_figure(dots, differences, backbone, _alt(result), caption)


def _alt(result: TableResult) -> str:
    rows = [f"{row.label}: paper {row.paper_ap}, ours {_words(row.ap)}" for row in result.rows]
    claims = [f"{one.difference}: paper {one.paper_effect}, ours {_words(one.effect)}" for one in result.claims]
    return f"AP of Table {result.number}. " + "; ".join(rows + claims) + "."


def _words(estimate: Estimate | None) -> str:
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})" if estimate else "not run"


def _ends(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
