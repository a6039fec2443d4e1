"""Ways to infer faster that cost no accuracy: each is tried, compared with the plain model, and named if it fails.

Batch norms are folded into the convolutions before them for any network and whatever its code looks like. Which batch
norm follows which convolution is seen in a forward pass, not read off the code, so that backbones with branches and
loops, which graph tracers refuse, are folded as well. The arithmetic is torch's.
"""

import copy
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from poseur_lib.errors import UserError, first_line
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.runtime import Compile

TOLERANCE = 1e-4
"""How far a keypoint may move, a fraction of the crop side: float32 rounds a pose of a deep network by 1e-6 to 1e-5."""


COMPILED_SIZES = 32
"""Sizes of batches that torch compiles a model for; beyond its own limit of 8 it would run it step by step, and not say
so. Powers of two (`poseur_lib.evaluation.inference`) are never that many."""


@dataclass(frozen=True)
class InferenceOptions:
    """What to try; none of it changes what is computed.

    Attributes:
        fold_batch_norms: into the convolutions before them.
        channels_last: maps with their channels innermost, which convolutions on GPUs and in oneDNN prefer.
        compile: by torch.compile; minutes at the start, so it is worth it for many images. Needs a C++ compiler.
    """

    fold_batch_norms: bool = False
    channels_last: bool = False
    compile: bool = False


PLAIN = InferenceOptions()
SAFE = InferenceOptions(fold_batch_norms=True, channels_last=True)
"""What `poseur evaluate` does: neither needs a compiler or minutes at the start (gains: `benchmarks options`)."""


@dataclass(frozen=True)
class Optimised:
    """A model for inference alone.

    Attributes:
        applied: what was done, in words.
        failed: a line for each option that was tried and left out, with the reason.
        difference: the largest move of a keypoint on the images it was compared on, a fraction of the crop side.
    """

    model: PoseModel
    applied: tuple[str, ...]
    failed: tuple[str, ...]
    difference: float

    def text(self) -> str:
        """One line of what was done, and one for each failure."""
        done = ", ".join(self.applied) or "the plain model"
        said = f"inference: {done}" + (f" (keypoints moved by {self.difference:.0e} at most)" if self.applied else "")
        return "\n".join([said, *self.failed])


def require_plain(source: object, compile: Compile) -> None:
    """An end-to-end model runs as it is: its images differ in size, and `optimise` compares poses of crops.

    Raises:
        UserError: which begins with `source`: it was to be compiled, or recorded as a CUDA graph.
    """
    if compile in ("graph", "inductor"):
        raise UserError(f"{source}: compile {compile!r} is for models of crops, and this one finds people itself")


def optimise(model: PoseModel, images: Tensor, options: InferenceOptions) -> Optimised:
    """A copy of `model` with every option that works; an option that fails is left out and told of.

    Args:
        model: in evaluation mode; it stays as it is.
        images: a batch of the sizes and the device of those to come, on which every step is compared.
    """
    expected = _keypoints(model, images)
    applied, failed, difference = [], [], 0.0
    for name, step in _steps(options):
        try:
            changed, done = step(copy.deepcopy(model), images)
            moved = (_keypoints(changed, images) - expected).abs().max().item()
            if not moved <= TOLERANCE:
                raise ArithmeticError(f"keypoints moved by {moved:.1e}")
        except Exception as error:  # compilers raise anything; the plain model is always at hand
            failed.append(f"inference without {name}: {first_line(error)[:160]}")
            continue
        model = changed
        if done:
            applied.append(done)
            difference = moved
    return Optimised(model, tuple(applied), tuple(failed), difference)


def example_images(input_size: tuple[int, int]) -> Tensor:
    """Two images of noise, always the same, to compare models on."""
    return torch.randn(2, 3, *input_size, generator=torch.Generator().manual_seed(0), dtype=torch.float32)


Convolution = nn.Conv2d | nn.ConvTranspose2d


def fold_batch_norms(model: nn.Module, images: Tensor) -> int:
    """Folds in place what can be folded, and returns how many; the model serves inference alone afterwards.

    A pair is folded where the convolution and the batch norm each run once in a pass, and no other module takes the
    convolution's output. A use of it outside of modules is not seen: compare the outputs (`optimise` does).

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

    with ExitStack() as hooks, torch.no_grad():
        for module in model.modules():
            hooks.enter_context(module.register_forward_hook(see))
        model(images)
    found = []
    for key, (convolution, _) in outputs.items():
        match takers.get(key, []):
            case [norm] if type(norm) is nn.BatchNorm2d and calls[id(norm)] == calls[id(convolution)] == 1:
                found.append((convolution, norm))
    return found


Step = Callable[[PoseModel, Tensor], tuple[PoseModel, str]]


def _steps(options: InferenceOptions) -> list[tuple[str, Step]]:
    """The steps that are asked for, in order; each gives the model and what it did, "" if there was nothing to do."""
    every = (
        ("folded batch norms", _fold, options.fold_batch_norms),
        ("channels_last", _channels_last, options.channels_last),
        ("torch.compile", _compile, options.compile),
    )
    return [(name, step) for name, step, asked in every if asked]


def _fold(model: PoseModel, images: Tensor) -> tuple[PoseModel, str]:
    count = fold_batch_norms(model, images)
    return model, f"{count} batch norms folded" if count else ""


def _channels_last(model: PoseModel, _: Tensor) -> tuple[PoseModel, str]:
    return model.to(memory_format=torch.channels_last), "channels_last"


def _compile(model: PoseModel, _: Tensor) -> tuple[PoseModel, str]:
    import torch._dynamo.config as settings

    settings.recompile_limit = max(settings.recompile_limit, COMPILED_SIZES)
    for part in (model.backbone, model.head):
        part.compile(dynamic=False)
    return model, "compiled"


@torch.inference_mode()
def _keypoints(model: PoseModel, images: Tensor) -> Tensor:
    """Of the flip test, in full float32: GPUs else round to TF32, whatever the order of the sums."""
    products = torch.backends.cuda.matmul
    before, products.allow_tf32 = products.allow_tf32, False
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return model.predict_flipped(images).keypoints.float()
    finally:
        products.allow_tf32 = before
