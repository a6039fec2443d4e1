"""The one contract of every model: a backbone makes maps, a head makes poses.

Training, evaluation, flip test, costs and reports speak to `PoseModel` and `PoseHead` only; none of them asks which
method it is. A head owns its targets, its loss, the merging of mirrored outputs, its decoding, its crop rule, and what
its targets lose.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from poseur_lib.data.crop import CropRule
from poseur_lib.errors import UserError
from poseur_lib.models.backbones.high_resolution import HighResolutionNet
from poseur_lib.poses import Explanation, PosePrediction
from poseur_lib.scoring.flip import unflip_points

FeatureMaps = Sequence[Float[Tensor, "B _C _H _W"]]
Outputs = TypeVar("Outputs")


def without_autocast(like: Tensor) -> AbstractContextManager:
    """What is computed inside keeps its precision on the device of `like`, whatever autocast is on outside.

    The meta device, on which costs are counted, has no autocast to switch off.
    """
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)


class PoseTargets(NamedTuple):
    """Ground truth of a batch of crops; a head derives what it needs from it.

    Attributes:
        keypoints: (x, y) in [0, 1] of the crop, beyond that range outside it.
        supervised: has a target: labelled, and inside the crop unless `train.supervise_outside_crop`.
    """

    keypoints: Float[Tensor, "B K 2"]
    supervised: Bool[Tensor, "B K"]


class LossTerms(NamedTuple):
    """`total` is what is minimised; `terms` are its summands by name, for logs and for error messages."""

    total: Float[Tensor, ""]
    terms: Mapping[str, Float[Tensor, ""]]


class PoseHead(nn.Module, ABC, Generic[Outputs]):
    """Everything after the backbone. `Outputs` is what the network gives before mirrored passes are merged.

    Attributes:
        crop_rule: how a person's crop is cut out for the head, see `poseur_lib.data.crop`.
        coarsest_alone: it reads the last map only.
        recordable: its passes never wait for the processor, so that a CUDA graph can be made of them.
    """

    crop_rule = CropRule()
    coarsest_alone = False
    recordable = True

    @abstractmethod
    def forward(self, features: FeatureMaps) -> Outputs:
        """Inference outputs of a batch of crops."""

    @abstractmethod
    def loss(self, features: FeatureMaps, targets: PoseTargets) -> LossTerms:
        """The training loss of a batch."""

    @abstractmethod
    def merge_flipped(self, outputs: Outputs, flipped: Outputs, flip_index: Int[Tensor, " K"]) -> Outputs:
        """Outputs of an image and of its mirror image, as one; `flip_index` maps left keypoints to right ones."""

    @abstractmethod
    def decode(self, outputs: Outputs) -> PosePrediction:
        """Poses in the crop frame."""

    def explain(self, features: FeatureMaps) -> Explanation:
        """What the queries of the head attend to.

        Raises:
            UserError: the head has no keypoint queries that attend to sampled points.
        """
        raise UserError(f"{type(self).__name__} has no keypoint queries to explain; models with a PoseurHead have")

    def round_trip(self, keypoints: Float[Tensor, "B K 2"], input_size: tuple[int, int]) -> Float[Tensor, "B K 2"]:
        """Keypoints in [0, 1] of crops of (height, width), as if the network had learned its targets to perfection.

        Coordinates are their own code; a head whose targets are coarser, or do not reach everywhere, says what is left.
        `poseur_lib.evaluation.ceiling` makes an AP of it.
        """
        return keypoints

    def flow_masses(self) -> Float[np.ndarray, "edges edges"] | None:
        """The table of `poseur_lib.scoring.uncertainty.box_masses` of which Eq. 6 is computed; None without a flow."""
        return None

    def slow_parameters(self) -> Sequence[nn.Parameter]:
        """Parameters that train at `TrainConfig.sampling_offsets_lr_factor` times the learning rate."""
        return ()


class CoordinateHead(PoseHead[PosePrediction]):
    """A head whose outputs are coordinates, so that there is nothing to decode.

    Attributes:
        flip_shift: crop pixel x of the mirror image is pixel W - 1 - x of the image; 1 / W takes the 1 into account, 0
            is what Poseur's released code does.
    """

    flip_shift = 0.0

    def merge_flipped(
        self, outputs: PosePrediction, flipped: PosePrediction, flip_index: Int[Tensor, " K"]
    ) -> PosePrediction:
        """Plain means of coordinates, scores and sigma."""
        points = unflip_points(flipped.keypoints, flip_index, self.flip_shift)
        sigma = None
        if outputs.sigma is not None and flipped.sigma is not None:
            sigma = 0.5 * (outputs.sigma + flipped.sigma[:, flip_index])
        return replace(
            outputs,
            keypoints=0.5 * (outputs.keypoints + points),
            keypoint_scores=0.5 * (outputs.keypoint_scores + flipped.keypoint_scores[:, flip_index]),
            sigma=sigma,
        )

    def decode(self, outputs: PosePrediction) -> PosePrediction:
        """The outputs as they are."""
        return outputs


class PoseModel(nn.Module):
    """A backbone and a head.

    Args:
        backbone: maps images [B, 3, H, W] to feature maps, finest first; its `channels` are their widths.
        head: makes poses of them.
        flip_index: the keypoint set's left-right permutation.
    """

    _flip_order: Int[Tensor, " K"]

    def __init__(self, *, backbone: nn.Module, head: PoseHead, flip_index: Sequence[int]) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.flip_index = tuple(flip_index)
        self.register_buffer("_flip_order", torch.tensor(self.flip_index), persistent=False)

    @property
    def recordable(self) -> bool:
        """Whether a CUDA graph can be made of its passes."""
        return self.head.recordable

    def unreached_parameters(self) -> Sequence[nn.Parameter]:
        """Weights that no loss depends on: of a pyramid's finer maps, where the head reads the coarsest alone."""
        if self.head.coarsest_alone and isinstance(self.backbone, HighResolutionNet):
            return self.backbone.of_finer_maps()
        return ()

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> PosePrediction:
        """Poses, where [0, 1] is the crop and what lies beyond is outside.

        `images` are RGB, normalised by ImageNet's mean and deviation.
        """
        return self.head.decode(self.head(self.backbone(images)))

    @torch.no_grad()
    def explain(self, images: Float[Tensor, "B 3 H W"]) -> Explanation:
        """The prediction of `forward`, bit for bit, and what the queries attended to on the way.

        Costs an ordinary pass, and each layer's samples and attention weights once more; nothing of it is there in the
        passes before and after.

        Raises:
            UserError: the head has no queries.
        """
        return self.head.explain(self.backbone(images))

    def predict_flipped(self, images: Float[Tensor, "B 3 H W"]) -> PosePrediction:
        """Flip test: the images and their mirror images, merged by the head."""
        outputs, mirrored = (self.head(self.backbone(view)) for view in (images, images.flip(3)))
        merged = self.head.merge_flipped(outputs, mirrored, self._flip_order)
        return self.head.decode(merged)

    def loss(self, images: Float[Tensor, "B 3 H W"], targets: PoseTargets) -> LossTerms:
        """The head's training loss on a batch.

        Raises:
            UserError: the targets are of another number of keypoints.
        """
        if targets.keypoints.shape[1] != len(self.flip_index):
            raise UserError(f"the head has {len(self.flip_index)} keypoints, the targets {targets.keypoints.shape[1]}")
        return self.head.loss(self.backbone(images), targets)
