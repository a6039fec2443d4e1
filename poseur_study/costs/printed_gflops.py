"""The GFLOPs that Tables 2a, 2b and 5 print of the other methods: ours beside, and a counter that gives the number.

The compared methods' publications, and the paper for its own baselines, count in several ways. Which one a number
follows is our reading of it, unless the publication says so; as a cost, use `poseur_lib.costs.cost`.

A deconvolution of C channels to C', k x k, on h x w cells to h' x w' cells multiplies and adds h w C C' k^2 times; both
conventions of this project count that. Two counters do not:

- `summary_rule`, that of the model summary of HRNet's code, takes it for a convolution of the same weights, on output
  cells: h' w' C C' k^2, 4 times too many at stride 2, and prints units of 2^30 as G. It says of itself: convolution and
  linear layers only. The READMEs of HRNet (and SimpleBaseline's paper) and of UDP have their numbers of it, and so has
  TokenPose. It gives 8.99, 12.38 and 15.77 for SimpleBaseline where 8.9, 12.4 and 15.7 are printed: the digits cut off,
  or within 1 %. Of a linear layer it takes the second axis of the input for the input's width, which for a sequence of
  tokens is their number: hence TokenPose-S's 11.6 for a model of 7.5.
- `output_channel_rule` reads the weight (C, C', k, k) as a convolution's (outputs, inputs, k, k), so that C' stands for
  C: h' w' C'^2 k^2. With batch norm at 2 an element this gives, to the digit, what Poseur's Tables 2a and 2b print of
  heatmap methods: SimpleBaseline on MobileNet-V2 4.55, on ResNet-50 8.27 (8.26 in Table 2b, cut off instead of rounded)
  and 0.69 and 2.76 at 64x64 and 128x128, HRNet-W32 7.68. It is our reading of the numbers; the paper does not say how
  it counted.

The convention of `hooks` gives 5.46 for SimpleBaseline on ResNet-50, a third less than Table 2a prints: Poseur's lead
in GFLOPs there is smaller than it looks (4.54 against 5.46). HRNet has no deconvolution: the 7.1 and 32.9 of Table 5
are its convolutions in units of 2^30.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig
from poseur_lib.config.base import Frozen
from poseur_lib.costs.cost import Cost
from poseur_study.costs.cost_rows import agrees_with
from poseur_study.costs.row_cost import model_cost
from poseur_study.experiments.paper_rows import subject_changes
from poseur_study.paper.tables import Printed, paper_tables

BASELINES = ("2a", "2b")
"""Tables whose other methods are the paper's own baselines, counted by itself."""
TABLES = (*BASELINES, "5")
BINARY_GIGA = 2**30

Rule = Callable[[nn.Module, Tensor, Tensor], int]


def summary_rule(module: nn.Module, inputs: Tensor, output: Tensor) -> int:
    """Convolutions and deconvolutions: weights times output cells; linear layers: outputs times the second axis."""
    match module:
        case nn.Conv2d() | nn.ConvTranspose2d():
            return module.weight.numel() * output.shape[0] * output.shape[2:].numel()
        case nn.Linear():
            return output.numel() * inputs.shape[1]
    return 0


def output_channel_rule(module: nn.Module, inputs: Tensor, output: Tensor) -> int:
    """Convolutions and deconvolutions: output elements times the size of the weight's first row; batch norm: 2."""
    match module:
        case nn.Conv2d() | nn.ConvTranspose2d():
            return output.numel() * module.weight[0].numel()
        case nn.BatchNorm2d():
            return 2 * inputs.numel()
        case nn.Linear():
            return inputs.numel() * module.out_features
    return 0


def count(config: ExperimentConfig, rule: Rule) -> int:
    """Multiply-adds of a configuration's model for one image by a rule for its modules.

    Raises:
        UserError: the model cannot be built.
    """
    with torch.device("meta"):
        model = build_without_download(config).eval()
    total = 0

    def see(module: nn.Module, inputs: tuple, output: object) -> None:
        nonlocal total
        if isinstance(output, Tensor) and inputs and isinstance(inputs[0], Tensor):
            total += rule(module, inputs[0], output)

    handles = [module.register_forward_hook(see) for module in model.modules()]
    try:
        with torch.no_grad():
            model(torch.empty(1, 3, *config.data.input_size, device="meta"))
    finally:
        for handle in handles:
            handle.remove()
    return total


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
        agrees: by `agrees_with`, also where the digits are cut off.
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


def method_costs(tables: Sequence[str] = TABLES) -> tuple[MethodCost, ...]:
    """Every printed number of another method, table by table."""
    found = []
    for table, row in ((number, row) for number in tables for row in paper_tables()[number].rows):
        cell, method = row.cells["GFLOPs"], row.subject.method
        if method == "Poseur" or not isinstance(cell, Printed):
            continue
        config = ExperimentConfig().with_changes(**subject_changes(row.subject))
        counter, ours = OUTPUT_CHANNELS if table in BASELINES else OF_METHOD[method], model_cost(config)
        counted = counter.gflops(config, ours)
        found.append(MethodCost(
            table=table, row=row.key, source=cell.source, model=", ".join(row.words.values()), printed=cell.text,
            hooks=ours.hook_multiply_adds / 1e9, everything=ours.multiply_adds / 1e9, counter=counter.name,
            counted=counted, agrees=agrees_with(cell, counted, cut_off=True), note=NOTES.get((table, row.key), ""),
        ))  # fmt: skip
    return tuple(found)
