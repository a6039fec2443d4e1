"""Query decoder: self-attention among keypoints, attention to the image, iterative refinement (Sec. 3.1).

Points are (x, y) in [0, 1] of the crop. Around each attention and the FFN, as in DETR: dropout of its output, the sum
with its input, LayerNorm.
"""

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from poseur_lib.config.heads import PoseurConfig
from poseur_lib.models.pose_model import without_autocast
from poseur_lib.models.poseur.deformable import EMSDA, MSDA
from poseur_lib.models.poseur.memory import Memory
from poseur_lib.models.poseur.queries import Queries
from poseur_lib.poses import StagePrediction


class SelfAttention(nn.Module):
    """Multi-head attention among the keypoints of one query group."""

    def __init__(self, embed_dims: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.in_proj = nn.Linear(embed_dims, 3 * embed_dims)
        self.out_proj = nn.Linear(embed_dims, embed_dims)
        for layer in (self.in_proj, self.out_proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def _by_head(self, x: Float[Tensor, "B G K C"]) -> Float[Tensor, "_BG M K D"]:
        return x.reshape(-1, x.shape[2], self.num_heads, x.shape[3] // self.num_heads).transpose(1, 2)

    def _queries_and_keys(self, query: Float[Tensor, "B G K C"]) -> tuple[Tensor, Tensor]:
        dims = query.shape[3]
        both = linear(query, self.in_proj.weight[: 2 * dims], self.in_proj.bias[: 2 * dims])
        queries, keys = both.chunk(2, dim=-1)
        return self._by_head(queries), self._by_head(keys)

    def attention_weights(self, query: Float[Tensor, "B G K C"]) -> Float[Tensor, "B G M K K"]:
        """How much of each keypoint's value (last axis) a keypoint takes, by head; rows sum to 1. No dropout."""
        queries, keys = self._queries_and_keys(query)
        products = queries @ keys.transpose(2, 3) / queries.shape[3] ** 0.5
        return products.softmax(dim=-1).unflatten(0, query.shape[:2])

    def forward(self, content: Float[Tensor, "B G K C"], query: Float[Tensor, "B G K C"]) -> Float[Tensor, "B G K C"]:
        """Queries and keys are made of `query` (content and class embedding, added), values of `content`."""
        dims = content.shape[3]
        values = linear(content, self.in_proj.weight[2 * dims :], self.in_proj.bias[2 * dims :])
        queries, keys = self._queries_and_keys(query)
        dropped = self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(queries, keys, self._by_head(values), dropout_p=dropped)
        return self.out_proj(mixed.transpose(1, 2).reshape(content.shape))


class DecoderLayer(nn.Module):
    """Self-attention, attention to the image, and FFN."""

    def __init__(self, config: PoseurConfig) -> None:
        super().__init__()
        dims = config.embed_dims
        self.self_attention = SelfAttention(dims, config.num_heads, config.dropout) if config.self_attention else None
        self.self_norm = nn.LayerNorm(dims) if config.self_attention else None
        attention = MSDA if config.cross_attention == "msda" else EMSDA
        self.cross_attention = attention(dims, config.num_heads, config.num_levels, config.num_points)
        self.cross_norm = nn.LayerNorm(dims)
        widening, narrowing = nn.Linear(dims, config.ffn_dims), nn.Linear(config.ffn_dims, dims)
        for layer in (widening, narrowing):
            nn.init.xavier_uniform_(layer.weight)
        self.ffn = nn.Sequential(widening, nn.ReLU(inplace=True), nn.Dropout(config.dropout), narrowing)
        self.ffn_norm = nn.LayerNorm(dims)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        content: Float[Tensor, "B G K C"],
        class_embedding: Float[Tensor, "K C"] | None,
        reference_points: Float[Tensor, "B G K 2"],
        memory: Memory,
        image_index: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "B G K C"]:
        """The content of the queries after the layer."""
        if self.self_attention is not None and self.self_norm is not None:
            mixed = self.self_attention(content, _with(content, class_embedding))
            content = self.self_norm(content + self.dropout(mixed))
        query = _with(content, class_embedding).flatten(1, 2)
        sampled = self.cross_attention(query, reference_points.flatten(1, 2), memory, image_index)
        content = self.cross_norm(content + self.dropout(sampled.view_as(content)))
        return self.ffn_norm(content + self.dropout(self.ffn(content)))


def _with(content: Tensor, class_embedding: Tensor | None) -> Tensor:
    return content if class_embedding is None else content + class_embedding


def coordinate_mlp(dims: int) -> nn.Sequential:
    """Three linear layers, of a query's content to two numbers."""
    return nn.Sequential(
        nn.Linear(dims, dims), nn.ReLU(inplace=True), nn.Linear(dims, dims), nn.ReLU(inplace=True), nn.Linear(dims, 2)
    )


def inverse_sigmoid(points: Float[Tensor, "*shape"], eps: float = 1e-5) -> Float[Tensor, "*shape"]:
    """log(x / (1 - x)) of points confined to the crop, with both shares kept above `eps`."""
    points = points.clamp(0, 1)
    return (points.clamp(min=eps) / (1 - points).clamp(min=eps)).log()


class OutputBranches(nn.Module):
    """What a layer's queries say: the step of the reference point, the output's correction, and sigma.

    Paper: the output is the refined point. Released code: a second branch corrects it, beyond the crop where need be.
    Here: `output_branch` chooses. Sigma's three linear layers without activation, of which the last starts small (gain
    0.01), are the released code's.
    """

    def __init__(self, config: PoseurConfig) -> None:
        super().__init__()
        dims = config.embed_dims
        self.step = coordinate_mlp(dims)
        self.correction: nn.Sequential | None = None
        if config.output_branch == "released":
            self.correction = coordinate_mlp(dims)
            self.correction.load_state_dict(self.step.state_dict())
        sigma = [nn.Linear(dims, dims), nn.Linear(dims, dims), nn.Linear(dims, 2)]
        nn.init.xavier_uniform_(sigma[-1].weight, gain=0.01)
        self.sigma = nn.Sequential(*sigma)

    def forward(
        self, content: Float[Tensor, "B G K C"], reference_points: Float[Tensor, "B G K 2"]
    ) -> tuple[StagePrediction, Float[Tensor, "B G K 2"]]:
        """The layer's prediction, of B x G rows, and the next reference points: sigmoid(step + sigmoid^-1(point)).

        Gradient flows to the reference points, and so into the layers before (unlike in Deformable DETR).
        """
        with without_autocast(content):
            content = content.float()
            refined = (self.step(content) + inverse_sigmoid(reference_points)).sigmoid()
            keypoints = refined if self.correction is None else refined + self.correction(content)
            sigma = self.sigma(content).sigmoid()
        return StagePrediction(keypoints.flatten(0, 1), sigma.flatten(0, 1)), refined


class QueryDecoder(nn.Module):
    """N_d layers; each refines the reference points that the next one samples around.

    With `share_layers` (supp. Table 3) one layer and its output branches are passed N_d times.
    """

    def __init__(self, config: PoseurConfig) -> None:
        super().__init__()
        distinct = 1 if config.share_layers else config.decoder_layers
        self.passes = config.decoder_layers // distinct
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(distinct))
        branches = [OutputBranches(config) for _ in range(distinct)]
        for branch in branches[1:]:  # the coordinate branches of all layers start from the same values
            branch.step.load_state_dict(branches[0].step.state_dict())
            if branch.correction is not None:
                branch.correction.load_state_dict(branches[0].step.state_dict())
        self.branches = nn.ModuleList(branches)

    def forward(
        self,
        queries: Queries,
        reference_points: Float[Tensor, "B G K 2"],
        memory: Memory,
        image_index: Int[Tensor, " B"] | None = None,
    ) -> tuple[StagePrediction, ...]:
        """One prediction per layer passed, of B x G rows: row b G + g is group g of instance b.

        The first layer samples around the `reference_points` as they are, and refines them from inside the crop.

        Args:
            reference_points: what the queries start from.
            image_index: the image of each instance; None: one instance an image, in order. No map is ever copied.
        """
        content, predictions = queries.content, []
        for layer, branches in list(zip(self.layers, self.branches, strict=True)) * self.passes:
            content = layer(content, queries.class_embedding, reference_points, memory, image_index)
            prediction, reference_points = branches(content, reference_points)
            predictions.append(prediction)
        return tuple(predictions)
