"""From proposals to losses in training, and to boxes and keypoints at inference."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, smooth_l1_loss
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import box_area

from poseur_lib.config.heads.mask_rcnn import MaskRCNNConfig
from poseur_lib.models.end_to_end.frames import inside, to_box
from poseur_lib.models.end_to_end.keypoint_heads import build_region_head, starting_at_zero
from poseur_lib.models.end_to_end.pooling import RegionPooler, Regions
from poseur_lib.models.pose_model import LossTerms, PoseTargets

BOX_SIDE, KEYPOINT_SIDE = 7, 14
PERSON, IGNORED = 1, -1
CROWD_SHARE = 0.5
Pyramid = Mapping[str, Tensor]


class ImagePeople(NamedTuple):
    """The labelled people of one image in pixels of the resized image; none is fine.

    Attributes:
        boxes_px: (left, top, right, bottom).
        keypoints_px: (x, y), continuous; what is not labelled counts for nothing.
        labelled: whether a keypoint is.
        crowds_px: boxes with people who are not told apart.
    """

    boxes_px: Float[Tensor, "N 4"]
    keypoints_px: Float[Tensor, "N K 2"]
    labelled: Bool[Tensor, "N K"]
    crowds_px: Float[Tensor, "M 4"]


class FoundBoxes(NamedTuple):
    """The people that were found in one image, the surest first; whoever gives them says in which frame."""

    boxes: Float[Tensor, "N 4"]
    scores: Float[Tensor, " N"]


class RegionHeads(RoIHeads):
    """torchvision's box head, with its matching and sampling, and a keypoint head of ours beside it.

    Names of parameters are torchvision's, so that weights of its `keypointrcnn_resnet50_fpn` fit the heatmap head.

    Args:
        config: every knob.
        num_keypoints: K.
        levels: of the pyramid, without the pooled one.
        supervise_outside_box: keypoints outside their box are targets too, where the head can reach them.
    """

    def __init__(self, config: MaskRCNNConfig, num_keypoints: int, levels: int, supervise_outside_box: bool) -> None:
        def pooler(side: int) -> RegionPooler:
            return RegionPooler(levels, side, config.sampling_ratio, config.aligned, config.canonical_side)

        super().__init__(
            box_roi_pool=pooler(BOX_SIDE),
            box_head=TwoMLPHead(config.pyramid_channels * BOX_SIDE**2, config.box_channels),
            box_predictor=FastRCNNPredictor(config.box_channels, 1 + PERSON),
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=config.region_batch,
            positive_fraction=config.region_positive,
            bbox_reg_weights=None,
            score_thresh=config.score_threshold,
            nms_thresh=config.nms_threshold,
            detections_per_img=config.boxes_per_image,
            keypoint_roi_pool=pooler(KEYPOINT_SIDE),
            keypoint_head=tower(config.pyramid_channels, config.tower),
            keypoint_predictor=build_region_head(config, num_keypoints, levels),
        )
        self.box_beta, self.levels, self.supervise_outside_box = config.box_beta, levels, supervise_outside_box

    def regions(self, pyramid: Pyramid, boxes_px: Sequence[Float[Tensor, "_N 4"]], canvas: tuple[int, int]) -> Regions:
        """The boxes of each image as the keypoint head takes them."""
        features = self.keypoint_head(self.keypoint_roi_pool(pyramid, boxes_px))
        number = torch.tensor([len(one) for one in boxes_px], device=features.device)
        image_index = torch.arange(len(boxes_px), device=features.device).repeat_interleave(number)
        maps = [pyramid[str(level)] for level in range(self.levels)]
        return Regions(features, torch.cat(list(boxes_px)), image_index, maps, canvas)

    def losses(
        self,
        pyramid: Pyramid,
        proposals: list[Float[Tensor, "_N 4"]],
        people: Sequence[ImagePeople],
        canvas: tuple[int, int],
    ) -> LossTerms:
        """Classification, boxes, and the keypoint head's terms, all with weight 1.

        The keypoint head sees proposals that are people and have a labelled keypoint inside. A batch without any gives
        it one canvas without targets, so that its terms are 0 and there.
        """
        proposals, matched, labels, regression = self._sampled(proposals, people)
        classes, offsets = self.box_predictor(self.box_head(self.box_roi_pool(pyramid, proposals)))
        terms = box_losses(classes, offsets, torch.cat(labels), torch.cat(regression), self.box_beta)
        chosen = [
            _with_keypoints(*one) for one in zip(proposals, labels, matched, people, strict=True)
        ]  # fmt: skip
        boxes, targets = [one for one, _ in chosen], [one for _, one in chosen]
        points, labelled = (torch.cat(list(parts)) for parts in zip(*targets, strict=True))
        if not len(points):
            height, width = canvas
            boxes[0] = points.new_tensor([[0.0, 0.0, width, height]])
            points = points.new_zeros(1, *points.shape[1:])
            labelled = labelled.new_zeros(1, *labelled.shape[1:])
        supervised = labelled if self.supervise_outside_box else labelled & inside(points, torch.cat(boxes))
        keypoints = PoseTargets(to_box(points, torch.cat(boxes)), supervised)
        of_keypoints = self.keypoint_predictor.loss(self.regions(pyramid, boxes, canvas), keypoints)
        return LossTerms(sum(terms.values(), of_keypoints.total), {**terms, **of_keypoints.terms})

    def _sampled(
        self, proposals: list[Float[Tensor, "_N 4"]], people: Sequence[ImagePeople]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], tuple[Tensor, ...]]:
        """Of each image the proposals to learn from, the people they match, labels, and targets of boxes.

        As torchvision's `select_training_samples`, which knows no crowds.
        """
        boxes = [one.boxes_px for one in people]
        proposals = self.add_gt_proposals(proposals, boxes)
        person = [torch.full((len(one),), PERSON, device=one.device) for one in boxes]
        matched, labels = self.assign_targets_to_proposals(proposals, boxes, person)
        labels = [without_crowds(*one) for one in zip(labels, proposals, (of.crowds_px for of in people), strict=True)]
        chosen = self.subsample(labels)
        proposals, matched, labels = (
            [values[some] for values, some in zip(of, chosen, strict=True)] for of in (proposals, matched, labels)
        )
        nobody = [one if len(one) else one.new_zeros(1, 4) for one in boxes]
        targets = [one[match] for one, match in zip(nobody, matched, strict=True)]
        return proposals, matched, labels, self.box_coder.encode(targets, proposals)

    def find(
        self, pyramid: Pyramid, proposals: list[Float[Tensor, "_N 4"]], sizes: list[tuple[int, int]]
    ) -> list[FoundBoxes]:
        """The people of each image of (height, width), in pixels of the resized image."""
        classes, offsets = self.box_predictor(self.box_head(self.box_roi_pool(pyramid, proposals)))
        boxes, scores, _ = self.postprocess_detections(classes, offsets, proposals, sizes)
        return [FoundBoxes(*one) for one in zip(boxes, scores, strict=True)]


def tower(channels: int, widths: Sequence[int]) -> nn.Sequential:
    """Convolutions 3x3, each with a ReLU."""
    layers: list[nn.Module] = []
    for before, after in zip((channels, *widths), widths, strict=False):
        layers += [starting_at_zero(nn.Conv2d(before, after, 3, padding=1)), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def without_crowds(
    labels: Shaped[Tensor, " N"], boxes: Float[Tensor, "N 4"], crowds: Float[Tensor, "M 4"]
) -> Shaped[Tensor, " N"]:
    """The labels of `boxes`, with -1 (to be ignored) for background that lies in a crowd by half or more.

    As COCO's evaluation ignores what is found there: the overlap is taken of the box's own area.
    """
    low, high = torch.maximum(boxes[:, None, :2], crowds[:, :2]), torch.minimum(boxes[:, None, 2:], crowds[:, 2:])
    covered = (high - low).clamp(min=0).prod(dim=2) >= CROWD_SHARE * box_area(boxes)[:, None]
    return labels.masked_fill(covered.any(dim=1) & (labels == 0), IGNORED)


def box_losses(
    classes: Float[Tensor, "N 2"],
    offsets: Float[Tensor, "N 8"],
    labels: Int[Tensor, " N"],
    regression: Float[Tensor, "N 4"],
    beta: float,
) -> dict[str, Float[Tensor, ""]]:
    """Fast R-CNN's two terms, each over all N proposals, 0 of none; torchvision's has no choice of `beta`."""
    if not len(labels):  # crowds alone
        return {"class": classes.sum(), "box": offsets.sum()}
    people = labels == PERSON
    boxes = smooth_l1_loss(offsets[people, 4 * PERSON :], regression[people], beta=beta, reduction="sum")
    return {"class": cross_entropy(classes, labels), "box": boxes / len(labels)}


def _with_keypoints(
    proposals: Float[Tensor, "N 4"], labels: Int[Tensor, " N"], matched: Int[Tensor, " N"], people: ImagePeople
) -> tuple[Float[Tensor, "M 4"], tuple[Float[Tensor, "M K 2"], Bool[Tensor, "M K"]]]:
    """Proposals that are people with a labelled keypoint inside, and those people's keypoints."""
    foreground = labels > 0
    boxes, of_person = proposals[foreground], matched[foreground]
    points, labelled = people.keypoints_px[of_person], people.labelled[of_person]
    kept = (labelled & inside(points, boxes)).any(dim=1)
    return boxes[kept], (points[kept], labelled[kept])
