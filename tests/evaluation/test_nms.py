"""OKS-NMS on people whose overlap is known."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from poseur_lib.evaluation.nms import oks_nms, pair_oks
from poseur_lib.keypoints import COCO_17
from poseur_study.parity.evaluation import soft_oks_nms

SIGMAS = COCO_17.oks_sigmas
POSE = np.random.default_rng(0).uniform(0, 100, (17, 2))


def test_the_better_scored_of_two_alike_stays():
    poses = np.stack([POSE, POSE + 1, POSE + 300])
    scores, areas = np.array([0.3, 0.9, 0.5]), np.full(3, 2e4)
    assert oks_nms(poses, scores, areas, SIGMAS).tolist() == [1, 2]
    assert soft_oks_nms(poses, scores, areas, SIGMAS).tolist() == [1, 2, 0]


def test_overlap_is_symmetric_and_one_for_the_same_pose():
    areas = np.array([2e4, 1e4])
    forth = pair_oks(POSE, 2e4, np.stack([POSE, POSE + 5]), areas, SIGMAS)
    back = pair_oks(POSE + 5, 1e4, POSE[None], areas[:1], SIGMAS)
    assert forth[0] == 1 and forth[1] == back[0] < 1


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.floats(0.05, 0.95))
@settings(max_examples=40, deadline=None)
def test_what_is_kept_does_not_overlap_and_what_is_dropped_does(seed, people, threshold):
    rng = np.random.default_rng(seed)
    poses = POSE + rng.uniform(0, 60, (people, 1, 2))
    scores, areas = rng.permutation(people) / 20, rng.uniform(5e3, 3e4, people)
    kept = oks_nms(poses, scores, areas, SIGMAS, threshold).tolist()
    assert kept == sorted(kept, key=lambda one: -scores[one])
    for one in range(people):
        better = [other for other in kept if scores[other] > scores[one]]
        overlap = pair_oks(poses[one], float(areas[one]), poses[better], areas[better], SIGMAS)
        assert (one in kept) == bool((overlap <= threshold).all())
    soft = soft_oks_nms(poses, scores, areas, SIGMAS, threshold).tolist()
    assert sorted(soft) == list(range(people))


def test_soft_nms_keeps_twenty():
    poses, rng = np.repeat(POSE[None], 30, axis=0), np.random.default_rng(0)
    assert len(soft_oks_nms(poses, rng.random(30), np.full(30, 1e4), SIGMAS)) == 20
