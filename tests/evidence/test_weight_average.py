"""Whether an average of weights makes seeds differ less: paired variances, against the test that they are equal."""

import numpy as np
import pytest
from scipy import stats

from poseur_study.evidence.evidence import Origin, SeedScores, WeightAverage


def record(last: np.ndarray, average: np.ndarray) -> WeightAverage:
    scores = [SeedScores(seed=seed, last=a, average=b) for seed, (a, b) in enumerate(zip(last, average, strict=True))]
    return WeightAverage(origin=Origin.now(), run="made", decay=0.99, steps=10, scores=tuple(scores))


@pytest.mark.parametrize("seed", range(12))
def test_the_interval_of_the_ratio_has_one_in_it_just_where_pitman_and_morgan_find_nothing(seed):
    """Two variances are equal just where sum and difference are uncorrelated (Pitman 1939)."""
    generator = np.random.default_rng(seed)
    last = generator.normal(40, 1, 6)
    average = 40 + (0.2 + 0.1 * seed) * (last - 40) + generator.normal(0, 0.2, 6)
    ratio, low, high = record(last, average).ratio()
    p = stats.pearsonr(last + average, last - average).pvalue
    assert low < ratio < high and (low < 1 < high) == (p > 0.05)
    assert ratio == pytest.approx(np.std(average, ddof=1) / np.std(last, ddof=1))


def test_the_gain_is_that_of_the_same_trainings():
    found = record(np.array([40.0, 41, 39]), np.array([40.5, 41.5, 39.8]))
    gain, low, high = found.gain()
    test = stats.ttest_1samp([0.5, 0.5, 0.8], 0).confidence_interval()
    assert (gain, low, high) == pytest.approx((0.6, test.low, test.high))
    assert found.deviations() == pytest.approx((1.0, np.std([40.5, 41.5, 39.8], ddof=1)))


@pytest.mark.parametrize(
    ("share", "noise", "said"),
    [(0.05, 0.2, "does halve"), (1.0, 0.1, "does not halve"), (0.4, 3.0, "may or may not halve")],
)
def test_what_is_said_follows_the_interval_of_the_ratio(share, noise, said):
    last = np.array([38.0, 41.5, 39.2, 40.7, 40.1, 37.9])
    own = np.array([0.3, -0.2, 0.1, 0.25, -0.3, -0.15])
    found = record(last, 40 + share * (last - 40) + noise * own)
    assert found.text().startswith(f"**It {said} it.**")
