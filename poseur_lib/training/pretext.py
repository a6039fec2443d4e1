"""Part segmentation: the neutral task on which a backbone is trained where ImageNet weights cannot be had."""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from poseur_lib.data.part_labels import NUM_PARTS
from poseur_lib.data.parts import PartBatch
from poseur_lib.models.pose_model import LossTerms

FUSED_CHANNELS = 32


class PartSegmentation(nn.Module):
    """Every map of the backbone is brought to the finest one's size, added up, and classified cell by cell."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        channels = cast(Sequence[int], backbone.channels)
        self.laterals = nn.ModuleList(nn.Conv2d(width, FUSED_CHANNELS, 1) for width in channels)
        self.classify = nn.Sequential(
            nn.ReLU(), nn.Conv2d(FUSED_CHANNELS, FUSED_CHANNELS, 3, padding=1), nn.ReLU(),
            nn.Conv2d(FUSED_CHANNELS, NUM_PARTS, 1),
        )  # fmt: skip

    def forward(self, images: Float[Tensor, "B 3 H W"], size: tuple[int, int]) -> Float[Tensor, "B parts h w"]:
        """Logits of the parts on a grid of `size` cells."""
        maps = [lateral(x) for x, lateral in zip(self.backbone(images), self.laterals, strict=True)]
        return self.classify(sum(interpolate(x, size=size, mode="bilinear", align_corners=False) for x in maps))


def part_loss(model: PartSegmentation, batch: PartBatch) -> LossTerms:
    """Cross-entropy over the cells."""
    logits = model(batch.images, tuple(batch.labels.shape[1:]))
    loss = cross_entropy(logits.float(), batch.labels)
    return LossTerms(loss, {"parts": loss})


@torch.inference_mode()
def mean_part_iou(model: PartSegmentation, batches: Iterable[PartBatch], device: torch.device) -> float:
    """Intersection over union, averaged over the parts that occur."""
    model.eval()
    confusion = torch.zeros(NUM_PARTS, NUM_PARTS, dtype=torch.long)
    for images, labels in batches:
        predicted = model(images.to(device), tuple(labels.shape[1:])).argmax(dim=1).cpu()
        confusion += _confusion(labels.cpu(), predicted)
    hit = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - hit
    return (hit[union > 0] / union[union > 0]).mean().item()


def _confusion(labels: Int[Tensor, "B h w"], predicted: Int[Tensor, "B h w"]) -> Int[Tensor, "P P"]:
    pairs = labels.flatten() * NUM_PARTS + predicted.flatten()
    return torch.bincount(pairs, minlength=NUM_PARTS**2).view(NUM_PARTS, NUM_PARTS)
