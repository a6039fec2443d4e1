"""Knobs of the transformer methods that Poseur is compared with: TransPose, TokenPose, PRTR."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from poseur_lib.config.backbone import Depth, Positive
from poseur_lib.config.heads.base import HeadKnobs, HeatmapKnobs, require_pyramid
from poseur_lib.config.heads.heatmap import DARK, HeatmapCodecConfig

Share = Annotated[float, Field(ge=0, lt=1)]
Position = Literal["sine", "learned", "none"]


def _require_divisible(embed_dims: int, num_heads: int, position_embedding: Position) -> None:
    if embed_dims % num_heads:
        raise ValueError(f"embed_dims {embed_dims} is not a multiple of num_heads {num_heads}")
    if position_embedding == "sine" and embed_dims % 4:
        raise ValueError(f"embed_dims {embed_dims} must be a multiple of 4 for position_embedding 'sine'")


class TransPoseConfig(HeatmapKnobs):
    """TransPose: a transformer encoder over the cells of the backbone's last map, then heatmaps.

    Defaults: TransPose-H-A6, which belongs on HRNet of width 48 with three stages and outputs "finest". H-A4 has four
    layers. R-A4, on ResNet-50 with two stages: `embed_dims` 256, 8 heads, `ffn_dims` 1024, four layers, one
    deconvolution.

    Attributes:
        codec: encoding, decoding and flip test of the heatmaps; the authors use DARK's.
        embed_dims: d, width of a cell's vector.
        num_heads: of the attention.
        ffn_dims: h, hidden width of a layer's FFN.
        layers: A, encoder layers.
        dropout: share of zeros in the attention, after it, and in the FFN.
        position_embedding: added to the queries and keys of every layer: "sine", two-dimensional sine and cosine;
            "learned", one vector a cell; "none".
        deconvolutions: 4x4, stride 2, each doubling the map after the encoder; the result must have the size of the
            heatmaps, a quarter of the input's.
    """

    kind: Literal["transpose"] = "transpose"
    codec: HeatmapCodecConfig = DARK
    embed_dims: Positive = 96
    num_heads: Positive = 1
    ffn_dims: Positive = 192
    layers: Depth = 6
    dropout: Share = 0.1
    position_embedding: Position = "sine"
    deconvolutions: Literal[0, 1, 2, 3] = 0

    @model_validator(mode="after")
    def _heads_and_axes(self) -> "TransPoseConfig":
        _require_divisible(self.embed_dims, self.num_heads, self.position_embedding)
        return self

    def check_maps(self, backbone: str, strides: Sequence[int], has_finest: bool) -> None:
        """The size of the last map is told from the number of maps."""
        require_pyramid(self.kind, backbone, strides)


class TokenPoseConfig(HeatmapKnobs):
    """TokenPose: keypoint tokens and patch tokens in one encoder; each keypoint token becomes a heatmap.

    Defaults: TokenPose-B, which belongs on HRNet of width 32 with three stages and outputs "finest". S-v1: HRNet's
    stem, `attention_scale` "model". S-v2: the same with `patch_size` (2, 2). L/D6 and L/D24, on HRNet of width 48: 6 or
    24 layers, 12 heads, `fused_parts` 3, `mlp_hidden` None.

    Attributes:
        codec: encoding, decoding and flip test of the heatmaps; the authors use DARK's.
        patch_size: (height, width) of a patch, in cells of the backbone's last map; it must divide the map.
        embed_dims: width of a token.
        num_heads: of the attention.
        ffn_dims: hidden width of a layer's FFN.
        layers: encoder layers.
        dropout: share of zeros after the embedding, after the attention and in the FFN.
        position_embedding: "sine", two-dimensional sine and cosine, added to the patch tokens before every layer;
            "learned", one vector a token, keypoint tokens included, added once; "none".
        attention_scale: what products of queries and keys are divided by: "head", the root of a head's width; "model",
            the root of `embed_dims`.
        fused_parts: the layers are cut into this many equal parts; the MLP head sees a keypoint's token after each of
            them, side by side. 1: the last layer's alone.
        mlp_hidden: width between the two linear layers of the MLP head, or None for a single linear layer.
    """

    kind: Literal["tokenpose"] = "tokenpose"
    codec: HeatmapCodecConfig = DARK
    patch_size: tuple[Positive, Positive] = (4, 3)
    embed_dims: Positive = 192
    num_heads: Positive = 8
    ffn_dims: Positive = 576
    layers: Depth = 12
    dropout: Share = 0.0
    position_embedding: Position = "sine"
    attention_scale: Literal["head", "model"] = "head"
    fused_parts: Depth = 1
    mlp_hidden: Positive | None = 384

    @model_validator(mode="after")
    def _parts_heads_and_axes(self) -> "TokenPoseConfig":
        if self.layers % self.fused_parts:
            raise ValueError(f"layers {self.layers} cannot be cut into fused_parts {self.fused_parts} equal parts")
        _require_divisible(self.embed_dims, self.num_heads, self.position_embedding)
        return self

    def check_maps(self, backbone: str, strides: Sequence[int], has_finest: bool) -> None:
        """The size of the last map is told from the number of maps."""
        require_pyramid(self.kind, backbone, strides)


class PRTRConfig(HeadKnobs):
    """PRTR, two-stage: queries classify and locate keypoints; Hungarian matching assigns them. Defaults: its code.

    Attributes:
        num_queries: N, learned; at least K.
        embed_dims: width of the transformer.
        num_heads: of each attention.
        encoder_layers: over the cells of the backbone's last map.
        decoder_layers: over the queries.
        ffn_dims: hidden width of a layer's FFN.
        dropout: share of zeros after the attentions and in the FFN.
        auxiliary_losses: the loss of every decoder layer, each matched anew, instead of the last one's alone.
        background_weight: of queries without keypoint in the cross-entropy.
        keypoint_weight: of the L1 term beside the cross-entropy.
        match_class_cost: weight of the class probability in the matching of training.
        match_keypoint_cost: weight of the L1 distance in it.
        background_in_score: class probabilities at inference include the "no keypoint" class; without it, as released,
            they are the share among the K keypoints.
    """

    kind: Literal["prtr"] = "prtr"
    num_queries: Positive = 100
    embed_dims: Positive = 256
    num_heads: Positive = 8
    encoder_layers: Depth = 6
    decoder_layers: Depth = 6
    ffn_dims: Positive = 2048
    dropout: Share = 0.0
    auxiliary_losses: bool = True
    background_weight: Annotated[float, Field(gt=0)] = 0.1
    keypoint_weight: Annotated[float, Field(ge=0)] = 5.0
    match_class_cost: Annotated[float, Field(ge=0)] = 1.0
    match_keypoint_cost: Annotated[float, Field(ge=0)] = 5.0
    background_in_score: bool = False

    @property
    def confined_to_crop(self) -> str:
        """Coordinates end in a sigmoid."""
        return "head 'prtr' ends in a sigmoid"

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "PRTRConfig":
        if self.embed_dims % self.num_heads or self.embed_dims % 4:
            raise ValueError(f"embed_dims {self.embed_dims} is not a multiple of 4 and num_heads {self.num_heads}")
        return self
