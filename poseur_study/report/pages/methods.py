"""The page of all methods on one pipeline: costs beside the printed ones, latency, and what each learns by heart."""

import html

from poseur_study.experiments.methods import METHODS
from poseur_study.experiments.profiles import profile
from poseur_study.paper.tables import published
from poseur_study.report.blocks import Block, Cell, mark, stacked_table
from poseur_study.report.evidence import MethodRecord, MethodRow, Overfit

TITLE = "The methods Poseur is compared with, on one pipeline"
PAGE = "methods.html"
MINI = profile("mini")
MINI_PEOPLE_SEEN = MINI.config.train.epochs * MINI.people.train_images
_COLUMNS = (
    "method", "backbone", "params, printed", "params", "GFLOPs, printed", "GFLOPs (hooks)", "GFLOPs (all)", "latency",
    "training", "learnt AP", "at the end", "ceiling", "by heart",
)  # fmt: skip
_NUMBERS = _COLUMNS[2:-1]
_SIZES = (
    "Costs are those of the paper's own configuration at {size}: parameters in millions (without a flow's, which "
    "only the loss needs), GFLOPs as billions of multiply-adds, by module hooks and with everything counted. Printed "
    "GFLOPs are those of Tables 5 and 2a, else the method's own; publications count in several ways, which the second "
    "table tells apart. * recalled, not read. Latency: one crop, float32, median. Training: processor time "
    "of one thread for the stand-in's run of profile mini, {people:,} people."
)
_LEARNT = (
    "Whether a method is built right shows in what it learns by heart: its stand-in of profile mini sees "
    "32 generated images again and again, and is judged on them ten times. It has to reach 90 AP, or 3 less than its "
    "ceiling where that is lower (70 for plain L1 and PRTR). The ceiling is the AP of ground truth that is encoded and "
    "decoded again; heatmaps of a quarter of a 64 x 48 input lose much. The best look counts and the last one stands "
    "beside it: a quarter shift goes by the sign of the difference of two cells that are equal in the target, so that "
    "a map learnt by heart is moved by the noise that is left. These numbers say nothing about which method is better."
)


def method_blocks(record: MethodRecord) -> tuple[Block, ...]:
    """A lead, and a row for each method and backbone."""
    trained = [row.overfit for row in record.rows if row.overfit is not None]
    learnt = sum(one.learnt for one in trained)
    size = "{} x {}".format(*record.rows[0].input_size)
    last = sum(one.ap_at_the_end >= one.target for one in trained)
    lead = (
        f"{learnt} of the {len(trained)} that were trained learn 32 images by heart by their best look, "
        f"{last} by the last; {len(record.rows) - len(trained)}"
        f" were counted only. {record.origin.text()}"
    )
    if record.timed is not None:
        lead += f" Latencies and the time of training: {record.timed.text()}"
    return (
        Block("prose", f'<h1>{TITLE}</h1><p class="lead">{html.escape(lead)}</p>'),
        Block("prose", f"<p>{_SIZES.format(size=size, people=MINI_PEOPLE_SEEN)}</p><p>{_LEARNT}</p>"),
        Block("output", stacked_table(_COLUMNS, [_cells(row) for row in in_order(record)], _NUMBERS)),
    )


def in_order(record: MethodRecord) -> list[MethodRow]:
    """Rows of one method side by side, the paper's method first."""
    return sorted(record.rows, key=lambda row: list(METHODS).index(row.method))


def _cells(row: MethodRow) -> list[Cell]:
    printed = published(row.method, row.backbone)
    return [
        row.method,
        row.backbone,
        _printed(printed.parameters),
        f"{row.parameters / 1e6:.2f}",
        _printed(printed.gflops),
        f"{row.hook_multiply_adds / 1e9:.2f}",
        f"{row.multiply_adds / 1e9:.2f}",
        "not timed" if row.latency_ms is None else f"{row.latency_ms:.0f} ms",
        "not timed" if row.training_cpu_ms is None else f"{MINI_PEOPLE_SEEN * row.training_cpu_ms / 60e3:.1f} min",
        *_learnt(row.overfit),
    ]


def _printed(figure: tuple[str, str] | None) -> str:
    """The digits, with an asterisk where their source is only recalled."""
    if figure is None:
        return "—"
    digits, source = figure
    return f"{digits}*" if "unverified" in source else digits


def _learnt(one: Overfit | None) -> list[Cell]:
    if one is None:
        return ["—"] * 3 + ["not trained"]
    verdict = mark(one.learnt, "learnt" if one.learnt else f"misses {one.target:.1f}")
    return [f"{one.ap:.1f}", f"{one.ap_at_the_end:.1f}", f"{one.ceiling:.1f}", verdict]
