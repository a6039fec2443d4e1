"""The page of all methods on one pipeline: costs beside the printed ones, latency, and how each overfits 32 images."""

from collections.abc import Mapping

from poseur_study.costs.printed_gflops import COUNTERS, MethodCost
from poseur_study.display.html_table import Cell, mark
from poseur_study.experiments.methods import METHODS
from poseur_study.experiments.profiles import profile
from poseur_study.paper.tables import published, published_notes
from poseur_study.report.evidence import MethodCostRecord, MethodRecord, MethodRow, Overfit
from poseur_study.report.pages.page import Page, make_page

MINI = profile("mini")
MINI_PEOPLE_SEEN = MINI.config.train.epochs * MINI.people.train_images
SAME_MODEL = (("2a", "simba_resnet50"), ("2b", "simba_256"), ("5", "simba_resnet50"))
"""SimpleBaseline on ResNet-50 at 256 x 192, three times."""


def methods_page(record: MethodRecord, printed: MethodCostRecord | None = None) -> Page:
    """A row for each method and backbone; then which way to count gives the GFLOPs that the paper prints of them."""
    trained = [row.overfit for row in record.rows if row.overfit is not None]
    in_order = sorted(record.rows, key=lambda row: list(METHODS).index(row.method))
    found = {(row.table, row.row): row for row in printed.rows} if printed else {}
    return make_page(
        "methods.html", "Methods", "The methods Poseur is compared with, on one pipeline",
        record=record, trained=trained, size="{} x {}".format(*record.rows[0].input_size), people=MINI_PEOPLE_SEEN,
        lines=[_line(row) for row in in_order],
        printed=printed,
        three=[found[key] for key in SAME_MODEL if key in found],
        printed_lines=[_printed_line(row) for row in found.values()],
        counters=COUNTERS, notes=published_notes(),
    )  # fmt: skip


def _line(row: MethodRow) -> dict[str, Cell]:
    printed = published(row.method, row.backbone)
    training_ms = None if row.training_cpu_ms is None else MINI_PEOPLE_SEEN * row.training_cpu_ms
    return {
        "method": row.method,
        "backbone": row.backbone,
        "params, printed": _figure(printed.parameters),
        "params": f"{row.parameters / 1e6:.2f}",
        "GFLOPs, printed": _figure(printed.gflops),
        "GFLOPs (hooks)": f"{row.hook_multiply_adds / 1e9:.2f}",
        "GFLOPs (all)": f"{row.multiply_adds / 1e9:.2f}",
        "latency": "not timed" if row.latency_ms is None else f"{row.latency_ms:.0f} ms",
        "training": "not timed" if training_ms is None else f"{training_ms / 60e3:.1f} min",
        **_overfit(row.overfit),
    }


def _figure(figure: tuple[str, str] | None) -> str:
    """The digits, with an asterisk where their source is only recalled."""
    if figure is None:
        return "—"
    digits, source = figure
    return f"{digits}*" if "unverified" in source else digits


def _overfit(one: Overfit | None) -> Mapping[str, Cell]:
    if one is None:
        return {"learnt AP": "", "at the end": "", "ceiling": "", "by heart": "not trained"}
    verdict = mark(one.learnt, "learnt" if one.learnt else f"misses {one.target:.1f}")
    return {
        "learnt AP": one.ap, "at the end": one.ap_at_the_end, "ceiling": one.ceiling, "by heart": verdict
    }  # fmt: skip


def _printed_line(row: MethodCost) -> dict[str, Cell]:
    return {
        "where": f"Table {row.table}", "model": row.model, "printed": row.printed, "hooks": f"{row.hooks:.2f}",
        "all": f"{row.everything:.2f}", "counter": row.counter, "by it": f"{row.counted:.3f}",
        "": mark(row.agrees, "agrees" if row.agrees else "differs"), "note": row.note,
    }  # fmt: skip
