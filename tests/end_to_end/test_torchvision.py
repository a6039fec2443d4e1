"""Weights of torchvision's Keypoint R-CNN in the heatmap variant: the same people, boxes, scores and keypoints."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torchvision.models.detection import keypointrcnn_resnet50_fpn

from poseur_lib.checkpoints.initial import initial_config, initialise
from poseur_lib.checkpoints.released_load import load_network_with_changes
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.images import read_image
from poseur_lib.errors import UserError
from poseur_lib.evaluation.whole_images import find_people
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.end_to_end.model import build_end_to_end
from poseur_lib.models.end_to_end.pooling import Regions
from poseur_lib.runtime import Runtime
from tests.end_to_end.small import small_config, write_images

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


@pytest.fixture(scope="module")
def released(theirs, tmp_path_factory):
    """The model as torchvision builds it for its released weights, and a file of them.

    Its batch norms have no eps, which the small variances tell.
    """
    model = deepcopy(theirs)
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):  # untrained ones are not frozen yet
            norm.eps = 0.0
            norm.running_var.fill_(1e-4)
            norm.weight.data.fill_(1e-2)
    model.transform.image_mean, model.transform.image_std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    file = tmp_path_factory.mktemp("torchvision") / "keypointrcnn.pth"
    torch.save(model.state_dict(), file)
    return model, file


def test_a_file_of_its_weights_predicts_what_it_does_in_the_frame_of_annotation_files(released, tmp_path):
    theirs, file = released
    small = {"data.whole_image.test_sides": [96], "model.head.score_threshold": 0.0, "model.head.boxes_per_image": 10}
    model, config = load_network_with_changes(file, small)
    people = CocoPeople(write_images(tmp_path / "people", [[]], (96, 128)), "val", COCO_17)
    image = read_image(people.image_folder / "1.png")
    with torch.no_grad():
        (expected,) = theirs([torch.from_numpy(image).permute(2, 0, 1) / 255])
    found = find_people(model, people, config, Runtime(data=people.image_folder, device="cpu", threads=1))
    assert len(expected["boxes"]) == len(found.bbox_scores) == 10
    np.testing.assert_allclose(found.bbox_scores, expected["scores"], atol=1e-5)
    apart = np.linalg.norm(found.keypoints_image() - expected["keypoints"][..., :2].numpy(), axis=2)
    assert (apart < 0.01).mean() > 0.99, "but for ties of two cells"


def test_a_run_that_starts_from_its_file_has_its_configuration(released):
    config = initial_config(released[1])
    assert (config.model.head.aligned, config.model.head.batch_norm_eps) == (False, 0.0)
    assert config.data.whole_image.pixel_centre == 0.0 and config.evaluation.instance_score == "box"


def test_what_is_of_crops_is_refused_of_its_file(released):
    for asked, said in (
        ({"data.input_size": [256, 192]}, "--test-sides"),
        ({"model.head.score_radius": 0.1}, "region_h"),
    ):
        with pytest.raises(UserError, match=said):
            load_network_with_changes(released[1], asked)


def test_a_file_that_lacks_a_part_of_it_is_named(released, tmp_path):
    state = {name: value for name, value in torch.load(released[1]).items() if "fpn" not in name}
    torch.save(state, tmp_path / "cut.pth")
    with pytest.raises(UserError, match=r"cut\.pth: .*16 missing: backbone\.fpn\."):
        load_network_with_changes(tmp_path / "cut.pth", {})
