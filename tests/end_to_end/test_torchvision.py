"""Weights of torchvision's Keypoint R-CNN in the heatmap variant: the same people, boxes, scores and keypoints."""

import pytest
import torch
from torchvision.models.detection import keypointrcnn_resnet50_fpn

from poseur_lib.checkpoints.initial import initialise
from poseur_lib.models.end_to_end.model import build_end_to_end
from poseur_lib.models.end_to_end.pooling import Regions
from tests.end_to_end.small import small_config

AS_TORCHVISION = {
    "kind": "mask_rcnn", "keypoints": {"kind": "region_heatmap"}, "aligned": False, "sampling_ratio": 2,
    "kept_train": 2000, "score_threshold": 0.0, "boxes_per_image": 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    model = keypointrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, min_size=96, image_mean=[0.0] * 3, image_std=[1.0] * 3,
        box_score_thresh=0.0, box_detections_per_img=10,
    )  # fmt: skip
    with torch.no_grad():  # boxes near their proposals, as trained ones are
        model.roi_heads.box_predictor.bbox_pred.weight.mul_(1e-3)
        model.rpn.head.bbox_pred.weight.mul_(1e-3)
    return model.eval()


@pytest.fixture(scope="module")
def ours(theirs):
    backbone = {"kind": "resnet", "weights": "none"}
    model = build_end_to_end(small_config(**{"model.backbone": backbone, "model.head": AS_TORCHVISION,
                                             "train.supervise_outside_crop": False}))  # fmt: skip
    state = theirs.state_dict()
    assert initialise(model, state).new == (), "every tensor of ours is one of theirs"
    return model.eval()


def test_the_weights_of_its_keypoint_head_give_its_heatmaps(theirs, ours):
    features = torch.randn(3, 256, 14, 14, generator=torch.Generator().manual_seed(1))
    expected = theirs.roi_heads.keypoint_predictor(theirs.roi_heads.keypoint_head(features))
    found = ours.roi_heads.keypoint_head(features)
    given = Regions(found, torch.zeros(3, 4), torch.zeros(3, dtype=torch.long), [], (96, 96))
    torch.testing.assert_close(ours.roi_heads.keypoint_predictor(given), expected)


def test_the_same_people_are_found(theirs, ours):
    image = torch.randn(3, 96, 128, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        (expected,) = theirs([image])
        view = ours.view(image)
        found = ours.find(view)
        poses = ours.poses([view], found.boxes)
    assert len(expected["boxes"]) > 3
    torch.testing.assert_close(found.boxes, expected["boxes"], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(found.scores, expected["scores"])
    sides = found.boxes[:, None, 2:] - found.boxes[:, None, :2]
    points = poses.keypoints * sides + found.boxes[:, None, :2]
    apart = (points - expected["keypoints"][..., :2]).norm(dim=2)
    assert (apart < 0.01).float().mean() > 0.99, "but for ties of two cells"
