"""Multiply-adds of the forward half of a training step, to plan by: those of inference are fewer, or other ones."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.config.heads.mask_rcnn import MaskRCNNConfig
from poseur_lib.costs.torch_flops import multiply_adds_by_part
from poseur_lib.data.whole_images import STRIDE
from poseur_lib.models.end_to_end.model import build_end_to_end
from poseur_lib.models.end_to_end.region_heads import BOX_SIDE, KEYPOINT_SIDE
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.models.poseur.head import PoseurHead

USUAL_ASPECT = 4 / 3


def training_multiply_adds(config: ExperimentConfig) -> tuple[int, int]:
    """Of a person, or of a whole image: all but the loss, and the backbone's. Raises UserError as `cost` does."""
    return _of_crop(config) if config.data.whole_image is None else _of_whole_image(config)


def _of_crop(config: ExperimentConfig) -> tuple[int, int]:
    with torch.device("meta"):
        model = build_without_download(config).eval()
    model.requires_grad_(False)
    by_part = multiply_adds_by_part(_TrainingPass(model), torch.empty(1, 3, *config.data.input_size, device="meta"))
    return by_part.total(), by_part["backbone"]


class _TrainingPass(nn.Module):
    """What a model does for its loss: Poseur's head has its noisy query groups, which inference has not."""

    def __init__(self, model: PoseModel) -> None:
        super().__init__()
        self.backbone, self.head = model.backbone, model.head

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> object:
        features = self.backbone(images)
        if isinstance(self.head, PoseurHead):
            return self.head.forward_stages(features, noisy=True)
        return self.head(features)


def _of_whole_image(config: ExperimentConfig) -> tuple[int, int]:
    """Of an image: all of it, and the backbone's without the pyramid.

    All regions that training takes go through the box head, and its people through the keypoint head's tower. What
    follows the tower is left out: it is a few per cent, and torch's counter knows no deformable attention.
    """
    head, whole = config.model.head, config.data.whole_image
    if not isinstance(head, MaskRCNNConfig) or whole is None:
        raise TypeError(f"head {head.kind!r} is no Mask R-CNN")
    height, width = config.data.input_size
    if whole.scale_jitter is None:
        height, width = max(whole.train_sides), round(max(whole.train_sides) * USUAL_ASPECT)
    people = max(round(head.region_batch * head.region_positive), 1)
    weightless = config.with_changes(**{"model.backbone.weights": "none", "pretext": None})
    with torch.device("meta"), torch.no_grad():
        model = build_end_to_end(weightless).eval()
        images = torch.empty(1, 3, *(-(-side // STRIDE) * STRIDE for side in (height, width)))
        with FlopCounterMode(display=False) as of_body:
            model.backbone.body(images)
        with FlopCounterMode(display=False) as of_all:
            model.rpn.head(list(model.backbone(images).values()))
            model.roi_heads.box_head(torch.empty(head.region_batch, head.pyramid_channels, BOX_SIDE, BOX_SIDE))
            model.roi_heads.keypoint_head(torch.empty(people, head.pyramid_channels, KEYPOINT_SIDE, KEYPOINT_SIDE))
    return of_all.get_total_flops() // 2, of_body.get_total_flops() // 2
