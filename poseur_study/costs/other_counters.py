"""How other counters than our two count, where that explains a printed number. As a cost, use `poseur_lib.costs.cost`.

A deconvolution of C channels to C', k x k, on h x w cells to h' x w' cells multiplies and adds h w C C' k^2 times; both
conventions of this project count that. Two counters do not:

- `summary_rule`, that of the model summary of HRNet's code, takes it for a convolution of the same weights, on output
  cells: h' w' C C' k^2, 4 times too many at stride 2, and prints units of 2^30 as G. It says of itself: convolution and
  linear layers only. The READMEs of HRNet (and SimpleBaseline's paper) and of UDP have their numbers of it, and so has
  TokenPose. It gives 8.99, 12.38 and 15.77 for SimpleBaseline where 8.9, 12.4 and 15.7 are printed: within 1 %, not to
  the digit. Of a linear layer it takes the second axis of the input for the input's width, which for a sequence of
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

from collections.abc import Callable

import torch
from torch import Tensor, nn

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig

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
