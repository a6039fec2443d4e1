"""`python -m poseur_study.execution.probe_run CONFIG SECONDS PRECISION COMPILE`: one of several that train on noise.

It says `ready`, waits for a line, takes steps for so many seconds, says how many people a second it saw, and keeps its
memory until its input ends. Nothing is read from disk: what the GPU and this process's own thread manage is measured.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from poseur_lib.config import ExperimentConfig
from poseur_lib.cuda_graph import cuda_graph
from poseur_lib.data.dataset import PoseBatch
from poseur_lib.errors import first_line
from poseur_lib.keypoints import keypoint_set
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.runtime import AUTOCAST, Compile, Precision, Runtime, wait_for
from poseur_lib.training.fit import pose_loss
from poseur_lib.training.optimiser import optimiser_and_schedule, parameter_groups
from poseur_lib.training.step import GraphedStep, choose, compile_backbone
from poseur_study.execution.runs_per_gpu import READY
from poseur_study.runs.heartbeat import die_with_parent

WARM_UP = 5
STEPS_AT_ONCE = 5
STEPS_PER_EPOCH = 1000


def main(file: str, seconds: str, precision: Precision, compile: Compile) -> None:
    """Probe the configuration in a JSON file, on the GPU where there is one."""
    torch.set_num_threads(1)
    config = ExperimentConfig.model_validate_json(Path(file).read_text(encoding="utf-8"))
    runtime = Runtime(data=Path(), precision=precision, compile=compile)
    model = build_model(without_weights(config)).to(runtime.torch_device, memory_format=runtime.memory_format).train()
    way = choose(runtime, 1, model.recordable).way
    step = training_step(model, config, config.train.global_batch, precision, way).run
    for _ in range(WARM_UP):
        step()
    wait_for(runtime.torch_device)
    print(READY, flush=True)
    sys.stdin.readline()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < float(seconds):
        for _ in range(STEPS_AT_ONCE):
            step()
        wait_for(runtime.torch_device)
        steps += STEPS_AT_ONCE
    print(steps * config.train.global_batch / (time.perf_counter() - start), flush=True)
    sys.stdin.read()


class Step(NamedTuple):
    """A training step on one batch, again and again, and why its passes are no CUDA graph where they were to be one."""

    run: Callable[[], None]
    note: str = ""


def training_step(model: PoseModel, config: ExperimentConfig, batch: int, precision: str, way: Compile) -> Step:
    """A step as `train` takes it, on noise: forward, backward, optimiser and schedule.

    Args:
        model: in training mode, on its device.
    """
    people = random_people(config, batch, next(model.parameters()).device)
    groups = parameter_groups(model, tuple(model.head.slow_parameters()), config.train)
    optimiser, schedule = optimiser_and_schedule(groups, config.train, STEPS_PER_EPOCH)
    passes, note = _passes(model, people, precision, way)

    def step() -> None:
        passes(people)
        optimiser.step()
        schedule.step()

    return Step(step, note)


def random_people(config: ExperimentConfig, batch: int, device: torch.device) -> PoseBatch:
    """Images of noise, keypoints anywhere, all of them visible."""
    count = keypoint_set(config.data.keypoint_set).num_keypoints
    return PoseBatch(
        images=torch.randn(batch, 3, *config.data.input_size, device=device),
        keypoints=torch.rand(batch, count, 2, device=device),
        visibility=torch.full((batch, count), 2, device=device),
        inside=torch.ones(batch, count, dtype=torch.bool, device=device),
        position=torch.arange(batch, device=device),
        center=torch.zeros(batch, 2, device=device),
        box_scale=torch.ones(batch, 2, device=device),
    )


def without_weights(config: ExperimentConfig) -> ExperimentConfig:
    """The same network from random weights, which take no file and the same time."""
    return config.with_changes(**{"model.backbone.weights": "none", "pretext": None})


def _passes(
    model: PoseModel, people: PoseBatch, precision: str, way: Compile
) -> tuple[Callable[[PoseBatch], object], str]:
    """Forward and backward pass, recorded unless they are to go step by step, and where that works."""
    note = ""
    if way == "inductor":
        compile_backbone(model)
    if way != "none" and people.images.is_cuda:
        try:
            return GraphedStep(pose_loss, model, people, precision, cuda_graph), ""
        except Exception as error:  # libraries raise anything
            note = f"without a CUDA graph: {first_line(error)[:160]}"
    dtype = AUTOCAST.get(precision)

    def pass_through(batch: PoseBatch) -> None:
        model.zero_grad()
        with torch.autocast(batch.images.device.type, dtype, enabled=dtype is not None):
            total = pose_loss(model, batch).total
        total.backward()

    return pass_through, note


if __name__ == "__main__":
    die_with_parent()
    main(*sys.argv[1:])
