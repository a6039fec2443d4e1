"""Integral pose (Sun, Xiao, Wei, Liang, Wei, ECCV 2018): the expectation of a heatmap, trained by its L1 error.

Sec. 2: a softmax over all cells of the heatmap makes a distribution; the keypoint is its expectation, which can be
differentiated. The network is SimpleBaseline's. Poseur's Table 4 has it on ResNet-101.

Expected: parameters of SimpleBaseline (53.0 M on ResNet-101); 87.3 PCKh@0.5 on MPII val (Poseur's Table 4); 67.8 AP on
COCO test-dev at 256x256 (its paper; unverified).

Deviations of ours: 2D alone, with no heatmap loss beside the L1 error. Its paper defines no score of a keypoint: here
it is the mass of the distribution within `score_radius` cells of the keypoint on either axis, the probability that
Poseur's Eq. 8 speaks of, so that it lies in [0, 1] and the classic threshold of 0.2 has a meaning. The flip test
averages coordinates, which is to average the two distributions.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from poseur_lib.config.heads.heatmap import IntegralConfig
from poseur_lib.models.baselines.heatmap import HeatmapLayers
from poseur_lib.models.baselines.heatmap_encoding import bilinear_maps, extent, heatmap_size
from poseur_lib.models.pose_model import CoordinateHead, FeatureMaps, LossTerms, PoseTargets, without_autocast
from poseur_lib.poses import PosePrediction


class IntegralHead(CoordinateHead):
    """Deconvolutions, softmax, expectation; made of what `build_head` is given."""

    def __init__(
        self, config: IntegralConfig, num_keypoints: int, channels: Sequence[int], input_size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.score_radius, self.flip_shift = config.score_radius, 1 / input_size[1]
        self.layers = HeatmapLayers(channels, num_keypoints, input_size, config.deconvolutions, config.channels)

    def forward(self, features: FeatureMaps) -> PosePrediction:
        """Expectations, and scores in [0, 1]."""
        logits = self.layers(features)
        with without_autocast(logits):
            probabilities = logits.float().flatten(2).softmax(dim=2).unflatten(2, logits.shape[-2:])
            cells = expectation(probabilities)
            scores = mass_within(probabilities, cells, self.score_radius)
        return PosePrediction(cells / extent((logits.shape[-2], logits.shape[-1]), False, cells), scores)

    def loss(self, features: FeatureMaps, targets: PoseTargets) -> LossTerms:
        """Mean absolute error of the coordinates, as fractions of the crop; not labelled ones count as 0."""
        error = ((self(features).keypoints - targets.keypoints).abs() * targets.supervised[..., None]).mean()
        return LossTerms(error, {"l1": error})

    def round_trip(self, keypoints: Float[Tensor, "B K 2"], input_size: tuple[int, int]) -> Float[Tensor, "B K 2"]:
        """Through a distribution over cells and its expectation."""
        return round_trip(keypoints, input_size)


def round_trip(keypoints: Float[Tensor, "B K 2"], input_size: tuple[int, int]) -> Float[Tensor, "B K 2"]:
    """A distribution over cells and its expectation; what lies beyond the outermost cells' places is lost."""
    size = heatmap_size(input_size)
    sides = extent(size, False, keypoints)
    return expectation(bilinear_maps(keypoints * sides, size)) / sides


def expectation(probabilities: Float[Tensor, "B K h w"]) -> Float[Tensor, "B K 2"]:
    """Mean column and row (x, y), in cells, of distributions over cells."""
    x, y = probabilities.sum(dim=2), probabilities.sum(dim=3)
    return torch.stack([(one * _cells(one)).sum(dim=2) for one in (x, y)], dim=-1)


def mass_within(
    probabilities: Float[Tensor, "B K h w"], cells: Float[Tensor, "B K 2"], radius: float
) -> Float[Tensor, "B K"]:
    """Mass of the cells that are no further than `radius` from `cells` (x, y) on either axis."""
    columns = (_cells(probabilities.sum(dim=2)) - cells[..., 0, None]).abs() <= radius
    rows = (_cells(probabilities.sum(dim=3)) - cells[..., 1, None]).abs() <= radius
    return (probabilities * rows[..., :, None] * columns[..., None, :]).sum(dim=(2, 3))


def _cells(like: Float[Tensor, "B K n"]) -> Float[Tensor, " n"]:
    return torch.arange(like.shape[2], device=like.device, dtype=like.dtype)
