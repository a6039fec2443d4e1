"""The GFLOPs that Tables 2a, 2b and 5 print of the other methods: ours beside, and a counter that gives the number.

The compared methods' publications, and the paper for its own baselines, count in several ways. Which one a number
follows is our reading of it, unless the publication says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from poseur_lib.config import ExperimentConfig
from poseur_lib.config.base import Frozen
from poseur_lib.costs.cost import Cost
from poseur_study.costs.other_counters import BINARY_GIGA, count, output_channel_rule, summary_rule
from poseur_study.costs.row_cost import model_cost
from poseur_study.experiments.paper_rows import subject_changes
from poseur_study.paper.tables import Printed, paper_tables

TABLES = ("2a", "2b", "5")
AGREES_PERCENT = 1.0


@dataclass(frozen=True)
class Counter:
    """A way to count.

    Attributes:
        gflops: of a configuration, and of its cost by our two conventions.
    """

    name: str
    words: str
    gflops: Callable[[ExperimentConfig, Cost], float]


HOOKS = Counter(
    "hooks", "module hooks, the convention of Poseur's own numbers", lambda _, of: of.hook_multiply_adds / 1e9
)
EVERYTHING = Counter(
    "all", "everything: convolutions, linear layers and attention's products", lambda _, of: of.multiply_adds / 1e9
)
SUMMARY = Counter(
    "HRNet's summary",
    "the model summary of HRNet's code: deconvolutions on output cells, a linear layer's input by its second axis, "
    "no attention, units of 2^30",
    lambda config, _: count(config, summary_rule) / BINARY_GIGA,
)
OUTPUT_CHANNELS = Counter(
    "output channels",
    "a deconvolution on output cells with its output channels squared, batch norm as 2 an element",
    lambda config, _: count(config, output_channel_rule) / 1e9,
)
COUNTERS = (HOOKS, EVERYTHING, SUMMARY, OUTPUT_CHANNELS)

OF_METHOD: Mapping[str, Counter] = {
    **dict.fromkeys(("SimpleBaseline", "HRNet", "UDP-Pose", "TokenPose"), SUMMARY),
    **dict.fromkeys(("TransPose", "PRTR"), EVERYTHING),
    **dict.fromkeys(("HRFormer", "RLE"), HOOKS),
}
"""The counter of a method's own publication, which Table 5 cites; Tables 2a and 2b are the paper's own count."""

NOTES: Mapping[tuple[str, str], str] = {
    ("2a", "simba_resnet50"): "mmpose, of which the released code is a fork, lists 5.46 for it, as by hooks.",
    ("2b", "simba_256"): "Table 2a's number, cut off instead of rounded.",
    ("5", "simba_resnet50"): "Printed with its digits cut off.",
    ("5", "simba_resnet152"): "Printed with its digits cut off.",
    ("5", "hrformer_s"): "Printed with its digits cut off.",
    ("5", "udp_hrnet_w32"): "UDP's README has 7.16, 0.06 more than HRNet's, and 0.2 M parameters more, whatever "
    "the backbone; its released network has a last layer of three maps a keypoint and neither. Not explained.",
    ("5", "transpose_ha6"): "TransPose's trace also counts batch norm, softmax, ReLU, dropout and additions: with "
    "them ours is within 0.07 (tests/models/test_transpose.py).",
    ("5", "hrformer_b_384"): "Not explained.",
    ("5", "rle_hrnet_w32"): "The printed number is that of HRNet's heatmap model. Which map RLE pools is unverified.",
}


class MethodCost(Frozen):
    """GFLOPs that the paper prints of another method, and ours.

    Attributes:
        table, row: the printed cell.
        hooks, everything: GFLOPs by our two conventions.
        counter: the way to count that the number follows, as we read it; `counted`: ours by it.
        agrees: by `agrees_with`.
    """

    table: str
    row: str
    source: str
    model: str
    printed: str
    hooks: float
    everything: float
    counter: str
    counted: float
    agrees: bool
    note: str


def agrees_with(printed: Printed, counted: float) -> bool:
    """True if ours is the printed number once rounded or cut off, or within 1 %."""
    half = float(printed.half_digit)
    return -half <= counted - printed.value < 2 * half or abs(counted / printed.value - 1) <= AGREES_PERCENT / 100


def method_costs() -> tuple[MethodCost, ...]:
    """Every printed number of another method, table by table."""
    found = []
    for table, row in ((number, row) for number in TABLES for row in paper_tables()[number].rows):
        cell, method = row.cells["GFLOPs"], row.subject.method
        if method == "Poseur" or not isinstance(cell, Printed):
            continue
        config = ExperimentConfig().with_changes(**subject_changes(row.subject))
        counter, ours = OF_METHOD[method] if table == "5" else OUTPUT_CHANNELS, model_cost(config)
        counted = counter.gflops(config, ours)
        found.append(MethodCost(
            table=table, row=row.key, source=cell.source, model=", ".join(row.words.values()), printed=cell.text,
            hooks=ours.hook_multiply_adds / 1e9, everything=ours.multiply_adds / 1e9, counter=counter.name,
            counted=counted, agrees=agrees_with(cell, counted), note=NOTES.get((table, row.key), ""),
        ))  # fmt: skip
    return tuple(found)
