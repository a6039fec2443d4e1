"""Regions pooled from the feature pyramid by torchvision's RoIAlign, and what a keypoint head is given of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchvision.ops import roi_align
from torchvision.ops.poolers import LevelMapper

CANONICAL_LEVEL = 4
"""k_0 of the feature pyramid paper (Eq. 1): stride 16, the third level."""
FINEST_LEVEL = 2
"""Stride 4."""


class Regions(NamedTuple):
    """Boxes of the images of a batch, and what is known of them.

    Attributes:
        features: of each box, after the tower.
        boxes_px: (left, top, right, bottom) in pixels of the resized images.
        image_index: the image of each box.
        pyramid: the maps of the whole images, finest first, without the pooled level.
        canvas: (height, width) of the padded batch in pixels.
    """

    features: Float[Tensor, "N C h w"]
    boxes_px: Float[Tensor, "N 4"]
    image_index: Int[Tensor, " N"]
    pyramid: Sequence[Float[Tensor, "I _C _H _W"]]
    canvas: tuple[int, int]

    def of(self, chosen: Int[Tensor, " M"]) -> "Regions":
        """Some of them; the pyramid stays as it is."""
        return self._replace(
            features=self.features[chosen], boxes_px=self.boxes_px[chosen], image_index=self.image_index[chosen]
        )


class RegionPooler(nn.Module):
    """RoIAlign on the level that fits a box's size, called as torchvision's `MultiScaleRoIAlign`.

    That one has no `aligned`, which Detectron2 sets (ROIAlignV2): without it, everything is shifted by half a cell.

    Args:
        levels: of the pyramid; the pooled one is not among them.
        side: cells of a pooled region on each axis.
        sampling_ratio, aligned, canonical_side: as of `MaskRCNNConfig`.
    """

    def __init__(self, levels: int, side: int, sampling_ratio: int, aligned: bool, canonical_side: int) -> None:
        super().__init__()
        self.side, self.sampling_ratio, self.aligned = side, sampling_ratio, aligned
        self.names = [str(level) for level in range(levels)]
        self.level_of = LevelMapper(FINEST_LEVEL, FINEST_LEVEL + levels - 1, canonical_side, CANONICAL_LEVEL)

    def forward(
        self, features: Mapping[str, Tensor], boxes: Sequence[Float[Tensor, "_N 4"]], image_shapes: object = None
    ) -> Float[Tensor, "N C side side"]:
        """Of the boxes of each image, one after another; `image_shapes` is not needed, strides being known."""
        rows = torch.cat([torch.cat([box.new_full((len(box), 1), at), box], 1) for at, box in enumerate(boxes)])
        level = self.level_of(boxes)
        first = features[self.names[0]]
        pooled = rows.new_zeros(len(rows), first.shape[1], self.side, self.side)
        for number, name in enumerate(self.names):
            here = torch.where(level == number)[0]
            pooled[here] = roi_align(
                features[name],
                rows[here],
                self.side,
                spatial_scale=1 / 2 ** (FINEST_LEVEL + number),
                sampling_ratio=self.sampling_ratio,
                aligned=self.aligned,
            )
        return pooled
