"""TransPose (Yang, Quan, Nie, Yang, ICCV 2021): a transformer encoder between a CNN and the heatmaps.

Every cell of the backbone's last map is one element of a sequence; after the encoder, each layer's attention says
where a keypoint's cell looked. Encoder: as DETR's, positions added to the queries and keys of every layer, LayerNorm
after each residual, ReLU; heatmaps: a 1x1 convolution on the map, doubled before where the backbone's stride is 8 (R).

Sources: names, widths and counts of the variants are printed on the authors' page; layers, positions, initialisation
and the absence of a last LayerNorm are read off their code (the paper itself was not at hand: its section numbers are
not given here).

Expected at 256x192. Theirs: the authors' page (AP: COCO val, detector boxes). Parameters in M: ours without and with
the table of positions. GFLOPs: ours everything counted, and by hooks (`poseur_lib.costs`):

            parameters            GFLOPs                  AP
    variant theirs  ours   table  theirs  all     hooks   theirs
    H-A6    17.5    17.16  17.46  21.8    21.28   9.80    75.8
    H-A4    17.3    17.01  17.31  17.5    17.21   9.57    75.3
    R-A4    6.0     5.79   5.98   8.9     6.32    4.34    72.6

Parameters: theirs count the sine table, which never learns and is no parameter here. GFLOPs: theirs are of a trace of
the model, with the attention's matrix products; also batch norm (4 an element), softmax (5), dropout, ReLU and
additions, together 0.2 to 0.5; and a deconvolution is charged four times its work, 2.4 more for R-A4.
tests/models/test_transpose.py adds these, and is within 0.07 of each. By hooks attention is not seen at all.

Deviations of ours: queries and keys, and values, are two matrices, which start as parts of one [3d, d] would. The
recipe is the study's (theirs: Adam from 1e-4 to 1e-5, 230 or 240 epochs).
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseur_lib.config.heads import TransPoseConfig
from poseur_lib.errors import UserError
from poseur_lib.models.baselines import cell_attention
from poseur_lib.models.baselines.cell_attention import SelfAttention, feed_forward
from poseur_lib.models.baselines.heatmap import HeatmapPoseHead, Maps
from poseur_lib.models.baselines.heatmap_encoding import heatmap_size, size_text
from poseur_lib.models.pose_model import FeatureMaps
from poseur_lib.models.poseur.positional import map_encoding


class CellAttention(SelfAttention):
    """TransPose's self-attention: with biases, scaled by the width of a head."""

    def __init__(self, config: TransPoseConfig) -> None:
        dims = config.embed_dims
        scale = (dims // config.num_heads) ** -0.5
        super().__init__(dims, config.num_heads, scale=scale, input_bias=True, dropout=config.dropout)
        bound = math.sqrt(6 / (dims + 3 * dims))  # xavier of the whole input projection
        for linear in (self.query_key_proj, self.value_proj):
            nn.init.uniform_(linear.weight, -bound, bound)
        nn.init.xavier_uniform_(self.output_proj.weight)
        for linear in (self.query_key_proj, self.value_proj, self.output_proj):
            nn.init.zeros_(linear.bias)


class EncoderLayer(nn.Module):
    """Self-attention and FFN, each with residual, dropout and LayerNorm after it."""

    def __init__(self, config: TransPoseConfig) -> None:
        super().__init__()
        dims = config.embed_dims
        self.attention, self.attention_norm = CellAttention(config), nn.LayerNorm(dims)
        self.ffn = feed_forward(dims, config.ffn_dims, nn.ReLU(inplace=True), config.dropout)
        self.ffn_norm = nn.LayerNorm(dims)
        self.dropout = nn.Dropout(config.dropout)
        for part in self.ffn:
            if isinstance(part, nn.Linear):
                nn.init.xavier_uniform_(part.weight)

    def forward(self, cells: Float[Tensor, "B P C"], positions: Float[Tensor, "P C"] | None) -> Float[Tensor, "B P C"]:
        """The cells with what they gathered from the others."""
        gathered = self.attention(cells, None if positions is None else cells + positions)
        cells = self.attention_norm(cells + self.dropout(gathered))
        return self.ffn_norm(cells + self.dropout(self.ffn(cells)))


class TransPose(nn.Module):
    """From the backbone's map to heatmaps.

    Args:
        channels: of the map.
        map_size: its (height, width).
        outputs: heatmaps to make.
    """

    positions: Tensor | None

    def __init__(self, config: TransPoseConfig, channels: int, map_size: tuple[int, int], outputs: int) -> None:
        super().__init__()
        dims = config.embed_dims
        self.reduce = nn.Conv2d(channels, dims, 1, bias=False)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        if config.position_embedding == "sine":
            self.register_buffer("positions", map_encoding(*map_size, dims, first=1.0), persistent=False)
        elif config.position_embedding == "learned":
            self.positions = nn.Parameter(torch.randn(math.prod(map_size), dims))
        else:
            self.positions = None
        steps = [
            (nn.ConvTranspose2d(dims, dims, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(dims), nn.ReLU(True))
            for _ in range(config.deconvolutions)
        ]
        self.enlarge = nn.Sequential(*(part for step in steps for part in step))
        self.final = nn.Conv2d(dims, outputs, 1)
        for module in (self.reduce, self.final, *(step[0] for step in steps)):
            nn.init.normal_(module.weight, std=0.001)
        nn.init.zeros_(self.final.get_parameter("bias"))

    def forward(self, features: Float[Tensor, "B _C H W"]) -> Float[Tensor, "B _K _H _W"]:
        """Heatmaps, whose size is the map's, doubled by each deconvolution."""
        cells = self.reduce(features).flatten(2).transpose(1, 2)
        for layer in self.layers:
            cells = layer(cells, self.positions)
        return self.final(self.enlarge(cells.transpose(1, 2).unflatten(2, features.shape[2:])))


class TransPoseHead(HeatmapPoseHead):
    """TransPose on the backbone's last map; made of what `build_head` is given.

    Raises:
        UserError: the map, doubled by the deconvolutions, is not a quarter of the input.
    """

    def __init__(
        self, config: TransPoseConfig, num_keypoints: int, channels: Sequence[int], input_size: tuple[int, int]
    ) -> None:
        super().__init__(config.codec, input_size)
        self.num_keypoints = num_keypoints
        self.map_size = cell_attention.last_map_size(channels, input_size)
        made = tuple(side * 2**config.deconvolutions for side in self.map_size)
        wanted = heatmap_size(input_size)
        if made != wanted:
            raise UserError(
                f"model.head.deconvolutions {config.deconvolutions}: the backbone's last map has"
                f" {size_text(self.map_size)} cells and would become heatmaps of {size_text(made)}, which are to be"
                f" {size_text(wanted)}"
            )
        maps = num_keypoints * self.codec.maps_per_keypoint
        self.network = TransPose(config, channels[-1], self.map_size, maps)

    def forward(self, features: FeatureMaps) -> Maps:
        """The maps of every keypoint."""
        heatmaps = self.network(cell_attention.last_map(features, self.map_size))
        return heatmaps.unflatten(1, (self.num_keypoints, self.codec.maps_per_keypoint))
