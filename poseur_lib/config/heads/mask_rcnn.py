"""Knobs of Mask R-CNN with a keypoint head, which finds the people itself (Sec. 4.3)."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from poseur_lib.config.backbone import Positive
from poseur_lib.config.base import Frozen
from poseur_lib.config.heads.base import HeadKnobs
from poseur_lib.config.heads.poseur import PoseurConfig
from poseur_lib.config.heads.regression import RegressionConfig

Share = Annotated[float, Field(gt=0, lt=1)]


class RegionHeatmapConfig(Frozen):
    """Mask R-CNN's own keypoint head: heatmaps of 56 x 56 cells over the box, by cross-entropy. Nothing to choose."""

    kind: Literal["region_heatmap"] = "region_heatmap"


RegionKeypoints = Annotated[RegionHeatmapConfig | RegressionConfig | PoseurConfig, Field(discriminator="kind")]


class MaskRCNNConfig(HeadKnobs):
    """Everything of Mask R-CNN after the backbone. Defaults: Detectron2's keypoint baseline, R-101-FPN, 3x schedule.

    Its people are those of whole images (`data.whole_image`); its "crop" is a box.

    Attributes:
        keypoints: the keypoint head. "region_heatmap": Detectron2's. "regression": RLE's FC layer, flow and loss.
            "poseur": that FC layer's output is the coarse proposal, and the query decoder attends to the pyramid of the
            whole image.
        queries_per_image: "We randomly sample 600 queries per image" (Sec. 4.3) in training, of Poseur's decoder alone.
            Here: whole people, as many as fit (35 of 17 keypoints); noisy query groups stand beside them uncounted.
        pyramid_channels: of the feature pyramid.
        anchor_sizes: sides of the anchors in pixels, one a level, the finest first, and one for the pooled level.
        canonical_side: in pixels; a box as large is pooled from the third level, one half as large from the second.
        tower: channels of the convolutions between pooled region and keypoint head ("stacked 8 convolutional layers").
        box_channels: width of the box head's two layers.
        kept_train, kept_test: proposals that are left of an image after non-maximum suppression.
        region_batch, region_positive: proposals of an image that the box head learns from, and the largest share of
            people among them.
        box_beta: where the smooth L1 loss of boxes turns from square to straight.
        aligned: regions are pooled with the half pixel's shift of ROIAlignV2; False: as torchvision's own models.
        sampling_ratio: samples a cell and axis when regions are pooled; 0: as many as pixels.
        score_threshold, nms_threshold, boxes_per_image: which boxes are kept at inference.
        frozen_batch_norm: batch norms keep the statistics and weights that they start with.
        batch_norm_eps: of frozen ones; None: each layer's own. torchvision's own models were trained with 0.
        frozen_stages: 2: the stem and res2 keep their weights (HRNet: the stem and its first stage); 0: none do.
    """

    kind: Literal["mask_rcnn"] = "mask_rcnn"
    keypoints: RegionKeypoints = PoseurConfig()
    queries_per_image: Positive = 600
    pyramid_channels: Positive = 256
    anchor_sizes: tuple[Positive, ...] = (32, 64, 128, 256, 512)
    canonical_side: Positive = 224
    tower: tuple[Positive, ...] = (512,) * 8
    box_channels: Positive = 1024
    kept_train: Positive = 1500
    kept_test: Positive = 1000
    region_batch: Positive = 512
    region_positive: Share = 0.25
    box_beta: Annotated[float, Field(gt=0)] = 0.5
    aligned: bool = True
    sampling_ratio: Annotated[int, Field(ge=0, le=16)] = 0
    score_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.05
    nms_threshold: Share = 0.5
    boxes_per_image: Positive = 100
    frozen_batch_norm: bool = True
    batch_norm_eps: Annotated[float, Field(ge=0, lt=1)] | None = None
    frozen_stages: Literal[0, 2] = 2

    @model_validator(mode="after")
    def _keypoints_belong_to_boxes(self) -> "MaskRCNNConfig":
        if not self.tower:
            raise ValueError("head.tower () has no convolution: the keypoint head needs at least one")
        match self.keypoints:
            case RegressionConfig(loss="l1"):
                raise ValueError("head.keypoints.loss 'l1': a person's score needs sigma, which 'rle' learns")
            case RegressionConfig(flip_shift=True):
                raise ValueError("head.keypoints.flip_shift True: boxes have no last pixel; set False")
            case PoseurConfig(initial_points="learned"):
                raise ValueError("head.keypoints.initial_points 'learned': a box tells its person by the FC proposal")
            case PoseurConfig(neck="deconvolution"):
                raise ValueError("head.keypoints.neck 'deconvolution': the pyramid has its levels already")
            case PoseurConfig(coarse_features="backbone"):
                raise ValueError("head.keypoints.coarse_features 'backbone': a box is pooled from the pyramid alone")
            case PoseurConfig(flip_fusion="type1" | "type2" as fusion):
                raise ValueError(
                    f"head.keypoints.flip_fusion {fusion!r}: the flip test of whole images takes means, set 'mean'"
                )
        return self

    @property
    def confined_to_crop(self) -> str:
        """Heatmaps cover the box; the coordinates of the others may lie anywhere in the image."""
        if isinstance(self.keypoints, RegionHeatmapConfig):
            return "head.keypoints 'region_heatmap' places keypoints on cells of the box"
        return ""

    def check_maps(self, backbone: str, strides: Sequence[int], has_finest: bool) -> None:
        """A pyramid needs several maps, and an anchor size for each and for one more."""
        if len(strides) < 2:
            raise ValueError(
                f"backbone {backbone} gives one map of stride {strides[0]}: a feature pyramid needs several"
            )
        if len(self.anchor_sizes) != len(strides) + 1:
            raise ValueError(
                f"head.anchor_sizes {self.anchor_sizes}: backbone {backbone} has {len(strides)} maps, which needs"
                f" {len(strides) + 1} sizes, the last one for the pooled level"
            )

    @property
    def method(self) -> str:
        """What run ids are named after: the keypoint head is what tells the runs apart."""
        return f"{self.kind}_{self.keypoints.kind.removeprefix('region_')}"
