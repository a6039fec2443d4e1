"""The cost of a configuration, as numbers, as text and as rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig
from poseur_lib.costs.mmcv_flops import hook_multiply_adds_by_part
from poseur_lib.costs.parts import FLOWS, PREFIXES, PartCost, parameters_by_part
from poseur_lib.costs.speed import Speed, measure
from poseur_lib.costs.torch_flops import multiply_adds_by_part


@dataclass(frozen=True)
class Cost:
    """What a model costs for one image at inference, without flip test.

    Attributes:
        input_size: (height, width) of the crop in pixels.
        parts: in the order of the data; those that the model does not have are absent.
        speed: time and memory, where they were measured.
    """

    input_size: tuple[int, int]
    parts: tuple[PartCost, ...]
    speed: Speed | None = None

    @property
    def parameters(self) -> int:
        """All, the flows included."""
        return sum(part.parameters for part in self.parts)

    @property
    def parameters_without_flows(self) -> int:
        """Those of the model that is deployed: the flows serve the loss alone."""
        return sum(part.parameters for part in self.parts if part.name != FLOWS)

    @property
    def multiply_adds(self) -> int:
        """Everything counted."""
        return sum(part.multiply_adds for part in self.parts)

    @property
    def hook_multiply_adds(self) -> int:
        """By the hook convention, which the paper's numbers follow."""
        return sum(part.hook_multiply_adds for part in self.parts)

    def lines(self) -> list[tuple[str, int, int, int]]:
        """Name, parameters, multiply-adds and those by the hook convention of each part, and of the total."""
        parts = [(part.name, part.parameters, part.multiply_adds, part.hook_multiply_adds) for part in self.parts]
        return [*parts, ("total", self.parameters, self.multiply_adds, self.hook_multiply_adds)]

    def part(self, name: str) -> PartCost:
        """One part; one that the model does not have costs nothing."""
        return next((part for part in self.parts if part.name == name), PartCost(name, 0, 0, 0))


def cost(config: ExperimentConfig, *, timed: bool = False, device: str = "cpu") -> Cost:
    """The cost of the model of a configuration.

    Counting needs no memory and no weights: the model is built without storage. With `timed`, it is built on `device`
    with random weights, and measured there.

    Raises:
        UserError: the model cannot be built, such as for an input size that does not fit the backbone.
    """
    shape = (1, 3, *config.data.input_size)
    with torch.device("meta"):
        model = build_without_download(config).eval()
    model.requires_grad_(False)  # torch's counter cannot follow a parameter that was expanded without gradients
    images = torch.empty(shape, device="meta")
    parameters = parameters_by_part(model)
    everything, hooks = multiply_adds_by_part(model, images), hook_multiply_adds_by_part(model, images)
    parts = tuple(
        PartCost(name, parameters[name], everything[name], hooks[name])
        for name in dict.fromkeys(PREFIXES.values())
        if parameters[name] or everything[name] or hooks[name]
    )
    counted = Cost(config.data.input_size, parts)
    if not timed:
        return counted
    real = build_without_download(config).to(device)
    return replace(counted, speed=measure(real, torch.randn(shape, device=device), len(real.flip_index)))


COLUMNS = ("model", "part", "parameters", "multiply_adds", "hook_multiply_adds")

FOOTNOTE = (
    "GFLOPs: billions of multiply-adds for one image without flip test. all: convolutions, matrix products, attention"
    " and sampling; hooks: the convention that the paper's numbers follow. The flows serve the loss alone."
)


def cost_rows(costs: Mapping[str, Cost]) -> list[dict[str, str | int]]:
    """One row a part of each model, and one of each total; columns as `COLUMNS`."""
    return [dict(zip(COLUMNS, (model, *line), strict=True)) for model, cost in costs.items() for line in cost.lines()]


def cost_text(model: str, cost: Cost) -> str:
    """The cost of one model, for a terminal."""
    height, width = cost.input_size
    lines = [f"{model}, {height}x{width}", f"  {'':18}{'parameters':>14}{'GFLOPs, all':>14}{'GFLOPs, hooks':>15}"]
    for name, count, everything, hooks in cost.lines():
        lines.append(f"  {name:18}{count:14,}{everything / 1e9:14.4f}{hooks / 1e9:15.4f}")
    lines.append(f"  {'without flows':18}{cost.parameters_without_flows:14,}")
    if cost.speed is not None:
        speed = cost.speed
        lines += [
            f"  {speed.device}, {speed.threads} threads, float32: {speed.latency_ms:.1f} ms for one image,"
            f" {speed.images_per_second:.1f} images/s at batch {speed.batch}",
            f"  training keeps {speed.training_activations / 2**20:.1f} MiB of activations for one image",
        ]
    return "\n".join(lines)
