"""Methods that predict heatmaps: SimpleBaseline, HRNet, HRFormer, with the codec of each, DARK's or UDP's.

SimpleBaseline (Xiao, Wu, Wei, ECCV 2018, Sec. 2): three deconvolutions 4x4 of 256 channels with batch norm and ReLU on
the backbone's last map, a 1x1 convolution to K heatmaps, mean squared error. HRNet (Sun et al., CVPR 2019, Sec. 3) and
HRFormer (Yuan et al., NeurIPS 2021): a 1x1 convolution on the finest map alone.

Expected (COCO val, detector boxes, flip test; source: shared/reference/published.json unless said otherwise).
Parameters in M are reached to the digit (tests/costs/test_heatmap_costs.py) but HRFormer-S's, 7.73, and UDP's, 28.54
and 63.60: its README prints 0.2 M more than HRNet's, its released network has a last layer of 3 K maps and 0.001 M
more, as ours. GFLOPs depend on how deconvolutions are counted:

    SimpleBaseline R50 / R101 / R152, 256x192      34.0 / 53.0 / 68.6 M    8.9 / 12.4 / 15.7 G    70.4 / 71.4 / 72.0 AP
    HRNet-W32 / W48, 256x192                       28.5 / 63.6 M           7.1 / 14.6 G           74.4 / 75.1 AP
    HRFormer-T / S / B, 256x192 (M unverified)     2.5 / 7.8 / 43.2 M      1.3 / 2.8 / 12.2 G     70.9 / 74.0 / 75.6 AP
    UDP HRNet-W32, 256x192; W48, 384x288           28.7 / 63.8 M           7.2 / 33.0 G           76.8 / 77.8 AP
    Poseur's Table 2a (its own training): SimpleBaseline MobileNetV2 65.9, R50 72.4, HRNet-W32 75.0 AP
    Poseur's Table 2b: SimpleBaseline R50 at 64x64 31.4, 128x128 59.3, 256x192 71.0 AP

Deviations of ours. The mean squared error is that of all cells, without the papers' code's factor 1/2 (Adam does not
see it). An input that is no multiple of the stride is a multiple of it with nothing to the right and below: what the
deconvolutions make beyond a quarter of the input is cut off (the methods' code refuses such inputs).
"""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor, nn

from poseur_lib.config.heads.base import HEATMAP_STRIDE
from poseur_lib.config.heads.heatmap import HeatmapCodecConfig, HeatmapConfig
from poseur_lib.data.crop import CropRule
from poseur_lib.errors import UserError
from poseur_lib.models.baselines.heatmap_decoding import decode, merge_flipped, round_trip
from poseur_lib.models.baselines.heatmap_encoding import encode, heatmap_size, require_discs, size_text
from poseur_lib.models.pose_model import FeatureMaps, LossTerms, PoseHead, PoseTargets, without_autocast
from poseur_lib.poses import PosePrediction

INITIAL_STD = 0.001

Maps = Float[Tensor, "B K M h w"]


class HeatmapPoseHead(PoseHead[Tensor]):
    """What every method with heatmaps shares; one of them writes `forward` alone, which gives `Maps`.

    Args:
        codec: M maps for each keypoint, and what they mean; it decides the crop rule.
        input_size: (height, width) of the crops.

    Raises:
        UserError: the input is too small for the codec's discs.
    """

    def __init__(self, codec: HeatmapCodecConfig, input_size: tuple[int, int]) -> None:
        super().__init__()
        require_discs(codec, input_size)
        self.codec = codec
        self.crop_rule = CropRule(unbiased=codec.unbiased)

    def loss(self, features: FeatureMaps, targets: PoseTargets) -> LossTerms:
        """Mean squared error of the maps; `targets.supervised` is the weight of a keypoint."""
        return self.loss_of(self(features), targets)

    def loss_of(self, maps: Maps, targets: PoseTargets) -> LossTerms:
        """The loss of given maps."""
        with without_autocast(maps):
            wanted = encode(self.codec, targets.keypoints, (maps.shape[-2], maps.shape[-1]))
            weight = targets.supervised.float()[..., None, None]
            return heatmap_loss(maps.float(), wanted, weight)

    def merge_flipped(self, outputs: Maps, flipped: Maps, flip_index: Int[Tensor, " K"]) -> Maps:
        """The mean of the maps, before they are decoded."""
        return merge_flipped(self.codec, outputs, flipped, flip_index)

    def decode(self, outputs: Maps) -> PosePrediction:
        """Poses by the codec; the score of a keypoint is the maximum of its heatmap."""
        with without_autocast(outputs):
            return PosePrediction(*decode(self.codec, outputs))

    def round_trip(self, keypoints: Float[Tensor, "B K 2"], input_size: tuple[int, int]) -> Float[Tensor, "B K 2"]:
        """Encoded and decoded by the codec."""
        return round_trip(self.codec, keypoints, input_size)


def heatmap_loss(maps: Maps, wanted: Maps, weight: Float[Tensor, "B K 1 1"]) -> LossTerms:
    """Mean squared error over all cells and keypoints of the batch.

    UDP's offset maps count within the disc alone; its three terms are halved (mmpose 0.x).
    """
    heatmap = (weight * (maps[:, :, 0] - wanted[:, :, 0]).square()).mean()
    if maps.shape[2] == 1:
        return LossTerms(heatmap, {"heatmap": heatmap})
    disc = (weight * wanted[:, :, 0])[:, :, None]
    offsets = (disc * (maps[:, :, 1:] - wanted[:, :, 1:]).square()).mean(dim=(0, 1, 3, 4)).sum()
    terms = {"disc": 0.5 * heatmap, "offsets": 0.5 * offsets}
    return LossTerms(terms["disc"] + terms["offsets"], terms)


class HeatmapLayers(nn.Module):
    """Deconvolutions and the 1x1 convolution, from one of the backbone's maps to maps of a quarter of the input.

    Args:
        channels: widths of the backbone's maps, finest first.
        maps: how many to make.
        input_size: (height, width) of the crops.

    Raises:
        UserError: a side of the input is no multiple of 4, or there are several maps and no deconvolutions, so that
            much of the backbone would not be used.
    """

    def __init__(
        self, channels: Sequence[int], maps: int, input_size: tuple[int, int], deconvolutions: int, width: int
    ) -> None:
        super().__init__()
        self.input_size, self.heatmap_size = tuple(input_size), heatmap_size(input_size)
        self.stride = HEATMAP_STRIDE * 2**deconvolutions
        if not deconvolutions and len(channels) > 1:
            raise UserError(
                f"a heatmap head without deconvolutions takes the one map of a backbone with outputs 'finest', and"
                f" this one gives {len(channels)}"
            )
        widths = [channels[-1], *[width] * deconvolutions]
        self.deconvolutions = nn.Sequential(
            *(layer for before in widths[:-1] for layer in _deconvolution(before, width))
        )
        self.predict = nn.Conv2d(widths[-1], maps, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=INITIAL_STD)
        nn.init.zeros_(self.predict.get_parameter("bias"))

    def forward(self, features: FeatureMaps) -> Float[Tensor, "B maps h w"]:
        """The maps.

        Raises:
            UserError: the backbone's map is not of the stride that the deconvolutions start from.
        """
        last = features[-1]
        expected = tuple(-(-side // self.stride) for side in self.input_size)
        if tuple(last.shape[-2:]) != expected:
            raise UserError(
                f"heatmaps of a {size_text(self.input_size)} input are made of a map of stride {self.stride},"
                f" {size_text(expected)} cells; the backbone gives {size_text(last.shape[-2:])}"
            )
        height, width = self.heatmap_size
        return self.predict(self.deconvolutions(last)[..., :height, :width])


class HeatmapHead(HeatmapPoseHead):
    """SimpleBaseline's head, or HRNet's and HRFormer's without deconvolutions; made of what `build_head` is given."""

    def __init__(
        self, config: HeatmapConfig, num_keypoints: int, channels: Sequence[int], input_size: tuple[int, int]
    ) -> None:
        super().__init__(config.codec, input_size)
        self.num_keypoints = num_keypoints
        maps = num_keypoints * config.codec.maps_per_keypoint
        self.layers = HeatmapLayers(channels, maps, input_size, config.deconvolutions, config.channels)

    def forward(self, features: FeatureMaps) -> Maps:
        """The maps of every keypoint."""
        return self.layers(features).unflatten(1, (self.num_keypoints, self.codec.maps_per_keypoint))


def _deconvolution(before: int, after: int) -> tuple[nn.Module, ...]:
    """Twice the size: 4x4, stride 2, without bias; batch norm; ReLU."""
    deconvolution = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)
    return deconvolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)
