"""Memory: what the decoder attends to."""

import functools
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseur_lib.models.poseur.positional import map_encoding


@dataclass(frozen=True)
class Memory:
    """The feature pyramids of B images, flattened to rows: levels in the order of the neck, cells row by row.

    Attributes:
        values: one row per cell; P is the number of cells of all levels.
        sizes: (height, width) of each level.
    """

    values: Float[Tensor, "B P C"]
    sizes: tuple[tuple[int, int], ...]


class MemoryEmbedding(nn.Module):
    """Adds to every cell the encoding of its place and of its level.

    Released code: with the deconvolution neck there are four level embeddings for three levels; so there are here.
    """

    def __init__(self, levels: int, embed_dims: int) -> None:
        super().__init__()
        self.level_embedding = nn.Parameter(torch.randn(levels, embed_dims))

    def forward(self, maps: list[Float[Tensor, "B C _H _W"]]) -> Memory:
        """Memory of the neck's maps."""
        sizes = tuple((x.shape[2], x.shape[3]) for x in maps)
        rows = torch.cat([x.flatten(2).transpose(1, 2) for x in maps], dim=1)  # (B, P, C), every row in one piece
        place = pyramid_encoding(sizes, maps[0].shape[1], maps[0].device)
        levels = zip(self.level_embedding[: len(sizes)], sizes, strict=True)
        level = torch.cat([embedding.expand(h * w, -1) for embedding, (h, w) in levels])
        return Memory(rows.add_(place + level), sizes)  # in place: a second copy of the maps takes longer than the sum


@functools.lru_cache(maxsize=64)
def pyramid_encoding(sizes: tuple[tuple[int, int], ...], dims: int, device: torch.device) -> Float[Tensor, "P {dims}"]:
    """Encoding of the cells of all levels, kept for the next batch of the same size."""
    with torch.inference_mode(False):  # the first call may be a prediction's, the next one a training step's
        return torch.cat([map_encoding(h, w, dims, device) for h, w in sizes])
