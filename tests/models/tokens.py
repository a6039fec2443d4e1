"""Small models with the heads of TransPose and TokenPose, and how those are made to overfit."""

import torch

from poseur_lib.config import ExperimentConfig
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseHead, PoseModel, PoseTargets

SMALL = {
    "data.input_size": (64, 48),
    "model.backbone": {"kind": "narrow_high_resolution", "width": 8, "outputs": "finest", "weights": "none"},
}
"""One map of 8 channels, 16x12 cells."""


def small_model(head: dict, **changes) -> PoseModel:
    """A model that runs in milliseconds, with the head's knobs as given."""
    torch.manual_seed(0)
    return build_model(ExperimentConfig().with_changes(**{**SMALL, "model.head": head, **changes}))


def random_batch(people: int = 4, seed: int = 1) -> tuple[torch.Tensor, PoseTargets]:
    """Images of noise with keypoints well inside of them."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(people, 3, 64, 48, generator=generator)
    keypoints = 0.15 + 0.7 * torch.rand(people, 17, 2, generator=generator)
    return images, PoseTargets(keypoints, torch.ones(people, 17, dtype=torch.bool))


def overfit(head: PoseHead, steps: int, rate: float, people: int = 2) -> tuple[float, float, float]:
    """First loss, last loss, and the worst distance of a keypoint from where it should be, in heatmap cells.

    The head alone is trained, on one map of noise a person.
    """
    _, targets = random_batch(people)
    features = [torch.randn(people, 8, 16, 12, generator=torch.Generator().manual_seed(2))]
    optimiser = torch.optim.Adam(head.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = head.loss(features, targets).total
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    with torch.no_grad():
        found = head.decode(head.eval()(features)).keypoints
    cells = (found - targets.keypoints) * torch.tensor([12.0, 16.0])
    return losses[0], losses[-1], cells.norm(dim=-1).max().item()
