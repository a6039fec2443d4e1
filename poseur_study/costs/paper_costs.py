"""What the paper prints of Poseur's parameters and GFLOPs, each cell once, beside ours.

Supp. Table 5 also prints memory and frames per second, without device or software: nothing to compare with.
"""

from collections.abc import Iterable, Mapping
from itertools import product

from poseur_lib.config import ExperimentConfig
from poseur_study.costs.cost_rows import CostRow, agrees_with
from poseur_study.costs.row_cost import USUAL, both_counts, quantity_of, row_config
from poseur_study.experiments import TABLES
from poseur_study.experiments.experiment import CostColumn, Row, Table
from poseur_study.paper.formula import Cell
from poseur_study.paper.tables import Printed, paper_tables

_WITH_FLOWS = "counts the two flows: without them it would be 0.1 M less, as in Table 1e"
_CUT = "without the two flows, and cut to one digit rather than rounded"
_LESS = (
    f"without the two flows; 0.1 M less than ours cut to one digit: {Cell('1e', 'layers_3', 'Params')} and 1.4 a layer"
    " would give it"
)
_STEP = "the paper's step is 0.03 a layer, that of the released code 0.021 by hooks and 0.029 in all"
_BINARY = (
    "the hooks' count is higher; everything counted, in units of 2^30 as HRNet's own summary prints GFLOPs, would be"
    " the printed number in both HRNet rows of Table 5, but whether it was counted so is not known"
)
_ROUNDED = (
    f"Table 1e's {Cell('1e', 'layers_6', 'GFLOPs')}, rounded; Table 2a prints {Cell('2a', 'poseur_resnet50', 'GFLOPs')}"
)
NOTES: Mapping[tuple[str, str, str], str] = {
    **{("1d", f"levels_{number}", "Params"): _WITH_FLOWS for number in (1, 2, 3, 4)},
    **{("1e", f"layers_{number}", "Params"): _CUT for number in (3, 6)},
    **{("1e", f"layers_{number}", "Params"): _LESS for number in (4, 5)},
    **{("1e", f"layers_{number}", "GFLOPs"): _STEP for number in (4, 5, 6)},
    ("2a", "poseur_mobilenet", "GFLOPs"): "unexplained: five layers give 0.466, six 0.487",
    ("2a", "poseur_resnet50", "GFLOPs"): "Table 1e prints it for five layers too",
    **{("2b", f"poseur_{size}", "Params"): "without the flows" for size in (64, 128, 256)},
    ("2b", "poseur_64", "GFLOPs"): "unexplained: six layers would give 0.494, but 1.598 at 128 x 128",
    ("5", "poseur_resnet50", "GFLOPs"): _ROUNDED,
    ("5", "poseur_hrnet_w32", "GFLOPs"): f"Table 2a prints {Cell('2a', 'poseur_hrnet_w32', 'GFLOPs')}; {_BINARY}",
    ("5", "poseur_hrnet_w48_384", "GFLOPs"): _BINARY,
    ("S3", "own", "Params"): "no number of layers gives it: 5 have 31.7 M, 6 have 33.1 M, as in Table 1e",
    ("S3", "shared", "Params"): "layer and output branches shared; counts the two flows",
    ("S4", "emsda", "GFLOPs (Dec.)"): "the neck (0.377 in convolutions) and 0.021 a decoder layer",
    ("S4", "msda", "GFLOPs (Dec.)"): ("MSDA projects 4080 cells in each of 3 layers: 3 x 4080 x 256^2 = 0.80 more"),
    ("S5", "poseur_resnet50", "GFLOPs"): _ROUNDED,
}
"""Why a cell may differ from ours, and where the reading of the row is ours."""


def printed_costs() -> tuple[tuple[Table, Row, CostColumn], ...]:
    """Every cell that prints parameters or GFLOPs of Poseur, each in the table of its own number."""
    return tuple(
        (table, row, column)
        for table in TABLES
        for row, column in product(table.rows, USUAL)
        if row.method == "Poseur" and row.paper and row.paper[0] == table.number
        if isinstance(row.printed(column), Printed)
    )


def compare_costs(cells: Iterable[tuple[Table, Row, CostColumn]] | None = None) -> tuple[CostRow, ...]:
    """Every cell with our number, by the configuration that its row is declared with."""
    return tuple(_compared(*cell) for cell in (printed_costs() if cells is None else cells))


def _compared(table: Table, row: Row, column: CostColumn) -> CostRow:
    printed, config, quantity = row.printed(column), row_config(table, row), quantity_of(column, row.paper)
    hooks, everything = (counts.of(quantity) for counts in both_counts(config))
    return CostRow(
        source=printed.source, model=_label(*row.paper, config), quantity=quantity.value, paper=printed.text,
        ours=hooks, ours_everything=None if column == "Params" else everything,
        percent=100 * (hooks / printed.value - 1),
        agrees=agrees_with(printed, hooks), note=NOTES.get((*row.paper, column), ""),
    )  # fmt: skip


def _label(table: str, row: str, config: ExperimentConfig) -> str:
    """`ResNet-50, 384x288, 6 layers`: backbone and layers, and what else tells the rows of the table apart."""
    head = config.model.head
    parts = [
        paper_tables()[table].row(row).subject.backbone,
        "+".join(head.feature_levels) if table == "1d" else "",
        "{}x{}".format(*config.data.input_size) if table in ("2b", "5") else "",
        f"{head.decoder_layers} layers" + " shared" * head.share_layers,
        head.cross_attention.upper() if table == "S4" else "",
    ]
    return ", ".join(part for part in parts if part)
