"""Knobs of the methods that regress coordinates from pooled features."""

from typing import Literal

from poseur_lib.config.backbone import Depth, Positive
from poseur_lib.config.heads.base import HeadKnobs


class RegressionConfig(HeadKnobs):
    """Global average pooling of the backbone's last map, and a linear layer. Defaults: RLE's released code.

    Attributes:
        loss: "rle": residual log-likelihood, with sigma and a score of its own (RLE); "l1": the plain error
            (DeepPose-style), without sigma, every keypoint scored 1.
        fc: the layer of the coordinates. "l2_normalised": W x / |x| + b (released RLE); "plain": W x + b (DeepPose).
        flip_shift: flip test as RLE's code has it: what is predicted at x on the mirrored crop lies at 1 - 1/W - x, one
            pixel less than False, 1 - x (Poseur's code), says.
        log_phi_count, log_sigma_count: how often log phi of a keypoint and log sigma of a coordinate enter the "rle"
            loss. RLE's paper: 1. Its code: 2, by broadcasting and as both terms have it, as in Poseur's.
        flow_prior_mean: mean of the flow's Gaussian prior on both axes. RLE: 0 (Poseur's code: 0.5).
        flow_layers: coupling layers of the "rle" loss' flow.
        flow_hidden: width of their networks.
    """

    kind: Literal["regression"] = "regression"
    loss: Literal["rle", "l1"] = "rle"
    fc: Literal["l2_normalised", "plain"] = "l2_normalised"
    flip_shift: bool = True
    log_phi_count: Literal[1, 2] = 2
    log_sigma_count: Literal[1, 2] = 2
    flow_prior_mean: float = 0.0
    flow_layers: Depth = 6
    flow_hidden: Positive = 64
