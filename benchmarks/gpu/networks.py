"""The networks of the goals, their calls, and the fewest operations and bytes of those."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor, nn

from benchmarks.gpu.ways import COMPILE, GRAPH, Made, Make, Run, made
from poseur_lib.config import ExperimentConfig
from poseur_lib.costs import cost
from poseur_lib.models.build import build_model
from poseur_lib.models.optimise import SAFE, Optimised, example_images, optimise
from poseur_lib.models.pose_model import PoseModel
from poseur_study.costs.gpu_goals import BACKBONE, BF16, MINI, R50, REAL
from poseur_study.execution.probe_run import training_step
from poseur_study.experiments.profiles import LIGHT_AUGMENTATION, NARROW

FORWARD_AND_BACKWARD = 3
"""Forward passes that a training step counts as."""
PRECISION = "bf16-mixed"
BYTES = {BF16: 2}
"""A number in memory; else four."""

CONFIGURATIONS = {
    R50: {"model.head.decoder_layers": 6},
    MINI: NARROW | {"pretext": None, "model.backbone": {**NARROW["model.backbone"], "weights": "none"}},
    REAL: {
        "data.input_size": [128, 96],
        "model.backbone": {"kind": "timm", "name": "tf_efficientnet_lite0", "weights": "none"},
        "model.head.decoder_layers": 3,
        "train.global_batch": 256,
        "train.augment": LIGHT_AUGMENTATION,
    },
}
SMALLER = {
    R50: {"data.input_size": [64, 48], "model.head.embed_dims": 32, "model.head.norm_groups": 8,
          "model.head.decoder_layers": 1, "model.head.ffn_dims": 32,
          "model.backbone": {"kind": "narrow_resnet", "widths": [8, 8, 16, 16], "weights": "none"}},
    REAL: {"data.input_size": [64, 48], "model.head.embed_dims": 32, "model.head.norm_groups": 8,
           "model.head.decoder_layers": 1, "model.head.ffn_dims": 32, "train.global_batch": 8},
    MINI: {"train.global_batch": 8},
}  # fmt: skip
"""Changes for a rehearsal, on a processor in seconds."""


def configuration(name: str, rehearsal: bool) -> ExperimentConfig:
    """The experiment of a network, from random weights: they do not change the time."""
    changes = {"model.backbone.weights": "none"} | CONFIGURATIONS[name] | (SMALLER[name] if rehearsal else {})
    return ExperimentConfig().with_changes(**changes)


@dataclass(frozen=True)
class Work:
    """The least that one image costs: operations, bytes of maps, and the bytes of weights that a whole batch shares."""

    flops: float
    bytes_per_image: float
    weight_bytes: float

    def bytes(self, batch: int) -> float:
        """Of a batch."""
        return batch * self.bytes_per_image + self.weight_bytes


@cache
def work_of(config: ExperimentConfig, part: str, precision: str) -> Work:
    """Of a forward pass of a network or of its backbone.

    Operations are two a multiply-add of `poseur cost`. Bytes: each convolution and linear layer reads its input and its
    weights and writes its output once; what lies between them is taken as fused.
    """
    counted = cost(config)
    multiply_adds = counted.part("backbone").multiply_adds if part == BACKBONE else counted.multiply_adds
    with torch.device("meta"):
        model = build_model(config.with_changes(**{"model.backbone.weights": "none"})).eval()
    network = model.backbone if part == BACKBONE else model
    numbers, weights = [0], {}

    def see(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        numbers[0] += inputs[0].numel() + output.numel()
        weights[id(layer.weight)] = layer.weight.numel()

    with ExitStack() as hooks, torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                hooks.enter_context(layer.register_forward_hook(see))
        network(torch.empty(1, 3, *config.data.input_size, device="meta"))
    size = BYTES.get(precision, 4)
    return Work(2 * multiply_adds, size * numbers[0], size * sum(weights.values()))


def inference_call(model: PoseModel, part: str, images: Tensor) -> Make:
    """A forward pass of a network or its backbone, its batch norms folded, in bf16."""

    def make(compiled: bool) -> Run:
        network = model.backbone if part == BACKBONE else model
        network = torch.compile(network, dynamic=False) if compiled else network

        def run() -> object:
            with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16):
                return network(images)

        return run

    return made(make, images.is_cuda)


def for_inference(config: ExperimentConfig, device: str) -> Optimised:
    """A network as `poseur evaluate` runs it, and what of that failed."""
    model = build_model(config).eval().to(device)
    return optimise(model, example_images(config.data.input_size).to(device), SAFE)


def training_call(config: ExperimentConfig, part: str, batch: int, device: str) -> Make:
    """A training step of a network in bf16 as `train` takes it, or its backbone's forward and backward pass."""

    def of(way: str) -> Made:
        model = build_model(config).to(device).train().to(memory_format=torch.channels_last)
        if part == BACKBONE:
            images = torch.randn(batch, 3, *config.data.input_size, device=device)
            images = images.to(memory_format=torch.channels_last)
            return made(partial(_backbone_pass, model, images), device == "cuda")(way)
        step = training_step(model, config, batch, PRECISION, COMPILE[way])
        if way == GRAPH and step.note:
            raise RuntimeError(step.note)
        return Made(*step)

    return of


def _backbone_pass(model: PoseModel, images: Tensor, compiled: bool) -> Run:
    backbone = torch.compile(model.backbone, dynamic=False) if compiled else model.backbone

    def run() -> None:
        with torch.autocast(images.device.type, torch.bfloat16, cache_enabled=False):
            total = sum(maps.float().mean() for maps in backbone(images))
        total.backward()
        model.backbone.zero_grad(set_to_none=False)

    return run
