"""Query decoder: self-attention among keypoints, attention to the image, iterative refinement (Sec. 3.1)."""

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from poseur_lib.config.heads import PoseurConfig
from poseur_lib.models.pose_model import LayerPrediction
from poseur_lib.models.poseur.deformable import EMSDA, MSDA
from poseur_lib.models.poseur.encoder import Queries
from poseur_lib.models.poseur.memory import Memory
from poseur_lib.models.precision import without_autocast


class SelfAttention(nn.Module):
    """Multi-head attention among the keypoints of one query group."""

    def __init__(self, embed_dims: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.in_proj = nn.Linear(embed_dims, 3 * embed_dims)
        self.out_proj = nn.Linear(embed_dims, embed_dims)
        for linear in (self.in_proj, self.out_proj):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, content: Float[Tensor, "N G K C"], query: Float[Tensor, "N G K C"]) -> Float[Tensor, "N G K C"]:
        """Queries and keys are made of `query` (with its positional part), values of `content`."""
        n, g, k, dims = content.shape
        value = nn.functional.linear(content, self.in_proj.weight[2 * dims :], self.in_proj.bias[2 * dims :])
        q, k_ = self._query_and_key(query)
        dropped = self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(q, k_, self._by_head(value), dropout_p=dropped)
        return self.out_proj(mixed.transpose(1, 2).reshape(n, g, k, dims))

    def weights(self, query: Float[Tensor, "N G K C"]) -> Float[Tensor, "N G M K K"]:
        """How much of each keypoint's value (last axis) a keypoint takes, by head; rows sum to 1. No dropout."""
        q, k = self._query_and_key(query)
        return (q @ k.transpose(2, 3) / q.shape[3] ** 0.5).softmax(dim=-1).unflatten(0, query.shape[:2])

    def _query_and_key(self, query: Tensor) -> tuple[Tensor, Tensor]:
        dims = query.shape[3]
        both = nn.functional.linear(query, self.in_proj.weight[: 2 * dims], self.in_proj.bias[: 2 * dims])
        q, k = both.chunk(2, dim=-1)
        return self._by_head(q), self._by_head(k)

    def _by_head(self, x: Float[Tensor, "N G K C"]) -> Float[Tensor, "_NG M K D"]:
        return x.reshape(-1, x.shape[2], self.num_heads, x.shape[3] // self.num_heads).transpose(1, 2)


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention and FFN, each with residual, dropout and LayerNorm after it."""

    def __init__(self, config: PoseurConfig) -> None:
        super().__init__()
        dims = config.embed_dims
        self.self_attention = SelfAttention(dims, config.num_heads, config.dropout) if config.self_attention else None
        self.self_norm = nn.LayerNorm(dims) if config.self_attention else None
        attention = MSDA if config.cross_attention == "msda" else EMSDA
        self.cross_attention = attention(dims, config.num_heads, config.num_levels, config.num_points)
        self.cross_norm = nn.LayerNorm(dims)
        self.ffn = nn.Sequential(
            nn.Linear(dims, config.ffn_dims),
            nn.ReLU(inplace=True),
            nn.Dropout(config.dropout),
            nn.Linear(config.ffn_dims, dims),
        )
        for linear in (self.ffn[0], self.ffn[3]):
            nn.init.xavier_uniform_(linear.weight)
        self.ffn_norm = nn.LayerNorm(dims)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        content: Float[Tensor, "N G K C"],
        positional: Float[Tensor, "K C"] | None,
        reference_points: Float[Tensor, "N G K 2"],
        memory: Memory,
        image_index: Int[Tensor, " N"] | None = None,
    ) -> Float[Tensor, "N G K C"]:
        """The layer's output queries; `reference_points` are (x, y) in [0, 1] of the crop."""
        if self.self_attention is not None:
            mixed = self.self_attention(content, _with(content, positional))
            content = self.self_norm(content + self.dropout(mixed))
        query = _with(content, positional).flatten(1, 2)
        sampled = self.cross_attention(query, reference_points.flatten(1, 2), memory, image_index)
        content = self.cross_norm(content + self.dropout(sampled.view_as(content)))
        return self.ffn_norm(content + self.dropout(self.ffn(content)))


class OutputBranches(nn.Module):
    """What a layer's queries say: the step of the reference point, the output's correction, and sigma.

    The output's correction is the released code's second branch; the paper has the refined point alone.
    """

    def __init__(self, config: PoseurConfig) -> None:
        super().__init__()
        dims = config.embed_dims
        self.step = _coordinate_branch(dims)
        self.correction = None
        if config.output_branch == "released":
            self.correction = _coordinate_branch(dims)
            self.correction.load_state_dict(self.step.state_dict())
        self.sigma = nn.Sequential(nn.Linear(dims, dims), nn.Linear(dims, dims), nn.Linear(dims, 2))
        nn.init.xavier_uniform_(self.sigma[2].weight, gain=0.01)

    def forward(
        self, content: Float[Tensor, "N G K C"], reference_points: Float[Tensor, "N G K 2"]
    ) -> tuple[LayerPrediction, Float[Tensor, "N G K 2"]]:
        """The layer's prediction (instances and groups flattened to one axis), and the next reference points."""
        with without_autocast(content):
            content = content.float()
            refined = (self.step(content) + inverse_sigmoid(reference_points)).sigmoid()
            keypoints = refined if self.correction is None else refined + self.correction(content)
            sigma = self.sigma(content).sigmoid()
        return LayerPrediction(keypoints.flatten(0, 1), sigma.flatten(0, 1)), refined


class QueryDecoder(nn.Module):
    """N_d layers; each refines the reference points that the next one samples around.

    With `share_layers` (supp. Table 3) one layer and its output branches are passed N_d times.
    """

    def __init__(self, config: PoseurConfig) -> None:
        super().__init__()
        distinct = 1 if config.share_layers else config.decoder_layers
        self.passes = config.decoder_layers // distinct
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(distinct))
        self.branches = nn.ModuleList(OutputBranches(config) for _ in range(distinct))
        for branch in self.branches[1:]:  # the coordinate branches of all layers start from the same values
            branch.step.load_state_dict(self.branches[0].step.state_dict())
            if branch.correction is not None:
                branch.correction.load_state_dict(self.branches[0].correction.state_dict())

    def forward(
        self,
        queries: Queries,
        points: Float[Tensor, "N G K 2"],
        memory: Memory,
        image_index: Int[Tensor, " N"] | None = None,
    ) -> tuple[LayerPrediction, ...]:
        """One prediction per layer passed, each with N x G rows.

        Args:
            queries: of N instances, in G groups of K keypoints.
            points: (x, y) in [0, 1] of the image.
            memory: feature pyramids of B images.
            image_index: the image of each instance; None: one instance an image, in order. No map is ever copied.

        The first layer samples around `points` as they are, and refines them from inside the crop.
        """
        content, sampled_at, reference_points = queries.content, points, points.clamp(0, 1)
        predictions = []
        for layer, branches in list(zip(self.layers, self.branches, strict=True)) * self.passes:
            content = layer(content, queries.positional, sampled_at, memory, image_index)
            prediction, reference_points = branches(content, reference_points)
            sampled_at = reference_points
            predictions.append(prediction)
        return tuple(predictions)


def inverse_sigmoid(points: Float[Tensor, "*shape"], eps: float = 1e-5) -> Float[Tensor, "*shape"]:
    """log(x / (1 - x)) with both shares kept above `eps`."""
    points = points.clamp(0, 1)
    return (points.clamp(min=eps) / (1 - points).clamp(min=eps)).log()


def _with(content: Tensor, positional: Tensor | None) -> Tensor:
    return content if positional is None else content + positional


def _coordinate_branch(dims: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(dims, dims), nn.ReLU(inplace=True), nn.Linear(dims, dims), nn.ReLU(inplace=True), nn.Linear(dims, 2)
    )
