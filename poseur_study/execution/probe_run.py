"""`python -m poseur_study.execution.probe_run CONFIG SECONDS`: one of several processes that train at a time, on noise.

It says `ready`, waits for a line, takes steps for so many seconds, says how many people a second it saw, and keeps its
memory until its input ends. Nothing is read from disk: what the GPU and this process's own thread manage is measured.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from poseur_lib.config import ExperimentConfig
from poseur_lib.keypoints import keypoint_set
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseTargets
from poseur_study.execution.runs_per_gpu import READY
from poseur_study.runs.heartbeat import die_with_parent

WARM_UP = 5
STEPS_AT_ONCE = 5


def main(file: str, seconds: str) -> None:
    """Probe the configuration in a JSON file, on the GPU where there is one."""
    die_with_parent()
    torch.set_num_threads(1)
    config = ExperimentConfig.model_validate_json(Path(file).read_text())
    step = training_step(config, "cuda" if torch.cuda.is_available() else "cpu")
    for _ in range(WARM_UP):
        step()
    _wait()
    print(READY, flush=True)
    sys.stdin.readline()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < float(seconds):
        for _ in range(STEPS_AT_ONCE):
            step()
        _wait()
        steps += STEPS_AT_ONCE
    print(steps * config.train.global_batch / (time.perf_counter() - start), flush=True)
    sys.stdin.read()


def training_step(config: ExperimentConfig, device: str) -> Callable[[], None]:
    """A step of a configuration's training on one batch of noise: forward, backward, optimiser."""
    batch, size = config.train.global_batch, config.data.input_size
    keypoints = keypoint_set(config.data.keypoint_set).num_keypoints
    model = build_model(without_weights(config)).to(device).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    images = torch.randn(batch, 3, *size, device=device)
    inside = torch.ones(batch, keypoints, dtype=torch.bool, device=device)
    targets = PoseTargets(torch.rand(batch, keypoints, 2, device=device), inside)

    def step() -> None:
        optimiser.zero_grad()
        model.loss(images, targets).total.backward()
        optimiser.step()

    return step


def without_weights(config: ExperimentConfig) -> ExperimentConfig:
    """The same network from random weights, which take no file and the same time."""
    return config.with_changes(**{"model.backbone.weights": "none", "pretext": None})


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    main(*sys.argv[1:])
