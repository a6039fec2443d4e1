"""What Poseur's head adds to its backbone, at inference and in a training step."""

import torch

from benchmarks.timing import table, times_ms
from poseur_lib.config import ExperimentConfig
from poseur_lib.models.build import build_model
from poseur_lib.models.contract import PoseTargets


def compare(batches: tuple[int, ...] = (1, 8), rounds: int = 7) -> str:
    """ResNet-50 at 256x192 with six decoder layers."""
    config = ExperimentConfig().with_changes(**{"model.backbone.weights": "none", "model.head.decoder_layers": 6})
    model = build_model(config).eval()
    parts = []
    for batch in batches:
        images = torch.randn(batch, 3, 256, 192)
        with torch.inference_mode():
            runs = {"backbone": lambda x=images: model.backbone(x), "Poseur": lambda x=images: model(x)}
            parts.append(table(f"Inference, batch {batch}", times_ms(runs, rounds), "backbone"))
    parts.append(_training_step(model, 8, max(3, rounds // 2)))
    return "\n".join(parts)


def _training_step(model: torch.nn.Module, batch: int, rounds: int) -> str:
    images = torch.randn(batch, 3, 256, 192)
    targets = PoseTargets(torch.rand(batch, 17, 2), torch.ones(batch, 17, dtype=torch.bool))

    def forward_of_backbone() -> None:
        with torch.inference_mode():
            model.backbone(images)

    def backbone_step() -> None:
        sum(x.mean() for x in model.backbone(images)).backward()

    def step() -> None:
        model.loss(images, targets).total.backward()

    runs = {"backbone forward": forward_of_backbone, "backbone step": backbone_step, "Poseur step": step}
    return table(f"Training step, batch {batch}, four query groups", times_ms(runs, rounds, 1), "backbone forward")
