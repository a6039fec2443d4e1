"""The transformer of DETR (Carion et al., ECCV 2020, Sec. 3.2): map cells encoded, learned queries decoded.

Positions are added to the queries and keys of every attention, never to values; LayerNorm comes after each residual.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseur_lib.config.heads import PRTRConfig
from poseur_lib.models.baselines.cell_attention import feed_forward


class EncoderLayer(nn.Module):
    """Self-attention among the cells, and an FFN."""

    def __init__(self, config: PRTRConfig) -> None:
        super().__init__()
        self.self_attention, self.self_norm = _attention(config), nn.LayerNorm(config.embed_dims)
        self.ffn, self.ffn_norm = _ffn(config), nn.LayerNorm(config.embed_dims)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, cells: Float[Tensor, "B P C"], positions: Float[Tensor, "P C"]) -> Float[Tensor, "B P C"]:
        """The cells with what they learned of the others."""
        placed = cells + positions
        mixed, _ = self.self_attention(placed, placed, cells, need_weights=False)
        cells = self.self_norm(cells + self.dropout(mixed))
        return self.ffn_norm(cells + self.dropout(self.ffn(cells)))


class DecoderLayer(nn.Module):
    """Self-attention among the queries, attention to the cells, and an FFN."""

    def __init__(self, config: PRTRConfig) -> None:
        super().__init__()
        dims = config.embed_dims
        self.self_attention, self.self_norm = _attention(config), nn.LayerNorm(dims)
        self.cross_attention, self.cross_norm = _attention(config), nn.LayerNorm(dims)
        self.ffn, self.ffn_norm = _ffn(config), nn.LayerNorm(dims)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        content: Float[Tensor, "B Q C"],
        queries: Float[Tensor, "Q C"],
        cells: Float[Tensor, "B P C"],
        placed_cells: Float[Tensor, "B P C"],
    ) -> Float[Tensor, "B Q C"]:
        """The layer's output; `placed_cells` are the cells with their positions."""
        query = content + queries
        mixed, _ = self.self_attention(query, query, content, need_weights=False)
        content = self.self_norm(content + self.dropout(mixed))
        found, _ = self.cross_attention(content + queries, placed_cells, cells, need_weights=False)
        content = self.cross_norm(content + self.dropout(found))
        return self.ffn_norm(content + self.dropout(self.ffn(content)))


class SetTransformer(nn.Module):
    """Encoder and decoder; one norm serves the outputs of all decoder layers. Matrices start as Xavier uniform."""

    def __init__(self, config: PRTRConfig) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.output_norm = nn.LayerNorm(config.embed_dims)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(
        self, cells: Float[Tensor, "B P C"], positions: Float[Tensor, "P C"], queries: Float[Tensor, "Q C"]
    ) -> Float[Tensor, "layers B Q C"]:
        """The normed content of the queries after each of the decoder layers; it starts as zero."""
        for layer in self.encoder:
            cells = layer(cells, positions)
        placed = cells + positions
        content = torch.zeros_like(queries).expand(len(cells), -1, -1)
        outputs = []
        for layer in self.decoder:
            content = layer(content, queries, cells, placed)
            outputs.append(self.output_norm(content))
        return torch.stack(outputs)


def _attention(config: PRTRConfig) -> nn.MultiheadAttention:
    return nn.MultiheadAttention(config.embed_dims, config.num_heads, config.dropout, batch_first=True)


def _ffn(config: PRTRConfig) -> nn.Sequential:
    return feed_forward(config.embed_dims, config.ffn_dims, nn.ReLU(inplace=True), config.dropout)
