"""The minimum detectable effect, against its closed form, and deviations that overrides have made untrue."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce

import pytest

from poseur_lib.config import AugmentConfig, ExperimentConfig
from poseur_study.analysis import power
from poseur_study.analysis.effect import Effect, detectable_effect
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.power import Pilot, PilotDifference, detectable
from poseur_study.analysis.seed_model import Spread
from poseur_study.experiments import tables
from poseur_study.experiments.experiment import EffectKind
from poseur_study.experiments.profile_deviations import SETTINGS_SPOKEN_OF, still_true, without_restored
from poseur_study.experiments.profiles import profile

(TABLE_1B,) = tables(["1b"])
(TABLE_1C,) = tables(["1c"])
(TABLE_1D,) = tables(["1d"])


NORMAL = 1.959964
SPREAD = Spread(
    metric="AP", size=(64, 48), whole_images=False, deviation=0.4, freedom=30, arms=17, trainings=51, bartlett=0.7,
    of_residuals=0.6,
)  # fmt: skip


@pytest.fixture
def pilot(monkeypatch):
    def use(spreads: tuple[Spread, ...], *others: PilotDifference) -> PilotDifference:
        one = PilotDifference(table="1b", claim="1b-gain", rescored=False, images_half=0.6, n_images=500,
                              seeds_deviation=None, n_seeds=3)  # fmt: skip
        rescored = one.with_changes(table="1c", claim="x", rescored=True, images_half=0.1)
        found = Pilot(profile="mini", data="d", recorded_at="2026-01-01T00:00:00+00:00", spreads=spreads, n_seeds=3,
                      differences=(one, rescored, *others))  # fmt: skip
        monkeypatch.setattr(power, "pilot", lambda: found)
        return one

    return use


def test_four_times_the_images_halve_it_and_seeds_add_their_variance(pilot):
    mini = profile("mini")  # 2,000 images, three seeds
    pilot((SPREAD,))
    alone = detectable(TABLE_1B, TABLE_1B.claims[0], mini, 1)
    assert alone.points == pytest.approx(2.8016 * 0.3 / NORMAL, rel=2e-3)  # of the normal distribution
    assert alone.bound and alone.words.startswith("≥") and alone.half == pytest.approx(0.3, rel=2e-3)
    both = detectable(TABLE_1B, TABLE_1B.claims[0], mini)
    seeds, images = 2 * 0.4**2 / 3, (0.3 / NORMAL) ** 2
    freedom = (seeds + images) ** 2 / (seeds**2 / 30 + images**2 / 999)
    assert both.points == pytest.approx(detectable_effect(math.sqrt(seeds + images), freedom), rel=1e-4)
    assert not both.bound


def test_more_seeds_bring_degrees_of_freedom_and_one_brings_a_bound(pilot):
    pilot((SPREAD,))
    mini, claim = profile("mini"), TABLE_1B.claims[0]
    two = detectable(TABLE_1B, claim, mini, 2)
    seeds, images = 2 * 0.4**2 / 2, (0.3 / NORMAL) ** 2
    freedom = (seeds + images) ** 2 / (seeds**2 / 15 + images**2 / 999)
    assert two.n_seeds == 2 and two.points == pytest.approx(detectable_effect(math.sqrt(seeds + images), freedom), 1e-4)
    assert detectable(TABLE_1B, claim, mini, 1).bound


def test_scores_of_the_same_poses_have_their_own_spread(pilot):
    one, claim = pilot((SPREAD,)), TABLE_1C.claims[0]
    own = {"table": "1c", "claim": claim.key, "rescored": True, "images_half": 0.2}
    pilot((SPREAD,), one.with_changes(**own, seeds_deviation=0.0))
    assert detectable(TABLE_1C, claim, profile("mini")).half == pytest.approx(0.1, rel=2e-3)
    pilot((SPREAD,), one.with_changes(**own, seeds_deviation=10.0))
    assert detectable(TABLE_1C, claim, profile("mini")).half == pytest.approx(4.30265 * 10 / math.sqrt(3), rel=1e-3)


def test_a_finished_claim_is_judged_by_its_own_error(pilot):
    pilot((SPREAD,))
    of = {"low": 0.0, "high": 2.0, "images_half": 0.2, "seeds_half": 1.0, "n_seeds": 3, "n_images": 2000}
    found = Effect.of(Estimate(value=1.0, **of), [(2, SPREAD.model_copy(update={"deviation": 2.0}))])
    one = detectable(TABLE_1B, TABLE_1B.claims[0], profile("mini"), 3, found)
    assert one.points == detectable_effect(found.error, found.freedom) and one.words == f"{one.points:.1f}"
    still = Effect.of(Estimate(value=0.0, **{**of, "low": 0.0, "high": 0.0, "images_half": 0.0, "seeds_half": 0.0}))
    assert detectable(TABLE_1B, TABLE_1B.claims[0], profile("mini"), 3, still).words == "not stated"


def test_the_recorded_pilot_has_seeds_of_both_kinds_and_a_date():
    found = power.pilot()
    assert {one.rescored for one in found.differences if one.seeds_deviation is not None} == {True, False}
    sizes = {(one.size, one.whole_images) for one in found.spreads}
    assert sizes == {((64, 48), False), ((32, 32), False), ((16, 16), False), ((64, 48), True)}
    assert found.spread("AP", (64, 48), False).freedom > 2
    recorded = datetime.fromisoformat(found.recorded_at)
    assert found.younger_than(recorded - timedelta(hours=1)) and not found.younger_than(recorded)
    assert not found.younger_than(None)


def test_the_pilot_of_another_table_is_of_the_same_kind(pilot):
    pilot((SPREAD,))
    assert detectable(TABLE_1D, TABLE_1D.claims[0], profile("mini"), 1).half == pytest.approx(0.3, rel=2e-3)
    assert detectable(TABLE_1C, TABLE_1C.claims[0], profile("mini")).half == pytest.approx(0.05, rel=2e-3)


def test_a_plan_has_the_deviation_of_its_size_of_whole_images_and_of_its_metric(pilot):
    small = SPREAD.model_copy(update={"size": (32, 32), "deviation": 2.0, "freedom": 2})
    whole = SPREAD.model_copy(update={"whole_images": True, "deviation": 4.0, "freedom": 4})
    pilot((small, SPREAD, whole))
    assert power.pilot().spread("AP", (32, 32), False) == small
    assert power.pilot().spread("AP", (256, 192), False) == SPREAD  # none of that size: the best known of crops
    assert power.pilot().spread("AP", (256, 192), True) == whole and power.pilot().spread("AR", (64, 48), False) is None
    (table_3,), (table_4,) = tables(["3"]), tables(["4"])
    crops, images = (detectable(one, one.claims[0], profile("mini")).half for one in (TABLE_1B, table_3))
    assert images > 5 * crops
    pckh = next(one for one in table_4.claims if one.metric == "Mean")
    assert detectable(table_4, pckh, profile("mini")).words == "not stated"


def test_an_equivalence_is_held_against_its_margin_with_one_digit(pilot):
    mini, claim = profile("mini"), TABLE_1B.claims[0]
    pilot((SPREAD,))
    for margin, words in ((0.25, "too wide"), (0.5, "narrow enough")):
        same = replace(claim, kind=EffectKind.EQUIVALENCE, margin=margin)
        assert detectable(TABLE_1B, same, mini, 1).words == f"interval ≥ ±0.3 is {words} for the margin of ±{margin:g}"


def test_every_setting_that_a_deviation_speaks_of_is_there():
    for path in {path for paths in SETTINGS_SPOKEN_OF.values() for path in paths}:
        reduce(getattr, path.split("."), ExperimentConfig())


@pytest.mark.parametrize(
    ("path", "gone"),
    [("train.epochs", "Training:"), ("data.input_size", "Input "), ("model.head.noise.groups", "Noisy")],
)
def test_what_was_overridden_is_not_claimed(path, gone):
    lines = profile("mini").deviations
    kept = still_true(lines, {path: 1})
    assert any(line.startswith(gone) for line in lines) and not any(line.startswith(gone) for line in kept)
    assert still_true(lines, {}) == lines


def test_what_every_row_of_a_table_has_as_the_paper_is_no_deviation():
    lines, augment = profile("mini").deviations, AugmentConfig()
    half = {"train.augment.half_body_probability": augment.half_body_probability}
    both = {**half, "train.augment.scale_factor": augment.scale_factor}
    gone = set(lines) - set(without_restored(lines, [both, {**both, "model.head": {"kind": "prtr"}}]))
    assert [line.split(":")[0] for line in gone] == ["Augmentation"]
    for rows in ([], [{}], [half], [both, half], [both, {**both, "train.augment.scale_factor": 0.1}]):
        assert without_restored(lines, rows) == lines
    assert without_restored(lines, [{"model.head.noise.kind": "released"}]) == lines
