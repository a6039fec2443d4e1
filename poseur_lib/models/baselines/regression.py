"""Regression from pooled features: RLE, and plain L1 in the manner of DeepPose.

RLE: Li et al., "Human Pose Regression with Residual Log-likelihood Estimation", ICCV 2021, Sec. 3, and its released
code (read, for ResNet; that code has no HRNet). DeepPose: Toshev and Szegedy, CVPR 2014, one stage of it.

As RLE's code: global average pooling of the last map, two linear layers (W x / |x| + b for the coordinates, the plain
one with a sigmoid for sigma), both Xavier with gain 0.01; coordinates relative to the crop's centre; log phi and
log sigma counted twice; flow prior with mean 0; score mean(1 - sigma); flip test as plain means, with the shift of a
pixel. Deviations: the loss is divided by K as well (Adam does not see it), keypoints outside the crop have no weight
(unless `train.supervise_outside_crop`), and training follows the study's recipe (RLE: Adam 1e-3, 270 epochs, divided by
10 at 170 and 200; Poseur, Sec. 2, says that its backbone was pretrained with heatmaps). "l1" differs from "rle" in its
loss alone: RLE compares with L1 so, and DeepPose itself has L2, a cascade and AlexNet.

HRNet: which map RLE pools is unverified. `model.backbone.outputs` "classification" gives the 2,048 channels that
HRNet's classifier pools: 39.3 M parameters at W32, RLE's count as recalled, and 8.7 GFLOPs; "pyramid" the coarsest
branch, 29.3 M and 7.7 GFLOPs (7.2 in units of 2^30). Printed are 7.1 GFLOPs (Poseur, Table 5), which is what HRNet's
own page has for its heatmap model, in units of 2^30.

Expected at 256x192: ResNet-50 23.6 M (recalled) and 4.0 GFLOPs; counted, without the flow that serves the loss alone,
23.65 M and 4.00. AP on COCO val, detector boxes: ResNet-50 70.5, HRNet-W32 74.3 (Poseur, Table 5); test-dev: ResNet-152
74.2, HRNet-W48 75.7 (Table 6). L1 on ResNet-50: 58.1 in RLE's paper (recalled, unverified).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from poseur_lib.config.heads import RegressionConfig
from poseur_lib.losses.flow import RealNVP
from poseur_lib.losses.rle import negative_log_likelihood
from poseur_lib.models.pose_model import CoordinateHead, FeatureMaps, LossTerms, PoseTargets, without_autocast
from poseur_lib.poses import PosePrediction
from poseur_lib.scoring.uncertainty import rle_scores

XAVIER_GAIN = 0.01
CENTRE = 0.5


class RegressionHead(CoordinateHead):
    """Pooling and a linear layer.

    Args:
        config: every knob.
        num_keypoints: K.
        channels: widths of the backbone's maps; the last map is pooled.
        input_size: (height, width) of the crops in pixels.
    """

    coarsest_alone = True

    def __init__(
        self, config: RegressionConfig, num_keypoints: int, channels: Sequence[int], input_size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.config = config
        self.flip_shift = 1 / input_size[1] if config.flip_shift else 0.0
        self.coordinates = _linear(channels[-1], 2 * num_keypoints)
        self.sigma: nn.Linear | None = None
        self.flow: RealNVP | None = None
        if config.loss == "rle":
            self.sigma = _linear(channels[-1], 2 * num_keypoints)
            self.flow = RealNVP(config.flow_layers, config.flow_hidden, config.flow_prior_mean)

    def forward(self, features: FeatureMaps) -> PosePrediction:
        """Unbounded coordinates, and where the loss is a likelihood, sigma."""
        with without_autocast(features[-1]):  # bfloat16 would round to whole pixels
            pooled = features[-1].float().mean(dim=(2, 3))
            scaled = normalize(pooled, dim=1) if self.config.fc == "l2_normalised" else pooled
            keypoints = CENTRE + self.coordinates(scaled).unflatten(1, (-1, 2))
            if self.sigma is None:
                return PosePrediction(keypoints=keypoints, keypoint_scores=torch.ones_like(keypoints[..., 0]))
            sigma = self.sigma(pooled).sigmoid().unflatten(1, (-1, 2))
        return PosePrediction(keypoints=keypoints, keypoint_scores=rle_scores(sigma), sigma=sigma)

    def loss(self, features: FeatureMaps, targets: PoseTargets) -> LossTerms:
        """The mean over all keypoints, those without a target with weight 0."""
        prediction, weight = self(features), targets.supervised.float()
        if prediction.sigma is None or self.flow is None:
            term = l1_loss(prediction.keypoints, targets.keypoints, weight)
            return LossTerms(term, {"l1": term})
        with without_autocast(weight):
            (term,) = negative_log_likelihood(
                prediction.keypoints[None],
                prediction.sigma[None],
                targets.keypoints,
                weight,
                self.flow,
                log_phi_count=self.config.log_phi_count,
                log_sigma_count=self.config.log_sigma_count,
            )
        return LossTerms(term, {"likelihood": term})


def l1_loss(
    keypoints: Float[Tensor, "B K 2"], target: Float[Tensor, "B K 2"], weight: Float[Tensor, "B K"]
) -> Float[Tensor, ""]:
    """Weighted |keypoints - target| per axis, summed and divided by 2 B K whatever the weights are."""
    return ((keypoints - target).abs() * weight[..., None]).mean()


def _linear(channels: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(channels, outputs)
    nn.init.xavier_uniform_(linear.weight, gain=XAVIER_GAIN)
    return linear
