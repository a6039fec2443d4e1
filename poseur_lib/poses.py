"""What models predict: the poses of a batch of crops, and Poseur's stages on the way to them."""

from dataclasses import dataclass, replace
from typing import Literal

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class LayerPrediction:
    """What one stage of a model predicts.

    Attributes:
        keypoints: (x, y) in [0, 1] of the crop; points outside the crop lie outside that range.
        sigma: the network's scale output per axis, a fraction of the crop side, in (0, 1).
    """

    keypoints: Float[Tensor, "N K 2"]
    sigma: Float[Tensor, "N K 2"]


@dataclass(frozen=True)
class PosePrediction:
    """What every model predicts.

    Attributes:
        keypoints: (x, y) in `frame`: [0, 1] of the crop, or pixels of the original image.
        keypoint_scores: confidence; its scale is the method's own.
        sigma: scale output of the last stage, always a fraction of the crop side; None where the method has none.
        coarse: Poseur's FC proposal.
        layers: one prediction per decoder layer, in order; the last one is `keypoints` before any flip fusion.
        frame: the frame of `keypoints` (`coarse` and `layers` are always in the crop frame).
    """

    keypoints: Float[Tensor, "N K 2"]
    keypoint_scores: Float[Tensor, "N K"]
    sigma: Float[Tensor, "N K 2"] | None = None
    coarse: LayerPrediction | None = None
    layers: tuple[LayerPrediction, ...] = ()
    frame: Literal["crop", "image"] = "crop"

    def to_image(self, center: Float[Tensor, "N 2"], box_scale: Float[Tensor, "N 2"]) -> "PosePrediction":
        """The same prediction with `keypoints` in pixels of the original image.

        Args:
            center: centre of the crop in image pixels.
            box_scale: size (width, height) of the crop in units of 200 image pixels, as the released code has it.
        """
        if self.frame != "crop":
            raise ValueError(f"frame is {self.frame!r}, expected 'crop'")
        side = box_scale * 200.0
        keypoints = self.keypoints * side[:, None] + (center - 0.5 * side)[:, None]
        return replace(self, keypoints=keypoints, frame="image")
