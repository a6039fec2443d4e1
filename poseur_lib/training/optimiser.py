"""AdamW or SGD, parameter groups, and the learning rate over the steps (Sec. 4.1)."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from poseur_lib.config.training import CosineSchedule, StepSchedule, TrainConfig


def parameter_groups(module: nn.Module, slow: Sequence[nn.Parameter], config: TrainConfig) -> list[dict]:
    """Two groups: `slow` parameters at `sampling_offsets_lr_factor` times the learning rate, and the others.

    Frozen ones are in none.
    """
    slow_ids = {id(parameter) for parameter in slow}
    others = [p for p in module.parameters() if id(p) not in slow_ids and p.requires_grad]
    groups = [{"params": others, "lr": config.learning_rate}]
    if slow:
        groups.append({"params": list(slow), "lr": config.learning_rate * config.sampling_offsets_lr_factor})
    return groups


def rate_factor(
    step: int,
    steps_per_epoch: int,
    epochs: int,
    schedule: StepSchedule | CosineSchedule,
    warmup_steps: int,
    warmup_start: float,
) -> float:
    """What the learning rate is multiplied by at an optimiser step.

    The schedule, times a linear rise from `warmup_start` to 1 over the first `warmup_steps`.
    """
    if isinstance(schedule, StepSchedule):
        factor = schedule.factor ** sum(step // steps_per_epoch >= milestone for milestone in schedule.milestones)
    else:
        factor = 0.5 * (1 + math.cos(math.pi * min(step / (steps_per_epoch * epochs), 1)))
    if step < warmup_steps:
        factor *= warmup_start + (1 - warmup_start) * step / warmup_steps
    return factor


def never_reached(config: TrainConfig, steps_per_epoch: int) -> str:
    """What a training is too short for: the end of its warm-up, the first step of its schedule; "" if for neither."""
    steps, schedule = config.epochs * steps_per_epoch, config.schedule
    said = []
    if config.warmup_steps >= steps:
        said.append(f"it never leaves its warm-up (train.warmup_steps={config.warmup_steps} of {steps})")
    if isinstance(schedule, StepSchedule) and schedule.milestones and min(schedule.milestones) >= config.epochs:
        first = min(schedule.milestones)
        said.append(f"it never falls (train.schedule.milestones begin at {first}, train.epochs={config.epochs})")
    return f"learning rate: {', '.join(said)}" if said else ""


def optimiser_and_schedule(
    groups: list[dict], config: TrainConfig, steps_per_epoch: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """The optimiser and its learning rate per step."""
    fused = config.gradient_clip is None  # much faster on the CPU; under AMP, Lightning cannot clip with it
    optimiser: torch.optim.Optimizer
    if config.optimiser == "sgd":
        optimiser = torch.optim.SGD(groups, momentum=config.momentum, weight_decay=config.weight_decay, fused=fused)
    else:
        optimiser = torch.optim.AdamW(groups, betas=config.betas, weight_decay=config.weight_decay, fused=fused)

    def factor(step: int) -> float:
        start = config.warmup_start_lr / config.learning_rate
        return rate_factor(step, steps_per_epoch, config.epochs, config.schedule, config.warmup_steps, start)

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def align_states(optimiser: torch.optim.Optimizer) -> None:
    """Lays moments out as their parameters: fused AdamW walks through memory, and pairs wrong elements otherwise.

    They differ where a checkpoint was written with other weights' memory format, as by another device.
    """
    for parameter, state in optimiser.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                if value.stride() != parameter.stride():
                    state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
