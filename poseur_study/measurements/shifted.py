"""A model whose coarse proposals are wrong by a known length: what noisy reference points are said to train for."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from poseur_lib.models.pose_model import PoseModel
from poseur_lib.poses import PosePrediction


class ShiftedModel(PoseModel):
    """A Poseur model whose queries start beside their proposals, each by `length` in a random direction of its own.

    Directions follow from the seed and the order of the images alone: they are the same for every model and length.
    In the flip test the mirror image's proposals are moved by the mirrored shift, to the same place of the person.

    Args:
        model: whose backbone and head are used as they are.
        length: of the shift, in fractions of the crop (of its width along x, of its height along y).
    """

    def __init__(self, model: PoseModel, length: float, seed: int) -> None:
        super().__init__(backbone=model.backbone, head=model.head, flip_index=model.flip_index)
        self.length = length
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> PosePrediction:
        """Poses that started from shifted proposals."""
        return self.head.decode(self._started_beside(images, self._shift(images)))

    def predict_flipped(self, images: Float[Tensor, "B 3 H W"]) -> PosePrediction:
        """Flip test of such poses."""
        shift = self._shift(images)
        flip_index = torch.tensor(self.flip_index, device=images.device)
        mirrored = shift[:, flip_index] * torch.tensor([-1.0, 1.0], device=images.device)
        outputs = self._started_beside(images, shift), self._started_beside(images.flip(3), mirrored)
        return self.head.decode(self.head.merge_flipped(*outputs, flip_index))

    def _started_beside(self, images: Tensor, shift: Tensor) -> PosePrediction:
        return self.head.prediction(*self.head.stages(self.backbone(images), shift=shift))

    def _shift(self, images: Tensor) -> Float[Tensor, "B K 2"]:
        directions = random_directions(len(images), len(self.flip_index), self.generator)
        return (self.length * directions).to(images.device)


def random_directions(count: int, num_keypoints: int, generator: torch.Generator) -> Float[Tensor, "B K 2"]:
    """Unit vectors, uniform over the circle."""
    angle = 2 * math.pi * torch.rand(count, num_keypoints, generator=generator)
    return torch.stack([angle.cos(), angle.sin()], dim=-1)
