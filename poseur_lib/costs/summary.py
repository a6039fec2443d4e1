"""How HRNet's model summary counts, and with it the pages and papers of SimpleBaseline, HRNet and TokenPose.

It says of itself: convolution and linear layers only. What it does not say, read off its code and confirmed by the
printed numbers: its G is 2^30; a transposed convolution is charged for every cell of its output, four times its work
at stride 2; and a linear layer's input width is taken to be the second axis of its input, which for a sequence of
tokens is their number. Kept here to explain printed numbers; as a cost, use `poseur_lib.costs.cost`.
"""

import torch
from torch import Tensor, nn

GIBI = 2**30


def summary_gflops(model: nn.Module, images: Tensor) -> float:
    """GFLOPs of a forward pass as HRNet's model summary prints them."""
    counted: list[int] = []

    def see(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Linear):
            counted.append(output.numel() * inputs[0].shape[1])
        else:
            counted.append(module.weight.numel() * output.shape[2:].numel())

    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    handles = [module.register_forward_hook(see) for module in model.modules() if isinstance(module, kinds)]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return sum(counted) / GIBI
