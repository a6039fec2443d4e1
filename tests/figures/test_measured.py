"""Bounds of intervals and numbers of seeds, in words."""

from poseur_lib.figures.measured import bounded, seed_words
from poseur_lib.study.estimate import Estimate


def test_an_interval_is_cut_to_what_a_share_can_be():
    wide = Estimate(value=50, low=-20.0, high=120.0, images_half=1, seeds_half=70, n_seeds=2, n_images=9)
    assert (bounded(wide).low, bounded(wide).high, bounded(wide).value) == (0, 100, 50)
    assert f"{bounded(wide.model_copy(update={'low': -0.0})).low:.1f}" == "0.0"
    inside = wide.model_copy(update={"low": 40.0, "high": 60.0})
    assert bounded(inside) == inside


def test_seeds_are_said_row_by_row_only_where_they_differ():
    assert seed_words({"a": 1}) == "1 seed" and seed_words({"a": 3, "b": 3}) == "3 seeds"
    assert seed_words({"a": 3, "b": 1, "c": 3}) == "1 seed (b), 3 seeds (a; c)"
