"""Knobs of the methods that predict heatmaps, and of those that read coordinates off them."""

from typing import Annotated, Literal

from pydantic import Field

from poseur_lib.config.backbone import Positive
from poseur_lib.config.base import Frozen


class HeatmapCodecConfig(Frozen):
    """How keypoints become heatmaps and heatmaps keypoints.

    Attributes:
        sigma: standard deviation of the Gaussian, in heatmap cells.
        decoding: "quarter": the highest cell, a quarter of a cell towards its higher neighbour; "dark": Taylor
            expansion of the smoothed log-heatmap around it; "offset": UDP's three maps per keypoint (a disc, and
            the way to its centre in x and y).
        unbiased: UDP: lengths are counted between pixel centres, in crop, encoding and decoding.
        shift_flipped: the flip test moves mirrored heatmaps one cell to the right, which makes up for biased lengths.
        offset_radius: radius of the offset maps' disc, as a share of the heatmap's longer side.
    """

    sigma: Annotated[float, Field(gt=0)] = 2.0
    decoding: Literal["quarter", "dark", "offset"] = "quarter"
    unbiased: bool = False
    shift_flipped: bool = True
    offset_radius: Annotated[float, Field(gt=0, lt=1)] = 0.0546875


class HeatmapConfig(Frozen):
    """Heatmaps at a quarter of the input's size.

    SimpleBaseline: `deconvolutions` of `channels` on the backbone's last map. HRNet and HRFormer: none, and a 1x1
    convolution on the backbone's finest map.

    Attributes:
        codec: encoding, decoding and flip test.
        deconvolutions: 4x4, stride 2, on the last map; 0 takes the finest map.
        channels: of each deconvolution.
    """

    kind: Literal["heatmap"] = "heatmap"
    codec: HeatmapCodecConfig = HeatmapCodecConfig()
    deconvolutions: Literal[0, 1, 2, 3] = 3
    channels: Positive = 256


class IntegralConfig(Frozen):
    """Integral pose: the expectation of a softmax over a heatmap, trained by the L1 error of coordinates.

    Attributes:
        deconvolutions, channels: as in `HeatmapConfig`.
    """

    kind: Literal["integral"] = "integral"
    deconvolutions: Literal[0, 1, 2, 3] = 3
    channels: Positive = 256
