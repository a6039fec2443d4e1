"""Weighted ranking against exhaustive pairs, and against scipy on data that are really repeated."""

import math

import numpy as np
import pytest
from scipy import stats

from poseur_lib.evaluation.calibration import Ranks, auroc, spearman


@pytest.fixture
def sample():
    """Scores with ties, errors with ties, and how often each is there."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 8, 60) / 8, rng.integers(0, 9, 60) / 9, rng.integers(0, 4, 60).astype(float)


def test_auroc_is_the_share_of_pairs_in_order(sample):
    score, error, weights = sample
    hit = error < 0.5
    pairs = [
        (weights[i] * weights[j], (score[i] > score[j]) + 0.5 * (score[i] == score[j]))
        for i in np.flatnonzero(hit)
        for j in np.flatnonzero(~hit)
    ]
    expected = sum(w * v for w, v in pairs) / sum(w for w, _ in pairs)
    assert auroc(Ranks(score), hit, weights) == pytest.approx(expected)
    assert auroc(Ranks(-score), hit, weights) == pytest.approx(1 - expected)


def test_a_perfect_score_has_an_auroc_of_one_and_a_constant_one_a_half():
    hit = np.array([False, False, True, True])
    assert auroc(Ranks(np.array([0.1, 0.2, 0.3, 0.4])), hit, np.ones(4)) == 1
    assert auroc(Ranks(np.full(4, 0.3)), hit, np.ones(4)) == 0.5
    assert math.isnan(auroc(Ranks(np.arange(4.0)), np.ones(4, bool), np.ones(4)))
    assert math.isnan(spearman(Ranks(np.full(4, 0.3)), Ranks(np.arange(4.0)), np.ones(4)))


def test_spearman_is_scipy_s_on_repeated_data(sample):
    score, error, weights = sample
    copies = np.repeat(np.arange(len(score)), weights.astype(int))
    expected = stats.spearmanr(score[copies], error[copies]).statistic
    assert spearman(Ranks(score), Ranks(error), weights) == pytest.approx(expected)
    assert spearman(Ranks(score), Ranks(-score), weights) == pytest.approx(-1)
