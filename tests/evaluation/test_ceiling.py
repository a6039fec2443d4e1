"""The codec's ceiling on 46 people of COCO and on a random crowd."""

import numpy as np
import pytest
import torch

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig, PRTRConfig
from poseur_lib.data.coco import CocoPeople, labels_of
from poseur_lib.errors import UserError
from poseur_lib.evaluation.ceiling import (
    CODECS,
    ceiling_table,
    codec_ceiling,
    decoded_ground_truth,
    head_ceiling,
)
from poseur_lib.evaluation.metrics import evaluate_coco, to_coco_results
from poseur_lib.evaluation.oks import keypoint_similarity
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.baselines.prtr import PRTRHead
from poseur_study.cli.main import main
from poseur_study.experiments.methods import method_changes
from tests.models.small import small_head
from tests.training.tiny import write_people


@pytest.fixture(scope="module")
def people(coco_tiny):
    return CocoPeople(coco_tiny, "val", COCO_17)


@pytest.mark.parametrize("size", [(64, 48), (256, 192)])
def test_regression_loses_nothing(people, size):
    assert codec_ceiling(people, "regression", size).AP == pytest.approx(100)


@pytest.mark.parametrize(
    ("size", "expected"), [((64, 48), 60.0), ((96, 72), 79.4), ((128, 96), 91.0), ((256, 192), 99.1)]
)
def test_whole_cells_cost_much_at_small_inputs(people, size, expected):
    assert codec_ceiling(people, "quarter", size).AP == pytest.approx(expected, abs=0.1)


def test_order_of_the_codecs(people):
    (row,) = ceiling_table(people, [(64, 48)]).to_dict("records")
    assert row["input"] == "64x48"
    assert row["quarter"] < row["quarter-exact"] < row["dark"] < row["udp-dark"] <= row["regression"]
    assert row["udp-offset"] > 99 and row["integral"] > 98


def test_scores_that_follow_the_oks_lift_the_ap_of_the_same_poses(people):
    """Why a trained method may pass its bound, in which everybody has one score."""
    labelled = people.people()
    found = decoded_ground_truth(labelled, *CODECS["quarter"], (64, 48))
    truth, visibility, area = labels_of(labelled)
    similarity = keypoint_similarity(found.keypoints_image(), truth, area, COCO_17.oks_sigmas)
    counted = visibility > 0
    oks = (similarity * counted).sum(1) / np.maximum(counted.sum(1), 1)
    results = to_coco_results(found, oks.astype(np.float32), category_id=people.category_id)
    assert evaluate_coco(people.coco, results, COCO_17).AP > codec_ceiling(people, "quarter", (64, 48)).AP + 3


def test_errors_are_those_of_the_cells(people):
    """Cells of 4 crop pixels: no keypoint of the crop moves further than half a cell, in image pixels."""
    labelled = people.people()
    found = decoded_ground_truth(labelled, *CODECS["quarter"], (64, 48))
    for position, person in enumerate(labelled):
        start, side = found.center[position] - found.box_scale[position] * 100, found.box_scale[position] * 200
        cells = (person.keypoints_image - start) / side * [12, 16]
        counted = (person.visibility > 0) & ((cells >= 0) & (cells <= [11.4, 15.4])).all(1)
        moved = (found.keypoints_image()[position] - person.keypoints_image) / side * [12, 16]
        assert np.abs(moved[counted]).max(initial=0) <= 0.5 + 1e-3
    assert np.array_equal(found.bbox_scores, np.ones(46))


def test_generated_like_people_without_shared_data(tmp_path):
    root = write_people(tmp_path / "data", train=1, val=6)
    people = CocoPeople(root, "val", COCO_17)
    table = ceiling_table(people, [(32, 24), (256, 192)], ["quarter", "udp-dark", "regression"])
    assert list(table["regression"]) == [100, 100]
    assert table["quarter"][0] < 90 < table["quarter"][1]


def test_bad_sizes_are_named(people):
    with pytest.raises(UserError, match="input size 64x50: heatmaps need multiples of 4"):
        codec_ceiling(people, "quarter", (64, 50))


def test_command(coco_tiny, tmp_path, capsys):
    assert main(["ceiling", str(coco_tiny), "--size", "64x48", "--csv", str(tmp_path / "c.csv")]) == 0
    out = capsys.readouterr().out
    assert "46 people (val split)" in out and "64x48" in out
    assert (tmp_path / "c.csv").read_text().startswith("input,quarter,")
    assert main(["ceiling", str(tmp_path / "absent")]) == 1
    assert "no such data set folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "backbone", "codec"),
    [
        ("SimpleBaseline", "ResNet-50", "quarter"),
        ("UDP-Pose", "HRNet-W32", "udp-offset"),
        ("TransPose", "H-A6", "dark"),
        ("TokenPose", "B", "dark"),
        ("Integral", "ResNet-101", "integral"),
        ("RLE", "ResNet-50", "regression"),
        ("Poseur", "ResNet-50", "regression"),
    ],
)
def test_a_heads_ceiling_is_that_of_its_codec(people, method, backbone, codec):
    """Without asking which head it is; at a size that all of these models take."""
    changes = method_changes(method, backbone, (32, 96))
    with torch.device("meta"):
        head = build_without_download(ExperimentConfig().with_changes(**changes)).head
    assert head_ceiling(people, head, (32, 96)) == codec_ceiling(people, codec, (32, 96))


def test_a_sigmoid_does_not_leave_the_crop():
    points, inside = torch.tensor([[[-0.2, 0.3], [0.5, 1.4]]]), torch.tensor([[[0.0, 0.3], [0.5, 1.0]]])
    for head in (PRTRHead(PRTRConfig(encoder_layers=1, decoder_layers=1), 17, (8,)), small_head(output_branch="paper")):
        assert torch.equal(head.round_trip(points, (64, 48)), inside)
    assert torch.equal(small_head().round_trip(points, (64, 48)), points)
