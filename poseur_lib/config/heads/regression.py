"""Knobs of the methods that regress coordinates from pooled features."""

from typing import Literal

from poseur_lib.config.backbone import Positive
from poseur_lib.config.base import Frozen


class RegressionConfig(Frozen):
    """Global average pooling and a linear layer.

    Attributes:
        loss: "rle": residual log-likelihood, with sigma and a score of its own (RLE); "l1": the plain error
            (DeepPose-style), without sigma.
        flow_layers, flow_hidden: of RLE's flow, as in `RLELossConfig`.
    """

    kind: Literal["regression"] = "regression"
    loss: Literal["rle", "l1"] = "rle"
    flow_layers: Positive = 6
    flow_hidden: Positive = 64
