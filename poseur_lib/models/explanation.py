"""What the queries of a model attend to, layer by layer: what `PoseModel.explain` gives."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from poseur_lib.poses import PosePrediction


@dataclass(frozen=True)
class LayerExplanation:
    """One pass through a decoder layer (Eq. 1): N instances, K keypoints, M heads, L levels, S points.

    Attributes:
        reference_points: (x, y) that the layer samples around, in [0, 1] of the crop; the first layer's may lie beyond.
        sampling_locations: (x, y) of the samples, in [0, 1] of the crop; beyond that range the maps are zero.
        attention_weights: of the samples; each head's sum to 1 over levels and points.
        self_attention: how much of each keypoint's value (last axis) a keypoint takes; rows sum to 1. None where the
            layer has no self-attention.
    """

    reference_points: Float[Tensor, "N K 2"]
    sampling_locations: Float[Tensor, "N K M L S 2"]
    attention_weights: Float[Tensor, "N K M L S"]
    self_attention: Float[Tensor, "N M K K"] | None


@dataclass(frozen=True)
class Explanation:
    """A prediction, and what was attended to on the way.

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
