"""Keypoint encoder: where the queries start, and what they are made of (Sec. 3.1, supp. Sec. 7).

The coarse stage proposes a point for every keypoint; in training, noisy groups of points stand beside the proposal;
each point becomes a query. A query group is the K queries of one person; there are G = 1 + `noise.groups` of them in
training, and the clean one alone at inference. Points are (x, y) in [0, 1] of the crop, beyond that range outside.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from poseur_lib.config.heads import NoNoise, PaperNoise, PoseurConfig, ReleasedNoise
from poseur_lib.models.pose_model import without_autocast
from poseur_lib.models.poseur.positional import point_encoding
from poseur_lib.poses import StagePrediction


class CoarseStage(nn.Module):
    """Global average pooling and an FC layer propose the keypoints and sigma (Sec. 3.1, 'Backbone').

    Paper: an FC layer on the pooled last backbone map. Released code: on the pooled last neck map, and the
    coordinates' layer is W x / |x| + b. Here: `l2_normalised` chooses; which map is pooled is the head's choice.
    """

    def __init__(self, channels: int, num_keypoints: int, l2_normalised: bool) -> None:
        super().__init__()
        self.l2_normalised = l2_normalised
        self.coordinates = nn.Linear(channels, num_keypoints * 2)
        self.sigma = nn.Linear(channels, num_keypoints * 2)
        nn.init.xavier_uniform_(self.coordinates.weight)
        nn.init.xavier_uniform_(self.sigma.weight)

    def forward(self, feature: Float[Tensor, "B _C _H _W"]) -> StagePrediction:
        """Coordinates, which no function confines to the crop, and sigma in (0, 1), which is never normalised."""
        with without_autocast(feature):  # bfloat16 would round to whole pixels
            pooled = feature.float().mean(dim=(2, 3))
            sigma = self.sigma(pooled).sigmoid()
            keypoints = self.coordinates(normalize(pooled, dim=1) if self.l2_normalised else pooled)
        return StagePrediction(keypoints.unflatten(1, (-1, 2)), sigma.unflatten(1, (-1, 2)))


def starting_points(
    noise: NoNoise | ReleasedNoise | PaperNoise, proposal: Float[Tensor, "B K 2"]
) -> Float[Tensor, "B G K 2"]:
    """Noisy reference points (Sec. 3.1): the points that the query groups start from; group 0 is the proposal itself.

    Raises:
        TypeError: no such scheme of noise.
    """
    batch, num_keypoints, _ = proposal.shape
    match noise:
        case NoNoise():
            return proposal[:, None]
        case PaperNoise():  # anywhere in the crop
            random = torch.rand(batch, noise.groups, num_keypoints, 2, device=proposal.device)
            return torch.cat([proposal[:, None], random], dim=1)
        case ReleasedNoise():  # copies of the proposal, of whose points some, the same for the whole batch, are moved
            count = noise.groups * num_keypoints
            moved = torch.randperm(count, device=proposal.device)[: noise.groups * noise.moved_points]
            is_moved = torch.zeros(count, dtype=torch.bool, device=proposal.device).index_fill_(0, moved, True)
            offset = torch.randn(batch, count, 2, device=proposal.device) * noise.variance**0.5
            noisy = move_points(proposal.repeat(1, noise.groups, 1), offset, is_moved, noise)
            return torch.cat([proposal, noisy], dim=1).unflatten(1, (-1, num_keypoints))
    raise TypeError(f"no such noise: {noise!r}")


def move_points(
    points: Float[Tensor, "B count 2"],
    offset: Float[Tensor, "B count 2"],
    is_moved: Bool[Tensor, " count"],
    noise: ReleasedNoise,
) -> Float[Tensor, "B count 2"]:
    """Adds the clipped offset to the chosen points and clips those to `noise.bounds`; the others stay."""
    moved = (points + offset.clamp(-noise.clip, noise.clip)).clamp(*noise.bounds)
    return torch.where(is_moved[:, None], moved, points)


@dataclass(frozen=True)
class Queries:
    """Keypoint queries in G groups.

    Attributes:
        content: what the decoder's layers change; it holds the encoding of the starting point.
        class_embedding: of each keypoint, added wherever a query attends (DETR's "query position", the released code's
            `query_pos`); None where the content has it already.
    """

    content: Float[Tensor, "B G K C"]
    class_embedding: Float[Tensor, "K C"] | None


class KeypointEncoder(nn.Module):
    """Location (sine-cosine) and category (learned class embedding) of each keypoint, as a query.

    Paper: Q_z = Q_c + PE(coarse). Released code: content is LayerNorm(Linear([PE(coarse), PE(clipped coarse)])), and
    the class embedding is added in every attention. Here: `query_content` and `class_embedding` choose.
    """

    def __init__(self, config: PoseurConfig, num_keypoints: int) -> None:
        super().__init__()
        dims = config.embed_dims
        self.config = config
        self.class_embedding = nn.Parameter(torch.empty(num_keypoints, dims))
        nn.init.xavier_uniform_(self.class_embedding)
        if config.query_content == "released":
            self.location_proj = nn.Linear(2 * dims, dims)
            nn.init.xavier_uniform_(self.location_proj.weight)
            self.location_norm = nn.LayerNorm(dims)

    def forward(self, points: Float[Tensor, "B G K 2"]) -> Queries:
        """Queries that start at `points`, to which no gradient flows."""
        points = points.detach()
        content = point_encoding(points, self.config.embed_dims)
        if self.config.query_content == "released":
            clipped = point_encoding(points.clamp(0, 1), self.config.embed_dims)
            content = self.location_norm(self.location_proj(torch.cat([content, clipped], dim=-1)))
        return _queries(content, self.class_embedding, self.config)


class LearnedQueries(nn.Module):
    """Queries that know nothing of the image, as in Deformable DETR: the baseline of Table 1a.

    A keypoint's query is two learned vectors, a content and a class embedding; a linear layer on the class embedding
    and a sigmoid give its reference point, the same in every image. All start as in Deformable DETR.
    """

    def __init__(self, config: PoseurConfig, num_keypoints: int) -> None:
        super().__init__()
        dims = config.embed_dims
        self.config = config
        self.content = nn.Parameter(torch.randn(num_keypoints, dims))
        self.class_embedding = nn.Parameter(torch.randn(num_keypoints, dims))
        self.reference_points = nn.Linear(dims, 2)
        nn.init.xavier_uniform_(self.reference_points.weight)
        nn.init.zeros_(self.reference_points.bias)

    def learned_points(self) -> Float[Tensor, "K 2"]:
        """The reference points, inside the crop; the decoder's loss trains them."""
        with without_autocast(self.class_embedding):
            return self.reference_points(self.class_embedding).sigmoid()

    def forward(self, points: Float[Tensor, "B G K 2"]) -> Queries:
        """The same queries wherever the points are."""
        return _queries(self.content.expand(*points.shape[:2], -1, -1), self.class_embedding, self.config)


def _queries(content: Float[Tensor, "B G K C"], class_embedding: Float[Tensor, "K C"], config: PoseurConfig) -> Queries:
    if config.class_embedding == "content":
        return Queries(content + class_embedding, None)
    return Queries(content, class_embedding)
