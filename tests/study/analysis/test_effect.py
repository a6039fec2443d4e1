"""The seed model, the interval of an effect, p, Holm's adjustment and power, against closed forms and statsmodels.

What is said to be of statsmodels was computed once by statsmodels 0.15.0, which is not installed for this.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.analysis.effect import Effect, detectable_effect, holm, p_value
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.seed_model import Spread, arm_of, pooled, trainings
from poseur_study.analysis.verdict import Evidence, Verdict, verdict, within
from poseur_study.experiments.experiment import ClaimTest, EffectKind
from poseur_study.experiments.profiles import profile
from poseur_study.runs.store import RunStore

MINI = Path(__file__).resolve().parents[3] / "runs" / "mini"
SPREAD = Spread(
    metric="AP", size=(64, 48), whole_images=False, deviation=0.5, freedom=30, arms=17, trainings=51, bartlett=0.7,
    of_residuals=0.6,
)  # fmt: skip


def estimate(value: float, images_half: float = 0.2, seeds_half: float | None = 1.0, n_seeds: int = 3) -> Estimate:
    return Estimate(value=value, low=value - 1, high=value + 1, images_half=images_half, seeds_half=seeds_half,
                    n_seeds=n_seeds, n_images=2000)  # fmt: skip


def claim(kind: EffectKind = EffectKind.DIRECTION, margin: float = 0.3) -> ClaimTest:
    return ClaimTest("key", "A beats B.", "Sec. 0", kind, "a", "b", 0.6, margin=margin)


def runs(values: np.ndarray, device: str = "d") -> pd.DataFrame:
    """Arms by seeds."""
    lines = [(f"{device}{arm}", seed, device, one) for arm, of in enumerate(values) for seed, one in enumerate(of)]
    made = pd.DataFrame(lines, columns=["arm", "seed", "device", "AP"])
    return made.assign(size=[(64, 48)] * len(made), whole_images=False, epochs=3, people_per_epoch=0)


def test_a_balanced_table_is_the_analysis_of_variance_with_two_factors():
    y = np.random.default_rng(0).normal(40, 1, (5, 3)) + np.array([0.0, 3.0, -2.0])
    residual = y - y.mean(1, keepdims=True) - y.mean(0) + y.mean()
    found = pooled(runs(y), "AP")
    assert (found.freedom, found.arms, found.trainings) == (8, 5, 15)
    assert found.deviation == pytest.approx(math.sqrt((residual**2).sum() / 8))


def test_two_rows_alone_have_the_deviation_of_their_paired_differences():
    y = np.random.default_rng(1).normal(40, 1, (2, 4))
    found = pooled(runs(y), "AP")
    assert found.freedom == 3 and found.deviation == pytest.approx(np.std(y[0] - y[1], ddof=1) / math.sqrt(2))


def test_devices_are_blocks_and_what_was_trained_on_two_of_them_does_not_count():
    y, shifted = np.random.default_rng(2).normal(40, 1, (2, 4, 3))
    both = pooled(pd.concat([runs(y, "cpu"), runs(shifted + 100, "gpu")]), "AP")
    alone = [pooled(runs(y), "AP"), pooled(runs(shifted), "AP")]
    assert both.freedom == 12
    assert both.deviation**2 == pytest.approx(np.mean([one.deviation**2 for one in alone]))
    mixed = runs(y).assign(arm="x", device=["cpu", "gpu"] * 6)
    assert pooled(pd.concat([runs(y), mixed]), "AP") == pooled(runs(y), "AP")


def test_missing_seeds_cost_degrees_of_freedom_and_nothing_left_is_none():
    y = np.random.default_rng(3).normal(40, 1, (4, 3))
    assert pooled(runs(y).drop(index=[0]), "AP").freedom == 5
    assert pooled(runs(y[:1]), "AP") is None and pooled(runs(y[:, :1]), "AP") is None


def test_arms_that_do_not_spread_alike_are_told():
    y = np.random.default_rng(4).normal(40, 1, (2, 40)) * np.array([[1.0], [20.0]])
    assert pooled(runs(y), "AP").unequal and not SPREAD.unequal


def test_unequal_arms_of_three_seeds_are_found_and_equal_ones_seldom_told_apart():
    """17 arms as in profile mini; by Levene's test about the medians not one of these tables is found."""
    draws = np.random.default_rng(0).normal(size=(120, 17, 3))
    wide = np.where(np.arange(17) < 8, 3.0, 1.0)[:, None]
    found = [[pooled(runs(arms), "AP").unequal for arms in tables] for tables in (draws * wide, draws)]
    assert np.mean(found[0]) > 0.5 and np.mean(found[1]) < 0.1


UNIT = np.array([-1.0, 0.0, 1.0])


def test_the_test_of_equal_arms_is_bartlett_s():
    """By hand, of variances 1 and 4 with 2 degrees of freedom each: 4 ln 2.5 − 2 ln 4 over 1.25, one degree."""
    p = math.erfc(math.sqrt((4 * math.log(2.5) - 2 * math.log(4)) / 1.25 / 2))
    found = pooled(runs(np.array([UNIT, 2 * UNIT])), "AP")
    assert found.bartlett == pytest.approx(p) and found.of_residuals == 1  # two arms' residuals mirror one another
    single = runs(np.array([[1.0], [5.0]]), "alone")
    assert pooled(pd.concat([runs(np.array([UNIT, 2 * UNIT])), single]), "AP").bartlett == pytest.approx(p)
    noisy = np.random.default_rng(5).normal(size=(17, 3)) * np.where(np.arange(17) < 8, 6.0, 1.0)[:, None]
    shaken = runs(noisy + np.array([0.0, 30.0, -30.0]))  # what all arms of a seed share hides how they differ
    assert pooled(shaken, "AP").bartlett > 0.05 > pooled(shaken, "AP").of_residuals


def test_an_arm_that_is_alone_on_its_device_or_ends_at_one_number_has_no_part():
    y = np.random.default_rng(6).normal(40, 1, (3, 3))
    alone, still = runs(np.array([[10.0, 20.0, 30.0]]), "other"), runs(np.zeros((1, 3))).assign(arm="still")
    assert pooled(pd.concat([runs(y), alone, still]), "AP") == pooled(runs(y), "AP")
    assert pooled(pd.concat([alone, still]), "AP") is None
    own = pooled(pd.concat([alone, still]), "AP", seed_is_factor=False)
    assert (own.deviation, own.freedom, own.arms) == (pytest.approx(10), 2, 1) and not own.unequal
    assert pooled(still, "AP", seed_is_factor=False) is None


def test_seeds_are_of_one_arm_where_each_has_a_pretraining_of_its_own():
    midi = profile("midi")
    first, second = (midi.experiment(seed) for seed in (0, 1))
    assert first.pretext != second.pretext and arm_of(first) == arm_of(second)
    assert arm_of(first) != arm_of(first.with_changes(**{"train.epochs": 7}))


def test_the_committed_runs_have_the_deviation_that_statsmodels_gives():
    """OLS of AP on C(arm) + C(device and seed): root of ssr / df_resid."""
    every = trainings(RunStore(MINI), "7adba307a1f5b976", BoxSource.DETECTOR)
    found = pooled(every[~every["whole_images"] & every["size"].isin([(64, 48)])], "AP")
    assert found.freedom == 34 and found.deviation == pytest.approx(0.7176934954274983, rel=1e-9)
    assert (found.bartlett, found.of_residuals) == pytest.approx((0.005, 0.002), abs=0.0005) and found.unequal
    assert pooled(every[every["whole_images"]], "AP").bartlett == pytest.approx(0.26, abs=0.01)
    lengths = set(zip(every["whole_images"], every["epochs"], every["people_per_epoch"], strict=True))
    assert lengths == {(False, 3, 0), (True, 3, 1536)}


def test_what_a_seed_has_in_common_is_as_small_as_the_pages_say():
    """Table 1b's page, and the model's docstring: the component of seeds, of a balanced table's mean squares."""
    every = trainings(RunStore(MINI), "7adba307a1f5b976", BoxSource.DETECTOR)
    crops = every[~every["whole_images"] & every["size"].isin([(64, 48)])]
    crops = crops[crops.groupby("arm")["device"].transform("nunique").eq(1)]
    y = crops[crops["device"].str.startswith("AMD")].pivot_table("AP", "arm", "seed").to_numpy()
    residual = (y - y.mean(1, keepdims=True) - y.mean(0) + y.mean()) ** 2
    within, seeds = residual.sum() / (len(y) - 1) / 2, len(y) * ((y.mean(0) - y.mean()) ** 2).sum() / 2
    assert (round(within, 2), round((seeds - within) / len(y), 2)) == (0.69, -0.04)


def test_the_interval_of_a_difference_has_both_variances_and_pooled_degrees_of_freedom():
    found = Effect.of(estimate(2.0, images_half=0.0), [(2, SPREAD)])
    half = 2.042272 * 0.5 * math.sqrt(2 / 3)  # t(0.975, 30)
    assert (found.low, found.high, found.freedom) == pytest.approx((2 - half, 2 + half, 30), rel=1e-5)
    both = Effect.of(estimate(2.0, images_half=1.959964 * 0.3), [(2, SPREAD)])
    seeds, images = 2 * 0.5**2 / 3, 0.3**2
    assert both.error == pytest.approx(math.sqrt(seeds + images), rel=1e-6)
    assert both.freedom == pytest.approx((seeds + images) ** 2 / (seeds**2 / 30 + images**2 / 999), rel=1e-5)
    assert both.earlier == estimate(2.0, images_half=1.959964 * 0.3)


def test_rows_of_two_sizes_bring_the_variance_of_each():
    small = SPREAD.model_copy(update={"size": (16, 16), "deviation": 0.1, "freedom": 2})
    found = Effect.of(estimate(2.0, images_half=0.0), [(2, SPREAD), (2, small)])
    large, little = 2 * 0.5**2 / 3, 2 * 0.1**2 / 3
    assert found.error == pytest.approx(math.sqrt(large + little)) and found.spreads == (SPREAD, small)
    assert found.freedom == pytest.approx((large + little) ** 2 / (large**2 / 30 + little**2 / 2))


def test_of_what_is_one_number_nothing_is_said_of_what_it_could_have_found():
    still = Effect.of(estimate(0.0, images_half=0.0, seeds_half=0.0))
    assert still.low == still.high == 0 and still.detectable is None


def test_an_effect_of_its_own_seeds_keeps_their_interval():
    found = Effect.of(estimate(2.0, images_half=0.0, seeds_half=0.7))
    assert "seeds of its own" in found.in_short and "pooled" in Effect.of(estimate(2.0), [(2, SPREAD)]).in_short
    assert (found.low, found.high, found.freedom) == pytest.approx((1.3, 2.7, 2))
    one_seed = Effect.of(estimate(2.0, seeds_half=None, n_seeds=1))
    assert one_seed.seeds_half is None and one_seed.high == pytest.approx(2.2, abs=1e-3)


effects = st.builds(estimate, st.floats(-2, 2), st.floats(0.01, 1), st.floats(0.01, 1)).map(Effect.of)


@given(effects, st.sampled_from(EffectKind))
def test_p_is_below_five_per_cent_where_the_interval_decides(effect, kind):
    p = p_value(claim(kind), effect)
    if kind == EffectKind.EQUIVALENCE:
        decides = within(0.3, effect) is not None
    else:
        decides = effect.low > 0 or effect.high < 0
    assert (p < 0.05) == decides or p == pytest.approx(0.05, abs=1e-6)


def test_holm_as_statsmodels_has_it():
    """multipletests(..., method="holm")."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.2]) == [0.2] and holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(p):
    adjusted = holm(p)
    assert all(one <= new <= min(1, len(p) * one) for one, new in zip(p, adjusted, strict=True))
    assert [adjusted[place] for place in np.argsort(p, kind="stable")] == sorted(adjusted)


def test_an_interval_that_chance_explains_among_many_claims_decides_nothing():
    effect = Effect.of(estimate(2.0, images_half=0.0), [(2, SPREAD)])
    assert verdict(claim(), effect, Evidence.GENERATED, smoke=False, p=0.01) == Verdict.SAME_DIRECTION
    assert verdict(claim(), effect, Evidence.GENERATED, smoke=False, p=0.06) == Verdict.INCONCLUSIVE_GENERATED
    same = claim(EffectKind.EQUIVALENCE)
    assert verdict(same, effect, Evidence.GENERATED, smoke=False, p=0.06) == Verdict.INCONCLUSIVE_GENERATED


@pytest.mark.parametrize("value", [-2.0, 2.0])
def test_a_failed_equivalence_has_no_direction(value):
    effect = Effect.of(estimate(value), [(2, SPREAD)])
    found = verdict(claim(EffectKind.EQUIVALENCE), effect, Evidence.GENERATED, smoke=False)
    assert found == Verdict.OUTSIDE_MARGIN_GENERATED


@pytest.mark.parametrize(
    ("error", "freedom", "expected"),
    [
        (1 / math.sqrt(10), 9, 0.9960019107624178),  # TTestPower().solve_power(nobs=10, alpha=0.05, power=0.8)
        (math.sqrt(2 / 20), 38, 0.9091290410935777),  # TTestIndPower().solve_power(nobs1=20, alpha=0.05, power=0.8)
    ],
)
def test_the_detectable_effect_is_that_of_statsmodels(error, freedom, expected):
    assert detectable_effect(error, freedom) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "spreads", [(), (SPREAD,), (SPREAD, SPREAD.model_copy(update={"deviation": 2.0, "freedom": 4}))]
)
def test_more_seeds_shrink_the_seeds_part_alone_of_what_is_detectable(spreads):
    weighted = [(2, spread) for spread in spreads]
    effect = Effect.of(estimate(0.0), weighted)
    assert effect.detectable_with(3) == pytest.approx(effect.detectable)
    found = [effect.detectable_with(n) for n in (2, 3, 5, 10, 10**6)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(Effect.of(estimate(0.0, seeds_half=None)).detectable, rel=1e-3)
    if len(spreads) == 1:
        more = [(2, spreads[0].model_copy(update={"freedom": spreads[0].freedom * 9 // 2}))]
        assert found[3] == pytest.approx(Effect.of(estimate(0.0, n_seeds=10), more).detectable)
    assert effect.detectable_with(1) is None and Effect.of(estimate(0.0, seeds_half=None)).detectable_with(3) is None
    assert Effect.of(estimate(0.0, images_half=0.0, seeds_half=0.0)).detectable_with(3) is None


def test_what_is_detectable_is_found_in_eighty_per_cent_of_studies():
    generator, freedom = np.random.default_rng(0), 4
    effect = detectable_effect(1.0, freedom)
    error = np.sqrt(generator.chisquare(freedom, 200_000) / freedom)
    found = np.abs(effect + generator.normal(size=200_000)) / error > 2.776445
    assert found.mean() == pytest.approx(0.8, abs=0.005)


def test_a_trend_is_the_rise_of_the_line_and_weighs_distinct_trainings():
    rows = ("a", "b", "c", "d")
    one = replace(claim(), better="d", than="a", trend=rows)
    x, y = np.arange(4), np.array([30.2, 30.9, 33.5, 36.6])
    assert sum(weight * value for weight, value in zip(one.weights.values(), y, strict=True)) == pytest.approx(
        3 * np.polyfit(x, y, 1)[0]
    )
    assert one.rows == rows and sum(one.seeds_weights(str).values()) == pytest.approx(9 / 5)
    assert claim().seeds_weights(str) == {"a": 1, "b": 1} and claim().seeds_weights(lambda key: "same") == {}
    assert replace(claim(), beyond=("c", "d")).weights == {"a": 1, "b": -1, "c": -1, "d": 1}
    with pytest.raises(ValueError, match="is not from b to a"):
        replace(claim(), trend=("a", "b"))
