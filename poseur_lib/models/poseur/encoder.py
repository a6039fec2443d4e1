"""Keypoint encoder: where the queries start, and what they are made of (Sec. 3.1, supp. Sec. 7)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseur_lib.config.heads import PoseurConfig
from poseur_lib.models.poseur.positional import point_encoding
from poseur_lib.models.precision import without_autocast


@dataclass(frozen=True)
class Queries:
    """Content and positional part of the queries; the positional part is added wherever a query attends."""

    content: Float[Tensor, "N G K C"]
    positional: Float[Tensor, "K C"] | None


class KeypointEncoder(nn.Module):
    """Location (sine-cosine) and category (learned class embedding) of each keypoint, as a query.

    Paper: Q_z = Q_c + PE(coarse). Released code: content is LayerNorm(Linear([PE(coarse), PE(clipped coarse)])), and
    the class embedding is a positional query of every layer. Here: `query_content` and `class_embedding` choose.
    """

    def __init__(self, config: PoseurConfig, num_keypoints: int) -> None:
        super().__init__()
        dims = config.embed_dims
        self.class_embedding_in_content = config.class_embedding == "content"
        self.class_embedding = nn.Parameter(torch.empty(num_keypoints, dims))
        nn.init.xavier_uniform_(self.class_embedding)
        self.location_proj = self.location_norm = None
        if config.query_content == "released":
            self.location_proj = nn.Linear(2 * dims, dims)
            nn.init.xavier_uniform_(self.location_proj.weight)
            self.location_norm = nn.LayerNorm(dims)

    def forward(self, points: Float[Tensor, "N G K 2"]) -> Queries:
        """Queries that start at `points`, (x, y) in [0, 1] of the crop; gradient does not flow to the points."""
        points = points.detach()
        dims = self.class_embedding.shape[1]
        content = point_encoding(points, dims)
        if self.location_proj is not None:
            both = torch.cat([content, point_encoding(points.clamp(0, 1), dims)], dim=-1)
            content = self.location_norm(self.location_proj(both))
        if self.class_embedding_in_content:
            return Queries(content + self.class_embedding, None)
        return Queries(content, self.class_embedding)


class LearnedQueries(nn.Module):
    """Queries that know nothing of the image, as in Deformable DETR: the baseline of Table 1a.

    A keypoint's query is two learned vectors, a content and a class embedding; a linear layer on the class embedding
    and a sigmoid give its reference point, the same in every image. All start as in Deformable DETR.
    """

    def __init__(self, config: PoseurConfig, num_keypoints: int) -> None:
        super().__init__()
        dims = config.embed_dims
        self.class_embedding_in_content = config.class_embedding == "content"
        self.content = nn.Parameter(torch.randn(num_keypoints, dims))
        self.class_embedding = nn.Parameter(torch.randn(num_keypoints, dims))
        self.reference_points = nn.Linear(dims, 2)
        nn.init.xavier_uniform_(self.reference_points.weight)
        nn.init.zeros_(self.reference_points.bias)

    def points(self) -> Float[Tensor, "K 2"]:
        """The reference points, (x, y) in [0, 1] of the crop; the decoder's loss trains them."""
        with without_autocast(self.class_embedding):
            return self.reference_points(self.class_embedding).sigmoid()

    def forward(self, points: Float[Tensor, "N G K 2"]) -> Queries:
        """The same queries wherever the points are."""
        content = self.content.expand(*points.shape[:2], -1, -1)
        if self.class_embedding_in_content:
            return Queries(content + self.class_embedding, None)
        return Queries(content, self.class_embedding)
