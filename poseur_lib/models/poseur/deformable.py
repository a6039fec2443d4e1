"""Multi-scale deformable attention: EMSDA (Eq. 1), and MSDA, which it is measured against (supp. Sec. 4).

Both sample the same places with the same weights and have equally many parameters. MSDA applies the linear layer W^v to
every cell of the maps and samples the result; EMSDA samples first and applies W^v to the sums only.

Frames: (x, y) in [0, 1] of the crop, which is [0, 1] of each level's map.
"""

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from poseur_lib.models.poseur.memory import LevelGeometry, Memory
from poseur_lib.models.poseur.sampling import corner_rows, sample_bags, sample_memory


class Samples(NamedTuple):
    """Sampling locations, and attention weights that sum to 1 over levels and points."""

    sampling_locations: Float[Tensor, "B Q M L S 2"]
    attention_weights: Float[Tensor, "B Q M L S"]


class DeformableAttention(nn.Module, ABC):
    """Where keypoint queries look, and how the heads are merged; subclasses say what a head sees there.

    Args:
        embed_dims: C.
        num_heads, num_levels, num_points: M, L, S.
    """

    def __init__(self, embed_dims: int, num_heads: int, num_levels: int, num_points: int) -> None:
        super().__init__()
        self.num_heads, self.num_levels, self.num_points = num_heads, num_levels, num_points
        samples = num_heads * num_levels * num_points
        self.sampling_offsets = nn.Linear(embed_dims, samples * 2)
        self.attention_weights = nn.Linear(embed_dims, samples)
        self.output_proj = nn.Linear(embed_dims, embed_dims)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Xavier uniform for every matrix; the offsets' bias puts head m on the m-th ray of a ring, point s at s+1.

        The ring is Deformable DETR's, whose two sampling matrices start at 0.
        """
        for matrix in (self.sampling_offsets.weight, self.attention_weights.weight, self.output_proj.weight):
            nn.init.xavier_uniform_(matrix)
        nn.init.zeros_(self.attention_weights.bias)
        nn.init.zeros_(self.output_proj.bias)
        angle = torch.arange(self.num_heads) * (2 * math.pi / self.num_heads)
        ray = torch.stack([angle.cos(), angle.sin()], dim=-1)
        ray = ray / ray.abs().max(dim=-1, keepdim=True).values
        reach = torch.arange(1, self.num_points + 1)
        ring = ray[:, None, None] * reach[None, None, :, None]
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(ring.expand(-1, self.num_levels, -1, -1).flatten())

    def samples(
        self,
        query: Float[Tensor, "B Q C"],
        reference_points: Float[Tensor, "B Q 2"],
        levels: LevelGeometry,
    ) -> Samples:
        """Where the heads look; an offset is counted in cells of its level."""
        shape = (*query.shape[:2], self.num_heads, self.num_levels, self.num_points)
        x, y = self.sampling_offsets(query).float().view(*shape, 2).unbind(dim=-1)
        reference_x, reference_y = reference_points.float()[:, :, None, None, None].unbind(dim=-1)
        sampling_locations = torch.stack([reference_x + x / levels.width, reference_y + y / levels.height], dim=-1)
        attention_weights = self.attention_weights(query).view(*shape[:3], -1).softmax(dim=-1).view(shape)
        return Samples(sampling_locations, attention_weights)

    @abstractmethod
    def head_outputs(
        self, samples: Samples, memory: Memory, image_index: Int[Tensor, " B"] | None
    ) -> Float[Tensor, "B Q M D"]:
        """What each head sees; D = C / M channels."""

    def forward(
        self,
        query: Float[Tensor, "B Q C"],
        reference_points: Float[Tensor, "B Q 2"],
        memory: Memory,
        image_index: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "B Q C"]:
        """Eq. 1.

        Args:
            query: content and class embedding, added.
            image_index: the image of each instance, where several are people of one image (Sec. 4.3); None: one
                instance an image, in order.

        Raises:
            ValueError: no `image_index`, and not as many instances as images.
        """
        samples = self.samples(query, reference_points, memory.levels)
        return self.output_proj(self.head_outputs(samples, memory, image_index).flatten(2))


class EMSDA(DeformableAttention):
    """Efficient multi-scale deformable attention (Eq. 1): each head sums all C channels, then projects the sum to D.

    Released code: the projection's bias, which Eq. 1 does not have, is added once after sampling, and starts as Xavier
    uniform like the matrix; so it is here.
    """

    def __init__(self, embed_dims: int, num_heads: int, num_levels: int, num_points: int) -> None:
        super().__init__(embed_dims, num_heads, num_levels, num_points)
        self.value_proj_weight = nn.Parameter(torch.empty(num_heads * embed_dims, embed_dims // num_heads))
        self.value_proj_bias = nn.Parameter(torch.empty(num_heads, embed_dims // num_heads))
        nn.init.xavier_uniform_(self.value_proj_weight)
        nn.init.xavier_uniform_(self.value_proj_bias)

    def head_outputs(
        self, samples: Samples, memory: Memory, image_index: Int[Tensor, " B"] | None
    ) -> Float[Tensor, "B Q M D"]:
        """Weighted sums of the maps, each projected by its head's W^v."""
        sums = sample_memory(memory, *samples, image_index)  # (B, Q, M, C)
        projection = self.value_proj_weight.view(self.num_heads, -1, self.value_proj_weight.shape[1])
        return torch.einsum("bqmc,mcd->bqmd", sums, projection.to(sums.dtype)) + self.value_proj_bias


class MSDA(DeformableAttention):
    """Multi-scale deformable attention of Deformable DETR: the whole pyramid is projected, in every layer.

    Each head samples its own D of the C projected channels. As many parameters as EMSDA. With the same weights both
    give the same where all samples lie between the centres of the outermost cells: farther out the zeros around the map
    take part of a sample, and here of its bias too.
    """

    def __init__(self, embed_dims: int, num_heads: int, num_levels: int, num_points: int) -> None:
        super().__init__(embed_dims, num_heads, num_levels, num_points)
        self.value_proj = nn.Linear(embed_dims, embed_dims)
        nn.init.xavier_uniform_(self.value_proj.weight)
        nn.init.zeros_(self.value_proj.bias)

    def head_outputs(
        self, samples: Samples, memory: Memory, image_index: Int[Tensor, " B"] | None
    ) -> Float[Tensor, "B Q M D"]:
        """Weighted sums of each head's own channels: a cell's row is cut into M rows, one per head."""
        rows, row_weights = corner_rows(memory.levels, *samples)
        of_head = rows * self.num_heads + torch.arange(self.num_heads, device=rows.device)[:, None]
        values = self.value_proj(memory.values).unflatten(2, (self.num_heads, -1)).flatten(1, 2)  # (I, P M, D)
        return sample_bags(values, of_head, row_weights, image_index)
