"""Poseur's head: neck, coarse stage, keypoint encoder, query decoder, losses and scores as one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from poseur_lib.config.heads import NoNoise, PoseurConfig, RLELossConfig
from poseur_lib.losses.flow import RealNVP
from poseur_lib.losses.rle import negative_log_likelihood
from poseur_lib.models.pose_model import CoordinateHead, FeatureMaps, LossTerms, PoseTargets, without_autocast
from poseur_lib.models.poseur.decoder import QueryDecoder
from poseur_lib.models.poseur.deformable import DeformableAttention
from poseur_lib.models.poseur.memory import MemoryEmbedding, build_neck
from poseur_lib.models.poseur.queries import CoarseStage, KeypointEncoder, LearnedQueries, starting_points
from poseur_lib.models.poseur.recording import explained
from poseur_lib.poses import Explanation, PosePrediction, StagePrediction
from poseur_lib.scoring.flip import fuse, unflip
from poseur_lib.scoring.uncertainty import box_masses, laplace_scores, rle_scores

NO_NOISE = NoNoise()


class PoseurHead(CoordinateHead):
    """Direct regression with queries (Fig. 3).

    Learned initial points (Table 1a) leave out the coarse stage with its flow and its loss: the caption tells the rows
    apart by the use of the FC layer, and the paper does not say that the baseline kept it as an auxiliary task.

    Args:
        config: every knob; the defaults are the released code's.
        num_keypoints: K.
        channels: widths of the backbone's maps, finest first.
    """

    def __init__(self, config: PoseurConfig, num_keypoints: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.config = config
        self.neck = build_neck(config, channels)
        self.memory_embedding = MemoryEmbedding(len(config.feature_levels), config.embed_dims)
        self.coarse_stage: CoarseStage | None = None
        self.coarse_flow: RealNVP | None = None
        self.keypoint_encoder: KeypointEncoder | LearnedQueries
        if config.initial_points == "coarse":
            pooled = config.embed_dims if config.coarse_features == "neck" else channels[-1]
            self.coarse_stage = CoarseStage(pooled, num_keypoints, config.coarse_fc == "l2_normalised")
            self.keypoint_encoder = KeypointEncoder(config, num_keypoints)
        else:
            self.keypoint_encoder = LearnedQueries(config, num_keypoints)
        self.decoder = QueryDecoder(config)
        loss = config.loss
        if self.coarse_stage is not None:
            self.coarse_flow = RealNVP(loss.flow_layers, loss.flow_hidden, loss.flow_prior_mean)
        self.decoder_flow = RealNVP(loss.flow_layers, loss.flow_hidden, loss.flow_prior_mean)

    def forward_stages(
        self, features: FeatureMaps, *, noisy: bool = False, shift: Float[Tensor, "B K 2"] | None = None
    ) -> tuple[StagePrediction | None, tuple[StagePrediction, ...]]:
        """The forward pass: the coarse proposal of each image, and the prediction of every decoder layer.

        There is no proposal where the initial points are learned. With `noisy`, a layer has B x G rows: row b G + g is
        group g of instance b.

        Args:
            features: the backbone's maps of B images, one person each.
            noisy: add the noisy query groups of training.
            shift: what the initial points are moved by, in fractions of the crop; the proposal itself is not.
        """
        maps = self.neck(features)
        coarse = None
        if self.coarse_stage is not None:
            coarse = self.coarse_stage(maps[-1] if self.config.coarse_features == "neck" else features[-1])
            start = coarse.keypoints.detach()
        elif isinstance(self.keypoint_encoder, LearnedQueries):
            start = self.keypoint_encoder.learned_points().expand(maps[0].shape[0], -1, -1)
        start = start if shift is None else start + shift
        memory = self.memory_embedding(maps)
        points = starting_points(self.config.noise if noisy else NO_NOISE, start)
        return coarse, self.decoder(self.keypoint_encoder(points), points, memory)

    def as_prediction(self, coarse: StagePrediction | None, layers: tuple[StagePrediction, ...]) -> PosePrediction:
        """The last layer's poses with their scores, and the stages that led to them."""
        last = layers[-1]
        return PosePrediction(last.keypoints, keypoint_scores(self.config, last.sigma), last.sigma, coarse, layers)

    def forward(self, features: FeatureMaps) -> PosePrediction:
        """Inference: the clean queries only."""
        return self.as_prediction(*self.forward_stages(features))

    def loss(self, features: FeatureMaps, targets: PoseTargets) -> LossTerms:
        """Eq. 4: the coarse term, plus lambda times the decoder's; all query groups are supervised.

        The paper has one decoder term. Released code, and here: the sum over layers, each a mean over B G K.
        """
        coarse, layers = self.forward_stages(features, noisy=True)
        return self.loss_of(coarse, layers, targets)

    def loss_of(
        self, coarse: StagePrediction | None, layers: tuple[StagePrediction, ...], targets: PoseTargets
    ) -> LossTerms:
        """The loss of given predictions; layers have G rows per target row. Without `coarse`, it has no term."""
        weight = targets.supervised.float()
        groups = layers[0].keypoints.shape[0] // weight.shape[0]
        many_weight, many_target = (x.repeat_interleave(groups, dim=0) for x in (weight, targets.keypoints))
        terms = stage_losses(self.config.loss, layers, many_target, many_weight, self.decoder_flow)
        terms = self.config.loss.decoder_weight * terms
        names: tuple[str, ...] = tuple(f"layer_{number}" for number in range(len(layers)))
        if coarse is not None and self.coarse_flow is not None:
            coarse_term = stage_losses(self.config.loss, (coarse,), targets.keypoints, weight, self.coarse_flow)
            terms, names = torch.cat([coarse_term, terms]), ("coarse", *names)
        return LossTerms(terms.sum(), dict(zip(names, terms, strict=True)))

    def merge_flipped(
        self, outputs: PosePrediction, flipped: PosePrediction, flip_index: Int[Tensor, " K"]
    ) -> PosePrediction:
        """Fuses the last layers, without `flip_shift`; `coarse` and `layers` stay those of the image itself."""
        last = outputs.layers[-1]
        unflipped = unflip(flipped.layers[-1], flip_index)
        keypoints, scores = fuse(last, unflipped, self.config.flip_fusion, self.config.score_radius)
        if scores is None:
            scores = 0.5 * (keypoint_scores(self.config, last.sigma) + keypoint_scores(self.config, unflipped.sigma))
        return replace(outputs, keypoints=keypoints, keypoint_scores=scores, sigma=0.5 * (last.sigma + unflipped.sigma))

    def explain(self, features: FeatureMaps) -> Explanation:
        """One ordinary pass, recorded: samples, their weights and the self-attention of every layer passed."""
        return explained(self.decoder, lambda: self(features))

    def round_trip(self, keypoints: Float[Tensor, "B K 2"], input_size: tuple[int, int]) -> Float[Tensor, "B K 2"]:
        """The paper's output branch does not leave the crop."""
        return keypoints.clamp(0, 1) if self.config.confined_to_crop else keypoints

    def slow_parameters(self) -> Sequence[nn.Parameter]:
        """The linear layers of the sampling offsets and, where they are learned, of the reference points (Sec. 4.1)."""
        linear = [
            module.sampling_offsets for module in self.decoder.modules() if isinstance(module, DeformableAttention)
        ]
        if isinstance(self.keypoint_encoder, LearnedQueries):
            linear.append(self.keypoint_encoder.reference_points)
        return [parameter for one in linear for parameter in one.parameters()]

    def flow_masses(self) -> Float[np.ndarray, "edges edges"]:
        """Of the flow that all decoder layers share, for Eq. 6."""
        device = self.decoder_flow.mask.device
        return box_masses(
            lambda e: self.decoder_flow.log_prob(e.to(device)).cpu(),
            log_phi_count=self.config.loss.log_phi_count,
            log_sigma_count=self.config.loss.log_sigma_count,
        )


def keypoint_scores(config: PoseurConfig, sigma: Float[Tensor, "B K 2"]) -> Float[Tensor, "B K"]:
    """The score that `config.keypoint_score` names."""
    if config.keypoint_score == "rle":
        return rle_scores(sigma)
    factor = config.sigma_factor or 1.0
    return laplace_scores(factor * sigma, config.score_radius)


def stage_losses(
    config: RLELossConfig,
    stages: Sequence[StagePrediction],
    target: Float[Tensor, "B K 2"],
    weight: Float[Tensor, "B K"],
    flow: RealNVP,
) -> Float[Tensor, " stages"]:
    """The likelihood term of each stage (Eq. 2 and 3), in full precision."""
    with without_autocast(target):
        return negative_log_likelihood(
            torch.stack([stage.keypoints.float() for stage in stages]),
            torch.stack([stage.sigma.float() for stage in stages]),
            target,
            weight,
            flow,
            log_phi_count=config.log_phi_count,
            log_sigma_count=config.log_sigma_count,
        )
