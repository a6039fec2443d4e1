"""Batch norms folded into the convolutions before them, for any network and whatever its code looks like.

Which batch norm follows which convolution is seen in a forward pass, not read off the code, so that backbones with
branches and loops, which graph tracers refuse, are folded as well. The arithmetic is torch's.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Convolution = nn.Conv2d | nn.ConvTranspose2d


def fold_batch_norms(model: nn.Module, images: Tensor) -> int:
    """Folds in place what can be folded, and returns how many; the model serves inference alone afterwards.

    A pair is folded where the convolution and the batch norm each run once in a pass, and no other module takes the
    convolution's output. A use of it outside of modules is not seen: compare the outputs (`models.optimise` does).

    Args:
        images: a batch that the model, in evaluation mode, can be run on.
    """
    pairs = _pairs(model, images)
    parents = {id(child): (parent, name) for parent in model.modules() for name, child in parent.named_children()}
    for convolution, norm in pairs:
        folded = fuse_conv_bn_eval(convolution, norm, transpose=isinstance(convolution, nn.ConvTranspose2d))
        for old, new in ((convolution, folded), (norm, nn.Identity())):
            parent, name = parents[id(old)]
            setattr(parent, name, new)
    return len(pairs)


def _pairs(model: nn.Module, images: Tensor) -> list[tuple[Convolution, nn.BatchNorm2d]]:
    outputs: dict[int, tuple[Convolution, Tensor]] = {}  # the tensors are kept, so that no id is given twice
    takers: dict[int, list[nn.Module]] = {}
    calls: dict[int, int] = {}

    def see(module: nn.Module, inputs: tuple, output: object) -> None:
        calls[id(module)] = calls.get(id(module), 0) + 1
        if not list(module.children()):
            for one in inputs:
                if id(one) in outputs:
                    takers.setdefault(id(one), []).append(module)
        if isinstance(module, Convolution) and isinstance(output, Tensor):
            outputs[id(output)] = (module, output)

    handles = [module.register_forward_hook(see) for module in model.modules()]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    found = []
    for key, (convolution, _) in outputs.items():
        match takers.get(key, []):
            case [norm] if type(norm) is nn.BatchNorm2d and calls[id(norm)] == calls[id(convolution)] == 1:
                found.append((convolution, norm))
    return found
