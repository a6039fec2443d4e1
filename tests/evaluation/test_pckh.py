"""PCKh: closed cases, HRNet's arithmetic written out again, and prediction files that others have published.

The published ones are not part of this repository: `POSEUR_MPII_PREDICTIONS=DIR`, or `data/mpii_predictions`, names a
folder with `preds/reference/` of github.com/anibali/eval-mpii-pose and `evaluation/data/detections_our_format.mat` of
github.com/bearpaw/pytorch-pose anywhere below it.
"""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from poseur_lib.evaluation.pckh import HEAD_SHARE, THRESHOLDS, head_sizes, joint_hits
from poseur_lib.keypoints import MPII_16

NAMES, PEOPLE = MPII_16.names, 2958
COUNTED = [index for index, name in enumerate(NAMES) if name not in ("pelvis", "thorax")]
HEAD = np.array([[10.0, 10.0, 40.0, 50.0]])  # diagonal 50, so a head's length is 30
TARGETS = {  # weighted mean, "@0.1" as 0.10 and as 0.11
    "tompson.h5": (82.34, 28.97, 33.14),
    "newell.h5": (88.43, 21.59, 25.44),
    "bearpaw-hg_s8_b1.mat": (89.09, 24.49, 28.90),
}


def score(shift, labelled=None, joints=range(16), head=HEAD):
    """PCKh of one person whose given joints are predicted `shift` pixels beside their labels."""
    truth = np.random.default_rng(0).uniform(0, 300, (1, 16, 2))
    moved = truth.copy()
    moved[:, list(joints), 0] += shift
    labelled = np.ones((1, 16), bool) if labelled is None else labelled
    return joint_hits(moved, truth, labelled, head, NAMES).metrics(NAMES)


def test_the_head_is_six_tenths_of_the_box_s_diagonal():
    assert HEAD_SHARE == 0.6 and head_sizes(HEAD) == pytest.approx([30])


@pytest.mark.parametrize(
    ("shift", "expected"),
    [(0, (100, 100, 100)), (2.9, (100,) * 3), (3.2, (100, 0, 100)), (14.9, (100, 0, 0)), (15.1, (0,) * 3)],
)
def test_each_threshold_is_its_share_of_a_head(shift, expected):
    assert score(shift).weighted == expected and score(shift).unweighted == expected


def test_a_joint_at_the_threshold_is_hit():
    whole = np.zeros((1, 16, 2))
    at = whole + np.array([15.0, 0.0])
    assert joint_hits(at, whole, np.ones((1, 16), bool), HEAD, NAMES).metrics(NAMES).weighted[0] == 100


def test_pelvis_and_thorax_count_for_nothing():
    assert (NAMES[6], NAMES[7]) == ("pelvis", "thorax")
    assert score(1000, joints=(6, 7)).weighted[0] == 100
    assert score(1000, joints=(5,)).weighted[0] == pytest.approx(100 * 13 / 14)


def test_the_two_means_differ_where_joints_are_not_labelled_alike():
    """Ten people; the right ankle is labelled of one of them alone, and missed: 1 of 131 joints, or 1 of 14 kinds."""
    truth = np.zeros((10, 16, 2))
    found, labelled = truth.copy(), np.ones((10, 16), bool)
    labelled[1:, 0], found[0, 0] = False, 1000
    metrics = joint_hits(found, truth, labelled, HEAD.repeat(10, 0), NAMES).metrics(NAMES)
    assert metrics.weighted[0] == pytest.approx(100 * 130 / 131)
    assert metrics.unweighted[0] == pytest.approx(100 * 13 / 14)
    assert metrics.of_groups == {"Head": 100, "Shoulder": 100, "Elbow": 100, "Wrist": 100, "Hip": 100, "Knee": 100,
                                 "Ankle": 50}  # fmt: skip


def test_weights_are_resamples():
    rng = np.random.default_rng(0)
    truth, labelled = rng.uniform(0, 200, (30, 16, 2)), rng.random((30, 16)) < 0.8
    found, heads = truth + rng.normal(0, 15, truth.shape), np.repeat(HEAD, 30, axis=0)
    of_image = rng.integers(0, 10, 30)
    hits = joint_hits(found, truth, labelled, heads, NAMES, of_image, 10)
    counts = np.array([3, 0, 1, 1, 0, 2, 1, 1, 0, 1])
    drawn = np.repeat(np.arange(30), counts[of_image])
    again = joint_hits(found[drawn], truth[drawn], labelled[drawn], heads[drawn], NAMES).metrics(NAMES)
    assert hits.weighted(counts[None])[0] == pytest.approx(again.weighted[0])


def test_an_empty_head_box_is_an_error():
    with pytest.raises(ValueError, match="person 0: head box"):
        score(0, head=np.array([[5.0, 5.0, 5.0, 5.0]]))


def hrnet(found, truth, missing, heads):
    """HRNet's arithmetic, from its description: predictions counted from 0, everything else as in gt_valid.mat."""
    visible = 1 - missing
    error = np.linalg.norm(found.transpose(1, 2, 0) + 1 - truth, axis=1) / (
        0.6 * np.linalg.norm(heads[1] - heads[0], axis=0)
    )
    count = np.ma.array(visible.sum(1), mask=False)
    count.mask[6:8] = True
    return [
        float((100.0 * ((error <= limit) * visible).sum(1) / visible.sum(1) * (count / count.sum())).sum())
        for limit in (0.5, 0.01 * 10, 0.01 * 11)
    ]


def test_counting_from_0_is_hrnet_s_counting_from_1():
    rng = np.random.default_rng(1)
    truth, missing = rng.uniform(1, 400, (16, 2, 40)), (rng.random((16, 40)) < 0.2).astype(int)
    found = truth.transpose(2, 0, 1) - 1 + rng.normal(0, 8, (40, 16, 2))
    corner = rng.uniform(1, 300, (2, 40))
    heads = np.stack([corner, corner + rng.uniform(20, 90, (2, 40))])
    ours = joint_hits(
        found, truth.transpose(2, 0, 1) - 1, missing.T == 0, heads.transpose(2, 0, 1).reshape(40, 4) - 1, NAMES
    )
    assert ours.metrics(NAMES).weighted == pytest.approx(hrnet(found, truth, missing, heads))
    assert THRESHOLDS == (0.5, 0.10, 0.11)


@pytest.fixture(scope="module")
def published():
    """Files by name."""
    default = Path(__file__).resolve().parents[2] / "data" / "mpii_predictions"
    folder = Path(os.environ.get("POSEUR_MPII_PREDICTIONS", default))
    files = {path.name: path for path in folder.rglob("*.[mh][a5]*")}
    if absent := {"detections_our_format.mat", *TARGETS} - set(files):
        pytest.skip(f"needs published prediction files in {folder}, see the head of this file: {sorted(absent)}")
    return files


def dataset_of(path):
    """The one contiguous array of an HDF5 file: its layout message holds version 3, class 1, address and size."""
    content = path.read_bytes()
    for item in ("<f8", "<f4"):
        size = PEOPLE * 16 * 2 * np.dtype(item).itemsize
        place = content.find(struct.pack("<Q", size))
        while place >= 10 and content[place - 10 : place - 8] != b"\x03\x01":
            place = content.find(struct.pack("<Q", size), place + 1)
        if place >= 0:
            (address,) = struct.unpack("<Q", content[place - 8 : place])
            return np.frombuffer(content[address : address + size], item)
    raise AssertionError(f"{path}: no array of {PEOPLE} people")


@pytest.mark.parametrize("name", TARGETS)
def test_published_predictions_have_the_published_pckh(published, name):
    truth = loadmat(published["detections_our_format.mat"])
    if name.endswith(".mat"):
        found = loadmat(published[name])["preds"]
    elif name == "tompson.h5":  # 2 x 16 x N, as Matlab writes it
        found = dataset_of(published[name]).reshape(2, 16, PEOPLE).transpose(2, 1, 0)
    else:
        found = dataset_of(published[name]).reshape(PEOPLE, 16, 2)
    heads = truth["headboxes_src"].transpose(2, 0, 1).reshape(PEOPLE, 4)
    labelled = truth["jnt_missing"].T == 0
    hits = joint_hits(found, truth["pos_gt_src"].transpose(2, 0, 1), labelled, heads, NAMES)
    assert tuple(round(value, 2) for value in hits.metrics(NAMES).weighted) == TARGETS[name]
    if name == "bearpaw-hg_s8_b1.mat":
        assert round(hits.metrics(NAMES).unweighted[0], 2) == 88.64  # the same file, the other mean
