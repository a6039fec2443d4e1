"""The three keypoint heads of Mask R-CNN: heatmaps, RLE, Poseur (Sec. 4.3, Table 3). Their poses are in the box frame.

"We replace the deconv layer by an average pooling layer and an FC layer": all three stand on the same tower of
convolutions over a box's pooled region.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from poseur_lib.config.heads import NoNoise, PoseurConfig, RegressionConfig
from poseur_lib.config.heads.mask_rcnn import MaskRCNNConfig, RegionHeatmapConfig
from poseur_lib.losses.flow import RealNVP
from poseur_lib.models.baselines.regression import CENTRE, XAVIER_GAIN, RegressionHead
from poseur_lib.models.end_to_end.frames import from_box, to_box, to_canvas
from poseur_lib.models.end_to_end.pooling import Regions
from poseur_lib.models.pose_model import LossTerms, PoseTargets, without_autocast
from poseur_lib.models.poseur.decoder import QueryDecoder
from poseur_lib.models.poseur.deformable import DeformableAttention
from poseur_lib.models.poseur.head import keypoint_scores, stage_losses
from poseur_lib.models.poseur.memory import MemoryEmbedding, build_neck
from poseur_lib.models.poseur.queries import CoarseStage, KeypointEncoder, starting_points
from poseur_lib.poses import PosePrediction, StagePrediction
from poseur_lib.scoring.flip import unflip
from poseur_lib.scoring.uncertainty import rle_scores

Outputs = TypeVar("Outputs")
Layer = TypeVar("Layer", nn.Conv2d, nn.ConvTranspose2d)


class RegionHead(nn.Module, ABC, Generic[Outputs]):
    """From regions to poses of their boxes. `Outputs` is what passes over one image are averaged as."""

    @abstractmethod
    def forward(self, regions: Regions) -> Outputs:
        """Inference outputs of the regions' boxes."""

    @abstractmethod
    def loss(self, regions: Regions, targets: PoseTargets) -> LossTerms:
        """The training loss; targets are in the box frame, and unsupervised where nothing is known."""

    @abstractmethod
    def unflipped(self, outputs: Outputs, flip_index: Int[Tensor, " K"]) -> Outputs:
        """Outputs of boxes of the mirror image, as of the same boxes of the image."""

    @abstractmethod
    def mean(self, outputs: Sequence[Outputs]) -> Outputs:
        """Of several passes over the same boxes."""

    @abstractmethod
    def decode(self, outputs: Outputs, sides_px: Float[Tensor, "N 2"]) -> PosePrediction:
        """Poses in the box frame; `sides_px` are the boxes' (width, height) in pixels of the resized image."""

    def slow_parameters(self) -> Sequence[nn.Parameter]:
        """As of `PoseHead`."""
        return ()


class HeatmapRegionHead(RegionHead[Tensor]):
    """Detectron2's: a deconvolution 4x4 of stride 2, then bilinear x 2, to one heatmap of 56 x 56 cells a keypoint."""

    def __init__(self, channels: int, num_keypoints: int) -> None:
        super().__init__()
        self.kps_score_lowres = starting_at_zero(nn.ConvTranspose2d(channels, num_keypoints, 4, stride=2, padding=1))

    def forward(self, regions: Regions) -> Float[Tensor, "N K h w"]:
        """Logits of the cells."""
        maps = self.kps_score_lowres(regions.features)
        return interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)

    def loss(self, regions: Regions, targets: PoseTargets) -> LossTerms:
        """Cross-entropy over the cells, summed over supervised keypoints inside their box ÷ their number."""
        with without_autocast(regions.features):
            term = cells_loss(self(regions).float(), targets)
        return LossTerms(term, {"keypoints": term})

    def unflipped(self, outputs: Float[Tensor, "N K h w"], flip_index: Int[Tensor, " K"]) -> Float[Tensor, "N K h w"]:
        """Mirrored cells, left and right keypoints exchanged."""
        return outputs[:, flip_index].flip(3)

    def mean(self, outputs: Sequence[Float[Tensor, "N K h w"]]) -> Float[Tensor, "N K h w"]:
        """Of the logits."""
        return torch.stack(list(outputs)).mean(dim=0)

    def decode(self, outputs: Float[Tensor, "N K h w"], sides_px: Float[Tensor, "N 2"]) -> PosePrediction:
        """`decode_cells` of each box."""
        found = [decode_cells(maps.float(), side) for maps, side in zip(outputs, sides_px, strict=True)]
        keypoints = [points for points, _ in found] or [outputs.new_zeros(0, outputs.shape[1], 2)]
        scores = [values for _, values in found] or [outputs.new_zeros(0, outputs.shape[1])]
        join = torch.stack if found else torch.cat
        return PosePrediction(join(keypoints), join(scores))


def cells_of(keypoints: Float[Tensor, "N K 2"], size: int) -> Int[Tensor, "N K"]:
    """The cell of each point of the box frame, row by row; -1 outside. The far border belongs to the last cell."""
    x, y = torch.where(keypoints == 1, size - 1, (keypoints * size).floor().long()).unbind(dim=2)
    outside = (torch.stack([x, y]).amin(0) < 0) | (torch.stack([x, y]).amax(0) >= size)
    return torch.where(outside, -1, y * size + x)


def cells_loss(logits: Float[Tensor, "N K h w"], targets: PoseTargets) -> Float[Tensor, ""]:
    """Mean cross-entropy of the supervised keypoints that have a cell; 0 where none has."""
    cells = cells_of(targets.keypoints, logits.shape[3])
    counted = targets.supervised & (cells >= 0)
    total = cross_entropy(logits.flatten(2)[counted], cells[counted], reduction="sum")
    return total / counted.sum().clamp(min=1)


def decode_cells(
    logits: Float[Tensor, "K h w"], side_px: Float[Tensor, " 2"]
) -> tuple[Float[Tensor, "K 2"], Float[Tensor, " K"]]:
    """The best pixel of heatmaps that are enlarged to their box, and its score.

    Bicubic, to the box's (width, height) rounded up; the pixel's centre, + 0.5 (Heckbert 1990). The score is its share
    of the softmax over the cells, as if it were a cell: comparable between boxes of all sizes. Between two cells the
    enlarged peak may be higher than any cell, and its share more than all of them have: 1 at most.
    """
    width, height = (max(int(value), 1) for value in side_px.ceil().tolist())
    enlarged = interpolate(logits[None], size=(height, width), mode="bicubic", align_corners=False)[0].flatten(1)
    best, place = enlarged.max(dim=1)
    x, y = place % width, place.div(width, rounding_mode="floor")
    points = torch.stack([(x + 0.5) / width, (y + 0.5) / height], dim=1)
    return points, (best - logits.flatten(1).logsumexp(dim=1)).exp().clamp(max=1)


def starting_at_zero(layer: Layer) -> Layer:
    """A convolution with He's weights and without bias, as all of the keypoint head's start."""
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


class CoordinateRegionHead(RegionHead[StagePrediction]):
    """A head whose outputs are coordinates in the box frame with sigma, a fraction of the box's sides."""

    def unflipped(self, outputs: StagePrediction, flip_index: Int[Tensor, " K"]) -> StagePrediction:
        """x becomes 1 - x, left becomes right."""
        return unflip(outputs, flip_index)

    def mean(self, outputs: Sequence[StagePrediction]) -> StagePrediction:
        """Of coordinates and of sigma."""
        keypoints, sigma = (torch.stack(list(values)).mean(dim=0) for values in
                            zip(*((one.keypoints, one.sigma) for one in outputs), strict=True))  # fmt: skip
        return StagePrediction(keypoints, sigma)

    def decode(self, outputs: StagePrediction, sides_px: Float[Tensor, "N 2"]) -> PosePrediction:
        """The outputs with their scores."""
        return PosePrediction(outputs.keypoints, self.scores(outputs.sigma), outputs.sigma)

    @abstractmethod
    def scores(self, sigma: Float[Tensor, "N K 2"]) -> Float[Tensor, "N K"]:
        """Keypoint scores."""


class RegressionRegionHead(CoordinateRegionHead):
    """RLE: average pooling and an FC layer; the same head as on crops, whose crop is the box."""

    def __init__(self, config: RegressionConfig, num_keypoints: int, channels: int) -> None:
        super().__init__()
        self.regression = RegressionHead(config, num_keypoints, (channels,), (1, 1))

    def forward(self, regions: Regions) -> StagePrediction:
        """Coordinates and sigma."""
        found = self.regression([regions.features])
        return StagePrediction(found.keypoints, found.sigma)

    def loss(self, regions: Regions, targets: PoseTargets) -> LossTerms:
        """RLE's."""
        return self.regression.loss([regions.features], targets)

    def scores(self, sigma: Float[Tensor, "N K 2"]) -> Float[Tensor, "N K"]:
        """RLE's."""
        return rle_scores(sigma)


class PoseurRegionHead(CoordinateRegionHead):
    """Poseur: the FC layer's points in the box are the proposal; queries refine them in the canvas of the image.

    "We conduct EMSDA on multi-scale backbone feature maps, rather than on ROI features": here on levels p2 to p5 of the
    pyramid, which Detectron2 counts to the backbone, through the neck that Poseur has on crops. The maps are those of
    the image for all of its people, none is copied. Reference points and encodings are in the canvas frame; noise
    (Sec. 3.1), sigma and both losses are in the box frame, whose units do not depend on how large a person is: the
    paper does not say which. The FC layer is "like [18]", RLE, and starts as RLE's does, at the box's centre: no norm
    tames the tower's features, and a sigma that starts near 0 makes the first losses a thousand times as large.
    """

    def __init__(
        self, config: PoseurConfig, num_keypoints: int, channels: int, levels: int, dims: int, queries: int
    ) -> None:
        super().__init__()
        self.config, self.people_per_image = config, max(queries // num_keypoints, 1)
        self.neck = build_neck(config, (dims,) * levels)
        self.memory_embedding = MemoryEmbedding(len(config.feature_levels), config.embed_dims, every_size=False)
        self.coarse_stage = CoarseStage(channels, num_keypoints, config.coarse_fc == "l2_normalised")
        for layer in (self.coarse_stage.coordinates, self.coarse_stage.sigma):
            nn.init.xavier_uniform_(layer.weight, gain=XAVIER_GAIN)
        nn.init.constant_(self.coarse_stage.coordinates.bias, CENTRE)
        self.keypoint_encoder = KeypointEncoder(config, num_keypoints)
        self.decoder = QueryDecoder(config)
        loss = config.loss
        self.coarse_flow = RealNVP(loss.flow_layers, loss.flow_hidden, loss.flow_prior_mean)
        self.decoder_flow = RealNVP(loss.flow_layers, loss.flow_hidden, loss.flow_prior_mean)

    def refine(
        self, regions: Regions, proposal: Float[Tensor, "N K 2"], *, noisy: bool = False
    ) -> tuple[StagePrediction, ...]:
        """Every decoder layer's prediction in the box frame, of N x G rows; no gradient flows to the proposal."""
        in_box = starting_points(self.config.noise if noisy else NoNoise(), proposal.detach())
        boxes = to_canvas(regions.boxes_px, regions.canvas)
        groups = in_box.shape[1]
        points = from_box(in_box.flatten(1, 2), boxes).unflatten(1, (groups, -1))
        memory = self.memory_embedding(self.neck(regions.pyramid))
        layers = self.decoder(self.keypoint_encoder(points), points, memory, regions.image_index)
        of_rows = boxes.repeat_interleave(groups, dim=0)
        return tuple(StagePrediction(to_box(one.keypoints, of_rows), one.sigma) for one in layers)

    def forward(self, regions: Regions) -> StagePrediction:
        """The last layer's prediction."""
        return self.refine(regions, self.coarse_stage(regions.features).keypoints)[-1]

    def loss(self, regions: Regions, targets: PoseTargets) -> LossTerms:
        """Eq. 4: the proposals of all regions, and the layers of as many as there are queries for."""
        coarse = self.coarse_stage(regions.features)
        chosen = some_of_each(regions.image_index, self.people_per_image)
        layers = self.refine(regions.of(chosen), coarse.keypoints[chosen], noisy=True)
        groups = len(layers[0].keypoints) // len(chosen)
        weight = targets.supervised.float()
        target, of_rows = (x[chosen].repeat_interleave(groups, dim=0) for x in (targets.keypoints, weight))
        config = self.config.loss
        coarse_term = stage_losses(config, (coarse,), targets.keypoints, weight, self.coarse_flow)
        layer_terms = stage_losses(config, layers, target, of_rows, self.decoder_flow)
        terms = torch.cat([coarse_term, config.decoder_weight * layer_terms])
        names = ("coarse", *(f"layer_{number}" for number in range(len(layers))))
        return LossTerms(terms.sum(), dict(zip(names, terms, strict=True)))

    def scores(self, sigma: Float[Tensor, "N K 2"]) -> Float[Tensor, "N K"]:
        """As configured; the radius of Eq. 8 is a fraction of the box."""
        return keypoint_scores(self.config, sigma)

    def slow_parameters(self) -> Sequence[nn.Parameter]:
        """The linear layers of the sampling offsets (Sec. 4.1)."""
        attentions = (module for module in self.decoder.modules() if isinstance(module, DeformableAttention))
        return [parameter for one in attentions for parameter in one.sampling_offsets.parameters()]


def some_of_each(image_index: Int[Tensor, " N"], most: int) -> Int[Tensor, " M"]:
    """At most so many rows of each image, drawn at random, in their order."""
    drawn = torch.randperm(len(image_index), device=image_index.device)
    of_image = image_index[drawn]
    before = (of_image[:, None] == of_image[None, :]).tril(diagonal=-1).sum(dim=1)
    return drawn[before < most].sort().values


def build_region_head(config: MaskRCNNConfig, num_keypoints: int, levels: int) -> RegionHead:
    """The keypoint head that `config.keypoints` names, on a pyramid of so many levels."""
    channels, head = config.tower[-1], config.keypoints
    match head:
        case RegionHeatmapConfig():
            return HeatmapRegionHead(channels, num_keypoints)
        case RegressionConfig():
            return RegressionRegionHead(head, num_keypoints, channels)
        case PoseurConfig():
            dims, queries = config.pyramid_channels, config.queries_per_image
            return PoseurRegionHead(head, num_keypoints, channels, levels, dims, queries)
    raise TypeError(f"no keypoint head for {head!r}")
