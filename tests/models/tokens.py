"""Small models with the heads of TransPose and TokenPose, and how models are made to overfit."""

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


def weights_that_do_not_learn(model: PoseModel) -> list[str]:
    """Names of parameters that the loss of a batch has no gradient for."""
    loss = model.loss(*random_batch()).total
    assert torch.isfinite(loss)
    loss.backward()
    return [name for name, parameter in model.named_parameters() if parameter.grad is None]


def learn_by_heart(model: PoseModel, steps: int) -> tuple[float, float, float]:
    """Train on four images of noise, 64x48: the loss before and after, and the mean error of supervised keypoints."""
    images = torch.randn(4, 3, 64, 48)
    targets = PoseTargets(torch.rand(4, 17, 2) * 0.8 + 0.1, torch.rand(4, 17) > 0.2)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, fused=True)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        losses.append(model.loss(images, targets).total)
        losses[-1].backward()
        optimiser.step()
    with torch.no_grad():
        error = (model(images).keypoints - targets.keypoints).abs()[targets.supervised]
    return losses[0].item(), losses[-1].item(), error.mean().item()
