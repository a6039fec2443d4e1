"""Poseur's knobs."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from poseur_lib.config.backbone import Depth, Positive
from poseur_lib.config.base import Frozen
from poseur_lib.config.heads.base import HeadKnobs

Share = Annotated[float, Field(ge=0, lt=1)]
Level = Literal["res2", "res3", "res4", "res5"]
KeypointScore = Literal["rle", "laplace", "calibrated"]
FlipFusion = Literal["mean", "type1", "type2"]

DECONVOLUTIONS = 3


class NoNoise(Frozen):
    """No noisy reference points (first row of Table 1b): one clean group of K queries."""

    kind: Literal["none"] = "none"


class ReleasedNoise(Frozen):
    """Noisy reference points as released (Sec. 3.1 does not give the numbers).

    Beside the clean group stand `groups` noisy ones (1 in the released whole-body configurations); `moved_points` x
    `groups` of all their points, drawn anew each step and alike for the whole batch, move by N(0, `variance`) clipped
    to +-`clip`, and end inside `bounds`.
    """

    kind: Literal["released"] = "released"
    groups: Depth = 3
    moved_points: Positive = 4
    variance: Annotated[float, Field(gt=0)] = 0.2
    clip: Annotated[float, Field(gt=0)] = 1.0
    bounds: tuple[float, float] = (-0.7, 1.7)

    @model_validator(mode="after")
    def _bounds_ordered(self) -> "ReleasedNoise":
        if self.bounds[0] >= self.bounds[1]:
            raise ValueError(f"bounds {self.bounds} must be (low, high)")
        return self


class PaperNoise(Frozen):
    """Noisy reference points as Sec. 3.1 words it: `groups` more sets of queries at uniform random coordinates.

    The paper speaks of a second type of query and does not say how many there are; one set is its least reading.
    """

    kind: Literal["paper"] = "paper"
    groups: Depth = 1


Noise = Annotated[NoNoise | ReleasedNoise | PaperNoise, Field(discriminator="kind")]


class RLELossConfig(Frozen):
    """Residual log-likelihood (Sec. 3.2).

    Attributes:
        log_phi_count: how often log phi of a keypoint enters. Paper: 1 (Eq. 2). Released code: 2, by broadcasting.
        log_sigma_count: how often log sigma of a coordinate enters. Paper: 1. Released code: 2.
        flow_prior_mean: mean of the flow's Gaussian prior on both axes. Paper: 0. Released code: 0.5.
        flow_layers: coupling layers of each of the two flows.
        flow_hidden: width of their networks.
        decoder_weight: lambda of Eq. 4.
    """

    log_phi_count: Literal[1, 2] = 2
    log_sigma_count: Literal[1, 2] = 2
    flow_prior_mean: float = 0.5
    flow_layers: Depth = 6
    flow_hidden: Positive = 64
    decoder_weight: Annotated[float, Field(ge=0)] = 1.0


class PoseurConfig(HeadKnobs):
    """Poseur's head: neck, coarse stage, keypoint encoder, query decoder, scoring. Defaults: the released code.

    Attributes:
        embed_dims: C, width of the queries and of every neck map.
        num_heads: M of Eq. 1, and the heads of the self-attention.
        num_points: S of Eq. 1, points that a head samples on each map.
        ffn_dims: hidden width of a decoder layer's FFN.
        dropout: share of zeros after the attentions and in the FFN.
        norm_groups: of the neck's group norm.
        neck: "projection": a 1x1 convolution per backbone map. "deconvolution": three maps, each twice as fine as the
            one before, made of the backbone's last map (released code with ViT).
        feature_levels: backbone maps that the decoder attends to (Table 1d); all four with the deconvolution neck,
            which has its own levels.
        decoder_layers: N_d (Table 1e).
        share_layers: one decoder layer with its output branches, passed N_d times (supp. Table 3).
        self_attention: attention between the queries (supp. Table 2).
        cross_attention: "emsda": project what was sampled (Eq. 1); "msda": sample the projected maps (supp. Table 4).
        initial_points: "coarse": the queries start at the FC proposal; "learned": at points learned with them, as in
            Deformable DETR (Table 1a). There is then no coarse stage and no coarse term in the loss, and
            `coarse_features`, `coarse_fc` and `query_content` have nothing to act on.
        noise: noisy reference points (Table 1b).
        coarse_features: what the coarse stage pools. Paper: the backbone's last map. Released code: the neck's.
        coarse_fc: "l2_normalised" divides W x by the norm of x (released code); "plain" is a linear layer.
        query_content: "released": LayerNorm(Linear([PE(coarse), PE(clipped coarse)])); "paper": PE(coarse).
        class_embedding: "positional": added in every attention (released code); "content": once (Sec. 3.1).
        output_branch: "released": refined point plus a second branch; "paper": the refined point alone.
        loss: residual log-likelihood of both stages.
        keypoint_score: "rle": mean of 1 - sigma (released default); "laplace": Eq. 8 (Table 1c). Without any
            (Sec. 3.3) is `evaluation.instance_score` "box". "calibrated", which neither paper nor released code has:
            Eq. 8 of sigma times `sigma_factor`, then the probability that Sec. 3.3 says Eq. 8 is; with a small
            `score_radius`.
        score_radius: a of Eq. 8, a fraction of the crop side.
        sigma_factor: the Laplace scale over sigma, of a "calibrated" score alone: it belongs to one trained model, and
            `poseur_lib.scoring.uncertainty.laplace_factor` fits it on labelled people.
        flip_fusion: how two mirrored predictions merge: plain means, or the released types 1 and 2, which make the
            keypoint scores themselves, whatever `keypoint_score` says.
    """

    kind: Literal["poseur"] = "poseur"
    embed_dims: Positive = 256
    num_heads: Positive = 8
    num_points: Depth = 4
    ffn_dims: Positive = 1024
    dropout: Share = 0.1
    norm_groups: Positive = 32
    neck: Literal["projection", "deconvolution"] = "projection"
    feature_levels: tuple[Level, ...] = ("res2", "res3", "res4", "res5")
    decoder_layers: Depth = 3
    share_layers: bool = False
    self_attention: bool = True
    cross_attention: Literal["emsda", "msda"] = "emsda"
    initial_points: Literal["coarse", "learned"] = "coarse"
    noise: Noise = ReleasedNoise()
    coarse_features: Literal["neck", "backbone"] = "neck"
    coarse_fc: Literal["l2_normalised", "plain"] = "l2_normalised"
    query_content: Literal["released", "paper"] = "released"
    class_embedding: Literal["positional", "content"] = "positional"
    output_branch: Literal["released", "paper"] = "released"
    loss: RLELossConfig = RLELossConfig()
    keypoint_score: KeypointScore = "rle"
    score_radius: Annotated[float, Field(gt=0)] = 0.2
    sigma_factor: Annotated[float, Field(gt=0)] | None = None
    flip_fusion: FlipFusion = "mean"

    @model_validator(mode="after")
    def _fits_together(self) -> "PoseurConfig":
        if self.embed_dims % self.num_heads or self.embed_dims % self.norm_groups or self.embed_dims % 4:
            raise ValueError(
                f"embed_dims {self.embed_dims} is not a multiple of 4, num_heads {self.num_heads}"
                f" and norm_groups {self.norm_groups}"
            )
        if not self.feature_levels or list(self.feature_levels) != sorted(set(self.feature_levels)):
            raise ValueError(f"feature_levels {self.feature_levels} must be distinct and ordered, finest first")
        if self.neck == "deconvolution" and len(self.feature_levels) != 4:
            raise ValueError(f"feature_levels {self.feature_levels} cannot be chosen with the deconvolution neck")
        return self

    @model_validator(mode="after")
    def _factor_of_the_calibrated_score(self) -> "PoseurConfig":
        calibrated = self.keypoint_score == "calibrated"
        if calibrated != (self.sigma_factor is not None):
            raise ValueError(
                f"keypoint_score {self.keypoint_score!r} with sigma_factor {self.sigma_factor}: a factor is given"
                " exactly where keypoint_score is 'calibrated'"
            )
        if calibrated and self.flip_fusion != "mean":
            raise ValueError(
                f"flip_fusion {self.flip_fusion!r} makes the keypoint scores itself: keypoint_score 'calibrated' needs"
                " 'mean'"
            )
        return self

    @property
    def confined_to_crop(self) -> str:
        """The released output branch passes the border, the paper's does not."""
        if self.output_branch == "released":
            return ""
        return "head.output_branch 'paper' ends in a sigmoid ('released' adds a branch that passes the border)"

    def check_maps(self, backbone: str, strides: Sequence[int], has_finest: bool) -> None:
        """The decoder attends to several maps."""
        if len(strides) == 1 and not has_finest and self.neck != "deconvolution":
            raise ValueError(f"backbone {backbone} gives one map: head.neck must be 'deconvolution'")

    @property
    def num_levels(self) -> int:
        """L, the number of maps that the decoder attends to."""
        return DECONVOLUTIONS if self.neck == "deconvolution" else len(self.feature_levels)
