"""Mask R-CNN with a keypoint head: images in, people out, or losses (Sec. 4.3)."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from timm.layers import FrozenBatchNormAct2d, freeze_batch_norm_2d
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d, batched_nms
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.config.heads.mask_rcnn import MaskRCNNConfig
from poseur_lib.data.whole_images import STRIDE, ImageBatch, on_canvas
from poseur_lib.errors import UserError
from poseur_lib.keypoints import keypoint_set
from poseur_lib.models.backbones import Backbone, build_backbone
from poseur_lib.models.backbones.high_resolution import HighResolutionNet
from poseur_lib.models.backbones.resnet import ResNet
from poseur_lib.models.backbones.timm_backbone import TimmBackbone
from poseur_lib.models.end_to_end.frames import mirrored
from poseur_lib.models.end_to_end.region_heads import FoundBoxes, ImagePeople, RegionHeads, without_crowds
from poseur_lib.models.pose_model import LossTerms, without_autocast
from poseur_lib.poses import PosePrediction

ASPECTS = (0.5, 1.0, 2.0)
KEPT_BEFORE_NMS = {"training": 2000, "testing": 1000}
"""Proposals a level (Detectron2's)."""
STEM, FIRST_STAGE = ("conv1", "bn1", "conv2", "bn2"), ("layer1",)


class Pyramid(nn.Module):
    """A backbone and its feature pyramid; names of parameters as torchvision's."""

    def __init__(self, body: Backbone, channels: int) -> None:
        super().__init__()
        self.body = body
        self.fpn = FeaturePyramidNetwork(list(body.channels), channels, extra_blocks=LastLevelMaxPool())

    def forward(self, images: Float[Tensor, "I 3 H W"]) -> dict[str, Tensor]:
        """Levels "0" (the finest) on, and "pool", in full precision: bfloat16 would round boxes to four pixels."""
        maps = self.fpn(OrderedDict((str(level), x) for level, x in enumerate(self.body(images))))
        return {name: x.float() for name, x in maps.items()}


class ProposalNetwork(RegionProposalNetwork):
    """torchvision's; of the targets' `crowds` it learns nothing."""

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        labels, matched = super().assign_targets_to_anchors(anchors, targets)
        crowds = [target["crowds"] for target in targets]
        return [without_crowds(*one) for one in zip(labels, anchors, crowds, strict=True)], matched

    def compute_loss(
        self, objectness: Tensor, pred_bbox_deltas: Tensor, labels: list[Tensor], regression_targets: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        if not torch.cat(labels).ge(0).any():  # crowds alone
            return objectness[:0].sum(), pred_bbox_deltas[:0].sum()
        return super().compute_loss(objectness, pred_bbox_deltas, labels, list(regression_targets))


class View(NamedTuple):
    """One pass over an image: its pyramid, and how its frame lies to the image's.

    Attributes:
        canvas, size: (height, width) in pixels of the canvas, and of the resized image in it.
        scale: (x, y) pixels of the resized image by pixels of the image.
        flipped: the image is its mirror image.
    """

    pyramid: dict[str, Tensor]
    canvas: tuple[int, int]
    size: tuple[int, int]
    scale: tuple[float, float]
    flipped: bool

    def to_px(self, boxes_image: Float[Tensor, "N 4"]) -> Float[Tensor, "N 4"]:
        """Boxes of the image in this view."""
        boxes = boxes_image * boxes_image.new_tensor(self.scale * 2)
        return mirrored(boxes, self.size[1]) if self.flipped else boxes

    def to_image(self, boxes_px: Float[Tensor, "N 4"]) -> Float[Tensor, "N 4"]:
        """The inverse."""
        boxes = mirrored(boxes_px, self.size[1]) if self.flipped else boxes_px
        return boxes / boxes.new_tensor(self.scale * 2)


class EndToEndModel(nn.Module):
    """Backbone, feature pyramid, proposals, and what is made of each of them.

    Args:
        backbone: several maps, finest first.
        config: every other knob.
        flip_index: the keypoint set's left-right permutation.
        supervise_outside_box: as of `RegionHeads`.
    """

    recordable = False  # how many boxes there are is asked in every pass

    def __init__(
        self, backbone: Backbone, config: MaskRCNNConfig, flip_index: Sequence[int], supervise_outside_box: bool = False
    ) -> None:
        super().__init__()
        self.flip_index, self.config = tuple(flip_index), config
        if config.frozen_batch_norm:
            freeze_batch_norm(backbone, config.batch_norm_eps)
        if config.frozen_stages:
            freeze_first_stages(backbone)
        levels = len(backbone.channels)
        self.backbone = Pyramid(backbone, config.pyramid_channels)
        anchors = AnchorGenerator(tuple((side,) for side in config.anchor_sizes), (ASPECTS,) * (levels + 1))
        self.rpn = ProposalNetwork(
            anchors,
            RPNHead(config.pyramid_channels, len(ASPECTS)),
            fg_iou_thresh=0.7,
            bg_iou_thresh=0.3,
            batch_size_per_image=256,
            positive_fraction=0.5,
            pre_nms_top_n=KEPT_BEFORE_NMS,
            post_nms_top_n={"training": config.kept_train, "testing": config.kept_test},
            nms_thresh=0.7,
        )
        self.roi_heads = RegionHeads(config, len(self.flip_index), levels, supervise_outside_box)

    def loss(self, batch: ImageBatch) -> LossTerms:
        """All losses of a padded batch, with weight 1 each; an image without people teaches what background is."""
        canvas = (batch.images.shape[2], batch.images.shape[3])
        pyramid = self.backbone(batch.images)
        number, crowds = (
            index.bincount(minlength=len(batch.images)).tolist()
            for index in (batch.image_index, batch.crowd_image_index)
        )
        split = [values.split(number) for values in (batch.boxes_px, batch.keypoints_px, batch.labelled)]
        people = [ImagePeople(*one) for one in zip(*split, batch.crowds_px.split(crowds), strict=True)]
        sizes = [(int(height), int(width)) for height, width in batch.sizes.tolist()]
        targets = [{"boxes": one.boxes_px, "crowds": one.crowds_px} for one in people]
        with without_autocast(batch.images):
            proposals, of_rpn = self.rpn(ImageList(batch.images, sizes), pyramid, targets)
            heads = self.roi_heads.losses(pyramid, proposals, people, canvas)
        terms = {"objectness": of_rpn["loss_objectness"], "proposal": of_rpn["loss_rpn_box_reg"]}
        return LossTerms(sum(terms.values(), heads.total), {**terms, **heads.terms})

    def view(
        self, image: Float[Tensor, "3 H W"], scale: tuple[float, float] = (1.0, 1.0), flipped: bool = False
    ) -> View:
        """The pyramid of a resized image, ImageNet-normalised, on a canvas of its own."""
        size = (image.shape[1], image.shape[2])
        canvas = on_canvas([image.flip(2) if flipped else image])
        return View(self.backbone(canvas), (canvas.shape[2], canvas.shape[3]), size, scale, flipped)

    def find(self, view: View) -> FoundBoxes:
        """The people of one view in the frame of the *image*, the surest first."""
        sized = ImageList(view.pyramid["0"].new_zeros(1, 3, *view.canvas), [view.size])
        with without_autocast(sized.tensors):
            proposals, _ = self.rpn(sized, view.pyramid)
            (found,) = self.roi_heads.find(view.pyramid, proposals, [view.size])
        return FoundBoxes(view.to_image(found.boxes), found.scores)

    def find_in_all(self, views: Sequence[View]) -> FoundBoxes:
        """The people of several views of one image: all boxes, less those that overlap with a surer one."""
        found = [self.find(view) for view in views]
        boxes, scores = torch.cat([one.boxes for one in found]), torch.cat([one.scores for one in found])
        kept = batched_nms(boxes, scores, torch.zeros_like(scores), self.config.nms_threshold)
        kept = kept[: self.config.boxes_per_image]
        return FoundBoxes(boxes[kept], scores[kept])

    def poses(self, views: Sequence[View], boxes_image: Float[Tensor, "N 4"]) -> PosePrediction:
        """Poses, in [0, 1] of their boxes, as the mean of all views' outputs."""
        if not len(boxes_image):
            count = len(self.flip_index)
            return PosePrediction(boxes_image.new_zeros(0, count, 2), boxes_image.new_zeros(0, count))
        head, outputs = self.roi_heads.keypoint_predictor, []
        flip_order = torch.tensor(self.flip_index, device=boxes_image.device)
        for view in views:
            with without_autocast(boxes_image):
                output = head(self.roi_heads.regions(view.pyramid, [view.to_px(boxes_image)], view.canvas))
            outputs.append(head.unflipped(output, flip_order) if view.flipped else output)
        first = views[0].to_px(boxes_image)
        return head.decode(head.mean(outputs), first[:, 2:] - first[:, :2])

    def slow_parameters(self) -> Sequence[nn.Parameter]:
        """As of `PoseHead`."""
        return self.roi_heads.keypoint_predictor.slow_parameters()


def freeze_batch_norm(module: nn.Module, eps: float | None) -> None:
    """Batch norms inside become affine maps with the statistics and weights that they have; `eps` None: their own."""
    freeze_batch_norm_2d(module)
    if eps is not None:
        for norm in module.modules():
            if isinstance(norm, FrozenBatchNorm2d | FrozenBatchNormAct2d):
                norm.eps = eps


def freeze_first_stages(backbone: Backbone) -> None:
    """The stem and the first stage of a ResNet or an HRNet learn nothing.

    Raises:
        UserError: the backbone has no such parts. By its kind: MobileNetV2's have the same names, and are others.
    """
    if not isinstance(backbone, ResNet | HighResolutionNet):
        raise UserError(f"model.head.frozen_stages 2: {type(backbone).__name__} has no such stages; set 0")
    for name, part in backbone.named_children():
        if name in (*STEM, *FIRST_STAGE):
            part.requires_grad_(False)


def build_end_to_end(config: ExperimentConfig) -> EndToEndModel:
    """The model of a run whose head is Mask R-CNN's, freshly initialised.

    Raises:
        UserError: unknown keypoint set, or parts that do not fit one another.
    """
    head = config.model.head
    if not isinstance(head, MaskRCNNConfig):
        raise TypeError(f"head {head.kind!r} is no Mask R-CNN")
    keypoints = keypoint_set(config.data.keypoint_set)
    backbone = build_backbone(config.model.backbone, (STRIDE, STRIDE))
    if isinstance(backbone, TimmBackbone) and backbone.fixed_size:
        raise UserError(f"timm model {config.model.backbone.name!r} takes images of one size alone: no Mask R-CNN")
    return EndToEndModel(backbone, head, keypoints.flip_index, config.train.supervise_outside_crop)
