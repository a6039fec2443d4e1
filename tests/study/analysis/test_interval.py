"""Intervals over images and seeds, against closed forms."""

import math

import numpy as np
import pytest

from poseur_study.analysis.interval import CUT, Estimate, Sample, bounded, cut_note, estimate, student_half_width


def test_student_interval_of_three_seeds():
    # t(0.975, 2) = 4.30265; s = 1, n = 3
    assert student_half_width([1.0, 2.0, 3.0]) == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)


def test_one_seed_has_the_bootstrap_interval_and_no_spread_of_seeds():
    draws = np.arange(1001) / 100  # quantiles 0.25 and 9.75
    found = estimate([Sample(5.0, draws)], 300)
    assert (found.low, found.high) == pytest.approx((0.25, 9.75))
    assert found.seeds_half is None and found.images_half == pytest.approx(4.75)


def test_seeds_and_images_add_in_quadrature():
    found = estimate([Sample(value, np.full(100, value)) for value in (1.0, 2.0, 3.0)], 300)
    assert found.value == 2.0 and found.images_half == 0.0
    assert found.high - 2.0 == pytest.approx(found.seeds_half)
    spread = [Sample(value, np.linspace(value - 1, value + 1, 2001)) for value in (1.0, 2.0, 3.0)]
    both = estimate(spread, 300)
    assert both.high - 2.0 == pytest.approx(math.hypot(0.95, both.seeds_half), rel=1e-3)


def test_seeds_share_their_resamples():
    up, down = np.linspace(-1, 1, 201), np.linspace(1, -1, 201)
    assert estimate([Sample(0.0, up), Sample(0.0, down)], 300).images_half == pytest.approx(0.0, abs=1e-12)


def test_nothing_to_estimate():
    assert estimate([], 300) is None
    assert estimate([Sample(math.nan, np.full(10, math.nan))], 300) is None


def test_an_interval_is_cut_to_what_a_share_can_be():
    wide = Estimate(value=50, low=-20.0, high=120.0, images_half=1, seeds_half=70, n_seeds=2, n_images=9)
    assert (bounded(wide).low, bounded(wide).high, bounded(wide).value) == (0, 100, 50)
    assert f"{bounded(wide.model_copy(update={'low': -0.0})).low:.1f}" == "0.0"
    inside = wide.model_copy(update={"low": 40.0, "high": 60.0})
    assert bounded(inside) == inside
    assert bounded(None) is None
    assert cut_note([None, inside]) == "" and cut_note([inside, wide]) == f" {CUT}"
