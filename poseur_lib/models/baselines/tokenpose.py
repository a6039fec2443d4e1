"""TokenPose (Li et al., ICCV 2021): a learned token for each keypoint, in one sequence with patches of the map.

Patches of the backbone's last map become tokens by a linear layer (Sec. 3, "visual tokens"); K learned keypoint tokens
stand before them. Encoder: LayerNorm before attention and FFN, GELU. An MLP, the same for all keypoints, turns each
keypoint's token into a heatmap. The large models show it the tokens after each third of the layers ("keypoint token
fusion", Sec. 4.4, Table 6).

Sources: the paper's text (Sec. 4.1 and 4.4, Tables 6 and 7), and the authors' code for what it leaves open: the
attention's scale, its input without biases, the MLP (two linear layers with LayerNorm between them and no activation;
a single one where tokens are fused), positions before every layer, the stem (`poseur_lib.models.backbones.stem`).

Expected at 256x192. Theirs: second-hand but for S's parameters (Tables 6, 7); AP: COCO val, detector boxes. GFLOPs: by
their counter on our models, everything counted, and by hooks (`poseur_lib.costs`):

            parameters, M   GFLOPs                                  AP
    variant theirs  ours    theirs  their counter  all     hooks    theirs
    S-v1    6.6     6.62    2.2     2.23           2.73    2.40     72.5
    S-v2    6.2     6.23    11.6    11.62          7.49    4.67     73.5
    B       13.5    13.47   5.7     5.66           6.28    5.98     74.7
    L/D6    20.8    20.82   9.1     9.06           9.87    9.75     75.4
    L/D24   27.5    27.48   11.0    10.98          12.19   11.57    75.8

Parameters: theirs do not count positions (6.67 with them for S-v1, as in Table 7). GFLOPs: theirs are not the models'
cost. The counter takes the width of a linear layer's input to be the second axis of that input, which for tokens is
their number N: a layer costs N^2 instead of N C. It sees no attention, and its G is 2^30. This reaches every printed
digit. (Table 7's model without positions is cheaper, 2.07, because their code then leaves out the keypoint tokens: 256
tokens instead of 273, and again the counter says 2.07.)

Deviations of ours: without positions the keypoint tokens stay; other recipe (theirs: Adam, 1e-3, 300 epochs with steps
at 200 and 260; a keypoint outside of the crop has weight as long as its Gaussian touches the map).
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseur_lib.config.heads import TokenPoseConfig
from poseur_lib.errors import UserError
from poseur_lib.models.baselines import cell_attention
from poseur_lib.models.baselines.cell_attention import SelfAttention, feed_forward
from poseur_lib.models.baselines.heatmap import HeatmapPoseHead, Maps
from poseur_lib.models.baselines.heatmap_encoding import heatmap_size, size_text
from poseur_lib.models.pose_model import FeatureMaps
from poseur_lib.models.poseur.positional import map_encoding

INITIAL_STD = 0.02


class TokenLayer(nn.Module):
    """Self-attention and FFN, each on the LayerNorm of what it is added to."""

    def __init__(self, config: TokenPoseConfig) -> None:
        super().__init__()
        dims = config.embed_dims
        width = dims // config.num_heads if config.attention_scale == "head" else dims
        self.attention_norm, self.ffn_norm = nn.LayerNorm(dims), nn.LayerNorm(dims)
        self.attention = SelfAttention(dims, config.num_heads, scale=width**-0.5, input_bias=False, dropout=0.0)
        self.ffn = feed_forward(dims, config.ffn_dims, nn.GELU(), config.dropout)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Float[Tensor, "B tokens C"]) -> Float[Tensor, "B tokens C"]:
        """The tokens with what they gathered from the others."""
        tokens = tokens + self.dropout(self.attention(self.attention_norm(tokens)))
        return tokens + self.dropout(self.ffn(self.ffn_norm(tokens)))


class TokenPose(nn.Module):
    """From the backbone's map to heatmaps.

    Args:
        channels: of the map.
        map_size: its (height, width), a multiple of the patch's.
        heatmap_size: (height, width) of the heatmaps.
        maps_per_keypoint: heatmaps that a token becomes.
    """

    positions: Tensor | None

    def __init__(
        self,
        config: TokenPoseConfig,
        num_keypoints: int,
        channels: int,
        map_size: tuple[int, int],
        heatmap_size: tuple[int, int],
        maps_per_keypoint: int,
    ) -> None:
        super().__init__()
        dims = config.embed_dims
        self.config, self.num_keypoints, self.heatmap_size = config, num_keypoints, heatmap_size
        grid = map_size[0] // config.patch_size[0], map_size[1] // config.patch_size[1]
        self.embedding = nn.Linear(channels * math.prod(config.patch_size), dims)
        self.keypoint_tokens = nn.Parameter(torch.empty(num_keypoints, dims))
        if config.position_embedding == "sine":
            self.register_buffer("positions", map_encoding(*grid, dims, first=1.0), persistent=False)
        elif config.position_embedding == "learned":
            self.positions = nn.Parameter(torch.empty(num_keypoints + math.prod(grid), dims))
        else:
            self.positions = None
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(TokenLayer(config) for _ in range(config.layers))
        self.mlp = _mlp(config.fused_parts * dims, config.mlp_hidden, maps_per_keypoint * math.prod(heatmap_size))
        self._reset()

    def forward(self, features: Float[Tensor, "B _C H W"]) -> Float[Tensor, "B K _M _h _w"]:
        """Each keypoint's maps."""
        fused = torch.cat(self.keypoint_states(features), dim=-1)
        return self.mlp(fused).unflatten(-1, (-1, *self.heatmap_size))

    def keypoint_states(self, features: Float[Tensor, "B _C H W"]) -> list[Float[Tensor, "B K _D"]]:
        """The keypoint tokens after each part of the layers."""
        part, states = self.config.layers // self.config.fused_parts, []
        tokens = self.tokens(features)
        for number, layer in enumerate(self.layers):
            if number > 0 and self.config.position_embedding == "sine":
                tokens = self._placed(tokens)
            tokens = layer(tokens)
            if (number + 1) % part == 0:
                states.append(tokens[:, : self.num_keypoints])
        return states

    def tokens(self, features: Float[Tensor, "B _C H W"]) -> Float[Tensor, "B tokens _D"]:
        """What the first layer sees: K keypoint tokens, then the patches row by row."""
        patches = self.embedding(patches_of(features, self.config.patch_size))
        tokens = torch.cat([self.keypoint_tokens.expand(patches.shape[0], -1, -1), patches], dim=1)
        return self.dropout(self._placed(tokens))

    def _placed(self, tokens: Float[Tensor, "B tokens D"]) -> Float[Tensor, "B tokens D"]:
        if self.positions is None:
            return tokens
        if self.config.position_embedding == "learned":
            return tokens + self.positions
        return tokens + nn.functional.pad(self.positions, (0, 0, self.num_keypoints, 0))  # keypoints have no place

    def _reset(self) -> None:
        nn.init.trunc_normal_(self.keypoint_tokens, std=INITIAL_STD)
        if isinstance(self.positions, nn.Parameter):
            nn.init.trunc_normal_(self.positions, std=INITIAL_STD)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=INITIAL_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


def patches_of(features: Float[Tensor, "B C H W"], size: tuple[int, int]) -> Float[Tensor, "B _P _S"]:
    """A map cut into patches of `size` (height, width), row by row; a patch is its cells row by row, channels last."""
    batch, channels, height, width = features.shape
    rows, columns = height // size[0], width // size[1]
    cut = features.reshape(batch, channels, rows, size[0], columns, size[1])
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(batch, rows * columns, -1)


def _mlp(before: int, hidden: int | None, after: int) -> nn.Sequential:
    if hidden is None:
        return nn.Sequential(nn.LayerNorm(before), nn.Linear(before, after))
    return nn.Sequential(
        nn.LayerNorm(before), nn.Linear(before, hidden), nn.LayerNorm(hidden), nn.Linear(hidden, after)
    )


class TokenPoseHead(HeatmapPoseHead):
    """TokenPose on the backbone's last map; made of what `build_head` is given.

    Raises:
        UserError: the map cannot be cut into patches.
    """

    def __init__(
        self, config: TokenPoseConfig, num_keypoints: int, channels: Sequence[int], input_size: tuple[int, int]
    ) -> None:
        super().__init__(config.codec, input_size)
        self.map_size = cell_attention.last_map_size(channels, input_size)
        if any(side % patch for side, patch in zip(self.map_size, config.patch_size, strict=True)):
            raise UserError(
                f"model.head.patch_size {size_text(config.patch_size)} does not divide the backbone's last map,"
                f" {size_text(self.map_size)} cells of an input of {size_text(input_size)}"
            )
        self.network = TokenPose(
            config, num_keypoints, channels[-1], self.map_size, heatmap_size(input_size), self.codec.maps_per_keypoint
        )

    def forward(self, features: FeatureMaps) -> Maps:
        """The maps of every keypoint."""
        return self.network(cell_attention.last_map(features, self.map_size))
