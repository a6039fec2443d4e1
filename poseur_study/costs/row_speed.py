"""Speed and memory of a row's model at the paper's own configuration, measured on the device that is here.

Supp. Table 5 prints frames per second and memory (of one image in training) without device or software. Here: one image
at a time in float32, random weights, no flip test.

    FPS             1 / median time from the crop to the keypoints
    Memory          peak that a training step holds beyond weights and image: forward, loss and backward, gradients too
    Memory (test)   the same of a forward pass without gradients
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig
from poseur_lib.costs.speed import ROUNDS, WARM_UP, median_seconds, peak_mib
from poseur_lib.models.pose_model import PoseModel, PoseTargets
from poseur_lib.runtime import device_name
from poseur_study.experiments.experiment import Row, SpeedColumn, Table

UNITS = {"FPS": "images a second", "Memory": "MiB", "Memory (test)": "MiB"}


@dataclass(frozen=True)
class RowSpeed:
    """What was measured, by column, and where: `device` names the accelerator, or the processor and its threads."""

    of: Mapping[SpeedColumn, float]
    device: str


def row_speed(table: Table, row: Row, device: str) -> RowSpeed:
    """Speed and memory of a row, measured once a process.

    Args:
        device: auto, cpu or cuda.
    """
    chosen = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    return _measured(ExperimentConfig().with_changes(**table.changes(row)).model_dump_json(), chosen)


@lru_cache(maxsize=32)
def _measured(config: str, device: str) -> RowSpeed:
    loaded = ExperimentConfig.model_validate_json(config)
    model = build_without_download(loaded).to(device)
    image = torch.randn(1, 3, *loaded.data.input_size, device=device)
    model.eval()
    with torch.inference_mode():
        seconds = median_seconds(lambda: model(image), ROUNDS, WARM_UP, torch.device(device))
        test = peak_mib(lambda: model(image), device)
    training = peak_mib(lambda: training_step(model, image), device)
    threads = torch.get_num_threads()
    where = device_name(device) + ("" if device == "cuda" else f", {threads} thread" + "s" * (threads > 1))
    return RowSpeed({"FPS": 1 / seconds, "Memory": training, "Memory (test)": test}, where)


def training_step(model: PoseModel, image: torch.Tensor) -> None:
    """Forward, loss and backward of one image; its gradients are freed, so that the next step's count as its own."""
    keypoints = len(model.flip_index)
    centre = torch.full((1, keypoints, 2), 0.5, device=image.device)
    targets = PoseTargets(centre, torch.ones(1, keypoints, dtype=torch.bool, device=image.device))
    model.train()
    model.loss(image, targets).total.backward()
    model.zero_grad(set_to_none=True)
