"""Memory, what the decoder attends to: backbone maps, brought to C channels by a neck, as rows with their places."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class LevelGeometry(NamedTuple):
    """Width, height and first row of each level, as floats (exact: rows stay far below 2^24)."""

    width: Float[Tensor, "L 1"]
    height: Float[Tensor, "L 1"]
    start: Float[Tensor, "L 1"]


def level_geometry(sizes: tuple[tuple[int, int], ...], device: torch.device) -> LevelGeometry:
    """Of levels whose (height, width) are `sizes`."""
    starts = itertools.accumulate((h * w for h, w in sizes[:-1]), initial=0)
    columns = ([w for _, w in sizes], [h for h, _ in sizes], list(starts))
    return LevelGeometry(*(torch.tensor(x, dtype=torch.float32, device=device)[:, None] for x in columns))


@dataclass(frozen=True)
class Memory:
    """The feature pyramids of I images, flattened to rows: levels in the order of the neck, cells row by row.

    A crop holds one person, so the models here have I = B; a decoder that is given `image_index` serves several people
    an image.

    Attributes:
        values: one row per cell, its encodings included, which are then sampled too; P cells of all levels.
        sizes: (height, width) of each level.
        levels: the same as tensors.
    """

    values: Float[Tensor, "I P C"]
    sizes: tuple[tuple[int, int], ...]
    levels: LevelGeometry

    @classmethod
    def of(cls, values: Float[Tensor, "I P C"], sizes: tuple[tuple[int, int], ...]) -> "Memory":
        """Memory of rows that are given."""
        return cls(values, sizes, level_geometry(sizes, values.device))


class Pyramid(NamedTuple):
    """What is the same for all maps of the same sizes: where the cells are."""

    levels: LevelGeometry
    place: Float[Tensor, "P C"]


class MemoryEmbedding(nn.Module):
    """Adds to every cell the encoding of its place and of its level.

    The encoding of places is kept from one batch to the next, so that a compiled pass, or one that is captured as a
    CUDA graph, computes nothing of it. It is no state.

    Released code: with the deconvolution neck there are four level embeddings for three levels; so there are here.

    Args:
        every_size: the encoding of each size stays where it is, as a graph reads it there again after batches of
            another size. Otherwise that of the last size alone is kept: whole images have hundreds of sizes.
    """

    def __init__(self, levels: int, embed_dims: int, *, every_size: bool = True) -> None:
        super().__init__()
        self.every_size = every_size
        self.level_embedding = nn.Parameter(torch.randn(levels, embed_dims))
        self._pyramids: dict[tuple[tuple[tuple[int, int], ...], torch.device], Pyramid] = {}

    def forward(self, maps: list[Float[Tensor, "I C _H _W"]]) -> Memory:
        """Memory of the neck's maps."""
        sizes = tuple((x.shape[2], x.shape[3]) for x in maps)
        rows = torch.cat([x.flatten(2).transpose(1, 2) for x in maps], dim=1)  # (I, P, C), every row in one piece
        pyramid = self._pyramid_of(sizes, rows)
        levels = zip(self.level_embedding[: len(sizes)], sizes, strict=True)
        level = torch.cat([embedding.expand(h * w, -1) for embedding, (h, w) in levels])
        rows = rows.add_(pyramid.place + level)  # in place: a second copy of the maps takes longer than the sum
        if rows.is_cuda and torch.is_autocast_enabled("cuda"):  # once here, or the products of every layer do it
            rows = rows.to(torch.get_autocast_dtype("cuda"))
        return Memory(rows, sizes, pyramid.levels)

    def _pyramid_of(self, sizes: tuple[tuple[int, int], ...], like: Float[Tensor, "I P C"]) -> Pyramid:
        pyramid = self._pyramids.get((sizes, like.device))
        if pyramid is None:
            with torch.inference_mode(False):  # the first call may be a prediction's, the next one a training step's
                place = torch.cat([map_encoding(h, w, like.shape[2], like.device) for h, w in sizes])
                made = Pyramid(level_geometry(sizes, like.device), place)
            if not self.every_size:
                self._pyramids.clear()
            pyramid = self._pyramids.setdefault((sizes, like.device), made)  # one for all threads that share the model
        return pyramid
