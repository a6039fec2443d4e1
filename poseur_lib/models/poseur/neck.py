"""Necks: backbone maps in, the maps of C channels that the decoder attends to out. There are no encoder layers."""

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from poseur_lib.config.heads import DECONVOLUTIONS, PoseurConfig
from poseur_lib.errors import UserError
from poseur_lib.models.backbones import LEVELS
from poseur_lib.models.pose_model import FeatureMaps


class ProjectionNeck(nn.Module):
    """Brings the chosen levels to C channels at their own sizes, finest first: 1x1 convolution and group norm.

    Raises:
        UserError: a level is chosen that the backbone does not give.
    """

    def __init__(self, config: PoseurConfig, channels: Sequence[int]) -> None:
        super().__init__()
        self.levels = tuple(LEVELS.index(name) for name in config.feature_levels)
        if self.levels[-1] >= len(channels):
            raise UserError(
                f"model.head.feature_levels {', '.join(config.feature_levels)}: the backbone gives"
                f" {', '.join(LEVELS[: len(channels)])} only"
            )
        dims = config.embed_dims
        self.convs = nn.ModuleList(nn.Conv2d(channels[level], dims, 1, bias=False) for level in self.levels)
        self.norms = nn.ModuleList(nn.GroupNorm(config.norm_groups, dims) for _ in self.levels)
        for conv in self.convs:
            nn.init.xavier_uniform_(conv.weight)

    def forward(self, features: FeatureMaps) -> list[Tensor]:
        """One map per chosen level."""
        chosen = (features[level] for level in self.levels)
        return [norm(conv(x)) for x, conv, norm in zip(chosen, self.convs, self.norms, strict=True)]


class DeconvolutionNeck(nn.Module):
    """Enlarges the backbone's last map step by step, and gives every step's map: 1/2, 1/4 and 1/8 of its stride.

    The order is the released code's, coarsest first, so that the coarse stage pools the finest map.
    """

    def __init__(self, config: PoseurConfig, channels: Sequence[int]) -> None:
        super().__init__()
        dims = config.embed_dims
        widths = (channels[-1], *[dims] * DECONVOLUTIONS)
        self.deconvs = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)
            for before, after in itertools.pairwise(widths)
        )
        self.deconv_norms = nn.ModuleList(nn.BatchNorm2d(dims) for _ in self.deconvs)
        for deconv in self.deconvs:
            nn.init.normal_(deconv.weight, std=0.001)

    def forward(self, features: FeatureMaps) -> list[Tensor]:
        """Maps of rising size."""
        maps, x = [], features[-1]
        for deconv, norm in zip(self.deconvs, self.deconv_norms, strict=True):
            x = norm(deconv(x)).relu()
            maps.append(x)
        return maps


def build_neck(config: PoseurConfig, channels: Sequence[int]) -> ProjectionNeck | DeconvolutionNeck:
    """The neck that `config.neck` names, for backbone maps of these widths."""
    neck = DeconvolutionNeck if config.neck == "deconvolution" else ProjectionNeck
    return neck(config, channels)
