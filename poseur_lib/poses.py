"""What models say: the poses of a batch of crops, Poseur's stages on the way to them, and what its queries attended to.

All points are (x, y) in [0, 1] of the crop; those outside of it lie beyond that range. B counts rows: instances, and in
training the query groups of each instance one after another.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class StagePrediction:
    """What one stage of Poseur predicts: the coarse stage, or a decoder layer.

    Attributes:
        sigma: the network's scale output per axis, a fraction of the crop side, in (0, 1). It is no Laplace scale; that
            one is `poseur_lib.losses.rle.laplace_scale`.
    """

    keypoints: Float[Tensor, "B K 2"]
    sigma: Float[Tensor, "B K 2"]


@dataclass(frozen=True)
class PosePrediction:
    """What every model predicts.

    Attributes:
        keypoint_scores: confidence; its scale is the method's own.
        sigma: scale output of the last stage, a fraction of the crop side; None where the method has none.
        coarse: Poseur's FC proposal.
        layers: one prediction per decoder layer, in order; the keypoints of the last one are `keypoints` before any
            flip fusion.
    """

    keypoints: Float[Tensor, "B K 2"]
    keypoint_scores: Float[Tensor, "B K"]
    sigma: Float[Tensor, "B K 2"] | None = None
    coarse: StagePrediction | None = None
    layers: tuple[StagePrediction, ...] = ()


@dataclass(frozen=True)
class LayerExplanation:
    """What the queries attended to in one pass through a decoder layer (Eq. 1): M heads, L levels, S points.

    Attributes:
        reference_points: what the layer samples around.
        sampling_locations: of the samples; beyond the crop the maps are zero.
        attention_weights: of the samples; each head's sum to 1 over levels and points.
        self_attention: how much of each keypoint's value (last axis) a keypoint takes; rows sum to 1. None where the
            layer has no self-attention.
    """

    reference_points: Float[Tensor, "B K 2"]
    sampling_locations: Float[Tensor, "B K M L S 2"]
    attention_weights: Float[Tensor, "B K M L S"]
    self_attention: Float[Tensor, "B M K K"] | None


@dataclass(frozen=True)
class Explanation:
    """A prediction, and what was attended to on the way; what `PoseModel.explain` gives.

    Attributes:
        prediction: that of an ordinary forward pass.
        layers: one a pass, in order: a shared layer that is passed three times is here three times.
        level_sizes: (height, width) in cells of the maps that are sampled, in the order of the L axis.
    """

    prediction: PosePrediction
    layers: tuple[LayerExplanation, ...]
    level_sizes: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if len(self.layers) != len(self.prediction.layers):
            raise ValueError(f"{len(self.layers)} passes were recorded, expected {len(self.prediction.layers)}")
