"""What Poseur's head adds to its backbone, at inference and in a training step."""

from collections.abc import Iterator

import torch

from benchmarks.timing import Extras, Goal, Setting, compared, times_ms
from poseur_lib.config import ExperimentConfig
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseModel, PoseTargets
from poseur_lib.runtime import Runtime
from poseur_study.costs.benchmark_record import Comparison

OVERHEAD_GOALS = {1: 1.30, 8: 1.18, 32: 1.18}
STEP_GOAL, STEP_BATCH = 3.9, 8


def poseur(device: str) -> PoseModel:
    """ResNet-50 at 256x192 with six decoder layers, in evaluation mode; weights do not change the time."""
    config = ExperimentConfig().with_changes(**{"model.backbone.weights": "none", "model.head.decoder_layers": 6})
    return build_model(config).eval().to(device)


def compare(setting: Setting) -> Iterator[Comparison]:
    """Inference at every batch size, then a training step."""
    model = poseur(setting.device)
    for batch in setting.batches:
        images = torch.randn(batch, 3, 256, 192, device=setting.device)
        goals = {"Poseur": Goal(OVERHEAD_GOALS[batch])} if batch in OVERHEAD_GOALS else {}
        with torch.inference_mode():
            runs = {"backbone": lambda x=images: model.backbone(x), "Poseur": lambda x=images: model(x)}
            times = times_ms(runs, setting)
        yield compared(f"Inference, batch {batch}", times, "backbone", Extras(goals=setting.goals(goals)))
    yield _training_step(model, STEP_BATCH, setting.shorter())


def _training_step(model: PoseModel, batch: int, setting: Setting) -> Comparison:
    model.to(memory_format=Runtime.memory_format)  # as training has them
    images = torch.randn(batch, 3, 256, 192, device=setting.device)
    inside = torch.ones(batch, 17, dtype=torch.bool, device=setting.device)
    targets = PoseTargets(torch.rand(batch, 17, 2, device=setting.device), inside)

    def forward_of_backbone() -> None:
        with torch.inference_mode():
            model.backbone(images)

    def backbone_step() -> None:
        sum(x.mean() for x in model.backbone(images)).backward()

    def step() -> None:
        model.loss(images, targets).total.backward()

    runs = {"backbone forward": forward_of_backbone, "backbone step": backbone_step, "Poseur step": step}
    title = f"Training step (forward and backward), batch {batch}, four query groups"
    goals = setting.goals({"Poseur step": Goal(STEP_GOAL)})
    return compared(title, times_ms(runs, setting), "backbone forward", Extras(goals=goals))
