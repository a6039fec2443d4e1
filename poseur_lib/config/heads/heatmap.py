"""Knobs of the methods that predict heatmaps, and of those that read coordinates off them."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from poseur_lib.config.backbone import Positive
from poseur_lib.config.base import Frozen
from poseur_lib.config.heads.base import HeatmapKnobs, require_quarter


class HeatmapCodecConfig(Frozen):
    """How keypoints become heatmaps and heatmaps keypoints.

    SimpleBaseline, HRNet and HRFormer: `QUARTER`, the defaults. DARK: `DARK`. UDP: `UDP_DARK`, `UDP_OFFSET`.

    Attributes:
        sigma: standard deviation of the Gaussian, in heatmap cells: 2, and 3 at 384x288 (released configurations).
        centers: "rounded" puts the Gaussian on the cell next to the keypoint (released SimpleBaseline); "exact" on the
            keypoint (DARK, UDP).
        decoding: "quarter": the highest cell, a quarter of a cell towards its higher neighbour; "dark": Taylor
            expansion of the smoothed log-heatmap around it; "offset": UDP's three maps per keypoint (a disc, and
            the way to its centre in x and y), which take neither `sigma` nor rounded centres.
        unbiased: UDP: lengths are counted between pixel centres, in crop, encoding and decoding.
        shift_flipped: the flip test moves mirrored heatmaps one cell to the right, which makes up for biased lengths.
        offset_radius: radius of the offset maps' disc, as a share of the heatmap's longer side.
    """

    sigma: Annotated[float, Field(gt=0)] = 2.0
    centers: Literal["rounded", "exact"] = "rounded"
    decoding: Literal["quarter", "dark", "offset"] = "quarter"
    unbiased: bool = False
    shift_flipped: bool = True
    offset_radius: Annotated[float, Field(gt=0, lt=1)] = 0.0546875

    @model_validator(mode="after")
    def _fits_together(self) -> "HeatmapCodecConfig":
        if self.unbiased and self.shift_flipped:
            raise ValueError("shift_flipped True makes up for biased lengths: with unbiased True it must be False")
        if self.unbiased and self.centers == "rounded":
            raise ValueError("centers 'rounded' are biased: with unbiased True they must be 'exact'")
        if self.decoding == "offset" and not self.unbiased:
            raise ValueError("decoding 'offset' is UDP's: unbiased must be True")
        return self

    @property
    def maps_per_keypoint(self) -> int:
        """M: one heatmap, or a disc and two offset maps."""
        return 3 if self.decoding == "offset" else 1


QUARTER = HeatmapCodecConfig()
DARK = HeatmapCodecConfig(decoding="dark", centers="exact")
UDP_DARK = HeatmapCodecConfig(decoding="dark", centers="exact", unbiased=True, shift_flipped=False)
UDP_OFFSET = HeatmapCodecConfig(decoding="offset", centers="exact", unbiased=True, shift_flipped=False)


class HeatmapConfig(HeatmapKnobs):
    """Heatmaps at a quarter of the input's size.

    SimpleBaseline: `deconvolutions` of `channels` on the backbone's last map, as many as bring it to a quarter (3 from
    stride 32, 2 from the ViT's 16). HRNet and HRFormer: none, and a 1x1 convolution on the one map of a backbone with
    `outputs` "finest".

    To score people as these methods' own code does, set `evaluation.instance_score` to "classic", which is not the
    default: the score of a keypoint is its heatmap's maximum, and those of 0.2 and less do not count.

    Attributes:
        codec: encoding, decoding and flip test.
        deconvolutions: 4x4, stride 2, on the last map.
        channels: of each deconvolution.
    """

    kind: Literal["heatmap"] = "heatmap"
    codec: HeatmapCodecConfig = QUARTER
    deconvolutions: Literal[0, 1, 2, 3] = 3
    channels: Positive = 256

    def check_maps(self, backbone: str, strides: Sequence[int], has_finest: bool) -> None:
        """Heatmaps are a quarter of the input."""
        require_quarter(self.deconvolutions, backbone, strides, has_finest)


class IntegralConfig(HeatmapKnobs):
    """Integral pose: the expectation of a softmax over a heatmap, trained by the L1 error of coordinates.

    Set `evaluation.instance_score` to "classic", which is not the default, or "paper": the score of a keypoint is a
    probability (`score_radius`).

    Attributes:
        deconvolutions, channels: as in `HeatmapConfig`.
        score_radius: the score of a keypoint is the softmax's mass within so many cells of it on either axis.
    """

    kind: Literal["integral"] = "integral"
    deconvolutions: Literal[0, 1, 2, 3] = 3
    channels: Positive = 256
    score_radius: Annotated[float, Field(gt=0)] = 2.0

    def check_maps(self, backbone: str, strides: Sequence[int], has_finest: bool) -> None:
        """Heatmaps are a quarter of the input."""
        require_quarter(self.deconvolutions, backbone, strides, has_finest)
