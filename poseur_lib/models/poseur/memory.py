"""Memory, what the decoder attends to: backbone maps, brought to C channels by a neck, as rows with their places."""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseur_lib.config.heads import DECONVOLUTIONS, PoseurConfig
from poseur_lib.errors import UserError
from poseur_lib.models.backbones import LEVELS
from poseur_lib.models.pose_model import FeatureMaps
from poseur_lib.models.poseur.positional import map_encoding


class ProjectionNeck(nn.Module):
    """Brings the chosen levels to C channels at their own sizes: 1x1 convolution and group norm.

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
        convs = [nn.Conv2d(channels[level], dims, 1, bias=False) for level in self.levels]
        for conv in convs:
            nn.init.xavier_uniform_(conv.weight)
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList(nn.GroupNorm(config.norm_groups, dims) for _ in self.levels)

    def forward(self, features: FeatureMaps) -> list[Float[Tensor, "B C _H _W"]]:
        """One map per chosen level, finest first: the last one, which the coarse stage may pool, is the coarsest."""
        chosen = (features[level] for level in self.levels)
        return [norm(conv(x)) for x, conv, norm in zip(chosen, self.convs, self.norms, strict=True)]


class DeconvolutionNeck(nn.Module):
    """Enlarges the backbone's last map step by step, and gives every step's map: 1/2, 1/4 and 1/8 of its stride."""

    def __init__(self, config: PoseurConfig, channels: Sequence[int]) -> None:
        super().__init__()
        dims = config.embed_dims
        widths = (channels[-1], *[dims] * DECONVOLUTIONS)
        deconvs = [
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)
            for before, after in itertools.pairwise(widths)
        ]
        for deconv in deconvs:
            nn.init.normal_(deconv.weight, std=0.001)
        self.deconvs = nn.ModuleList(deconvs)
        self.deconv_norms = nn.ModuleList(nn.BatchNorm2d(dims) for _ in deconvs)

    def forward(self, features: FeatureMaps) -> list[Float[Tensor, "B C _H _W"]]:
        """Maps of rising size, as released: the last one, which the coarse stage may pool, is the finest."""
        maps, x = [], features[-1]
        for deconv, norm in zip(self.deconvs, self.deconv_norms, strict=True):
            x = norm(deconv(x)).relu()
            maps.append(x)
        return maps


def build_neck(config: PoseurConfig, channels: Sequence[int]) -> ProjectionNeck | DeconvolutionNeck:
    """The neck that `config.neck` names, for backbone maps of these widths. No Transformer encoder follows, unlike in
    Deformable DETR.
    """
    neck = DeconvolutionNeck if config.neck == "deconvolution" else ProjectionNeck
    return neck(config, channels)


@dataclass(frozen=True)
class Memory:
    """The feature pyramids of I images, flattened to rows: levels in the order of the neck, cells row by row.

    A crop holds one person, so the models here have I = B; a decoder that is given `image_index` serves several people
    an image.

    Attributes:
        values: one row per cell, its encodings included, which are then sampled too; P cells of all levels.
        sizes: (height, width) of each level.
    """

    values: Float[Tensor, "I P C"]
    sizes: tuple[tuple[int, int], ...]


class MemoryEmbedding(nn.Module):
    """Adds to every cell the encoding of its place and of its level.

    Released code: with the deconvolution neck there are four level embeddings for three levels; so there are here.
    """

    def __init__(self, levels: int, embed_dims: int) -> None:
        super().__init__()
        self.level_embedding = nn.Parameter(torch.randn(levels, embed_dims))

    def forward(self, maps: list[Float[Tensor, "I C _H _W"]]) -> Memory:
        """Memory of the neck's maps."""
        sizes = tuple((x.shape[2], x.shape[3]) for x in maps)
        rows = torch.cat([x.flatten(2).transpose(1, 2) for x in maps], dim=1)  # (I, P, C), every row in one piece
        place = pyramid_encoding(sizes, maps[0].shape[1], maps[0].device)
        levels = zip(self.level_embedding[: len(sizes)], sizes, strict=True)
        level = torch.cat([embedding.expand(h * w, -1) for embedding, (h, w) in levels])
        return Memory(rows.add_(place + level), sizes)  # in place: a second copy of the maps takes longer than the sum


@functools.lru_cache(maxsize=64)
def pyramid_encoding(sizes: tuple[tuple[int, int], ...], dims: int, device: torch.device) -> Float[Tensor, "P {dims}"]:
    """Encoding of the cells of all levels, kept for the next batch of the same size."""
    with torch.inference_mode(False):  # the first call may be a prediction's, the next one a training step's
        return torch.cat([map_encoding(h, w, dims, device) for h, w in sizes])
