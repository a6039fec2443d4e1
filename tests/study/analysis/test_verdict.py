"""Every verdict by the printed rule."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.verdict import TRAINED_HERE, Evidence, Verdict, rule_text, verdict
from poseur_study.experiments.experiment import ClaimTest, EffectKind

PAPER = {Evidence.ARITHMETIC, Evidence.COST, Evidence.RELEASED, Evidence.RETRAINED}
COCO_ONLY = {
    Verdict.REPRODUCED, Verdict.CONTRADICTED, Verdict.WITHIN_MARGIN, Verdict.OUTSIDE_MARGIN, Verdict.INCONCLUSIVE,
}  # fmt: skip


def claim(kind: EffectKind, effect: float | None = 0.6) -> ClaimTest:
    return ClaimTest("key", "A beats B.", "Sec. 0", kind, "a", "b", effect)


def effect(low: float, high: float, n_seeds: int = 3) -> Estimate:
    middle = (low + high) / 2
    return Estimate(
        value=middle, low=low, high=high, images_half=high - middle, seeds_half=None, n_seeds=n_seeds, n_images=5000
    )


@pytest.mark.parametrize(
    ("kind", "low", "high", "on_coco", "on_generated"),
    [
        (EffectKind.DIRECTION, 0.1, 9.0, Verdict.REPRODUCED, Verdict.SAME_DIRECTION),
        (EffectKind.DIRECTION, -0.1, 9.0, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE_GENERATED),
        (EffectKind.DIRECTION, -2.0, -0.1, Verdict.CONTRADICTED, Verdict.OPPOSITE_DIRECTION),
        (EffectKind.MAGNITUDE, 0.1, 1.0, Verdict.REPRODUCED, Verdict.SAME_DIRECTION),
        (EffectKind.MAGNITUDE, 0.7, 2.0, Verdict.CONTRADICTED, Verdict.SAME_DIRECTION),
        (EffectKind.MAGNITUDE, -0.2, 1.0, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE_GENERATED),
        (EffectKind.MAGNITUDE, -0.2, 0.5, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE_GENERATED),
        (EffectKind.MAGNITUDE, -1.0, -0.2, Verdict.CONTRADICTED, Verdict.OPPOSITE_DIRECTION),
        (EffectKind.EQUIVALENCE, -0.2, 0.3, Verdict.WITHIN_MARGIN, Verdict.WITHIN_MARGIN_GENERATED),
        (EffectKind.EQUIVALENCE, -0.2, 0.4, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE_GENERATED),
        (EffectKind.EQUIVALENCE, 0.31, 0.4, Verdict.OUTSIDE_MARGIN, Verdict.OUTSIDE_MARGIN_GENERATED),
    ],
)
def test_the_rule(kind, low, high, on_coco, on_generated):
    assert verdict(claim(kind), effect(low, high), Evidence.RETRAINED, smoke=False) == on_coco
    assert verdict(claim(kind), effect(low, high), Evidence.GENERATED, smoke=False) == on_generated
    on_lsp = verdict(claim(kind), effect(low, high), Evidence.LSP, smoke=False)
    assert on_lsp.short == on_generated.short and on_lsp.value.endswith(", on LSP")


@pytest.mark.parametrize(
    ("kind", "low", "high", "decided"),
    [
        (EffectKind.DIRECTION, 0.1, 9.0, Verdict.REPRODUCED),
        (EffectKind.DIRECTION, -9.0, -0.1, Verdict.CONTRADICTED),
        (EffectKind.MAGNITUDE, 0.1, 1.0, Verdict.REPRODUCED),
        (EffectKind.EQUIVALENCE, -0.2, 0.2, Verdict.WITHIN_MARGIN),
        (EffectKind.EQUIVALENCE, 0.4, 0.9, Verdict.OUTSIDE_MARGIN),
        (EffectKind.EQUIVALENCE, -0.9, -0.4, Verdict.OUTSIDE_MARGIN),
    ],
)
def test_by_holm_no_side_of_a_claim_is_decided_at_six_per_cent(kind, low, high, decided):
    found = [verdict(claim(kind), effect(low, high), Evidence.RETRAINED, smoke=False, p=p) for p in (0.04, 0.06)]
    assert found == [decided, Verdict.INCONCLUSIVE]


@pytest.mark.parametrize(("low", "high"), [(0.7, 2.0), (-0.2, 0.5), (-2.0, -0.1)])
def test_that_an_interval_lacks_the_paper_s_magnitude_is_not_adjusted(low, high):
    of = claim(EffectKind.MAGNITUDE)
    found = {verdict(of, effect(low, high), Evidence.RETRAINED, smoke=False, p=p) for p in (0.04, 0.06)}
    assert found == {Verdict.CONTRADICTED} and not low <= of.paper_effect <= high
    assert verdict(of, effect(0.7, 2.0), Evidence.GENERATED, smoke=False, p=0.06) == Verdict.INCONCLUSIVE_GENERATED


intervals = st.tuples(st.floats(-5, 5), st.floats(-5, 5)).map(sorted)


@given(st.sampled_from(EffectKind), intervals, st.sampled_from(Evidence))
def test_only_evidence_about_the_paper_can_reproduce_or_contradict_it(kind, ends, evidence):
    found = verdict(claim(kind), effect(*ends), evidence, smoke=False)
    assert (found in COCO_ONLY) == (evidence in PAPER)
    assert verdict(claim(kind), effect(*ends), evidence, smoke=True) == Verdict.NO_EVIDENCE
    assert verdict(claim(kind), None, evidence, smoke=True) == Verdict.NOT_RUN


@given(st.sampled_from(EffectKind), intervals, st.sampled_from(Evidence))
def test_trainings_of_one_seed_decide_nothing_and_one_released_checkpoint_may(kind, ends, evidence):
    one = verdict(claim(kind), effect(*ends, n_seeds=1), evidence, smoke=False)
    if evidence in TRAINED_HERE:
        assert one == Verdict.ONE_SEED and "one seed decide nothing" in rule_text(claim(kind))
    else:
        assert one == verdict(claim(kind), effect(*ends), evidence, smoke=False)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("people", [Evidence.RELEASED, Evidence.LSP, Evidence.GENERATED])
def test_as_good_as_is_contradicted_on_its_worse_side_only(side, people):
    as_good = replace(claim(EffectKind.EQUIVALENCE), better_side=side)
    better, worse = (
        verdict(as_good, effect(*sorted((0.4 * sign, 0.9 * sign))), people, smoke=False) for sign in (side, -side)
    )
    assert (better.short, better.colour, better.better) == ("better than claimed", "soft", True)
    assert (worse.short, worse.colour, worse.better) == ("worse than claimed", "bad", False)
    assert verdict(as_good, effect(-0.2, 0.2), people, smoke=False).short == "within the margin"
    assert "better than claimed, and not against it" in rule_text(as_good)
    assert "nothing of a direction" in rule_text(claim(EffectKind.EQUIVALENCE))


@pytest.mark.parametrize("kind", EffectKind)
def test_trainings_unlike_the_paper_s_decide_nothing_of_it_on_coco(kind):
    def found(evidence: Evidence, n_seeds: int = 3) -> Verdict:
        return verdict(claim(kind), effect(0.1, 0.2, n_seeds), evidence, smoke=False, unlike_paper=True)

    assert found(Evidence.RETRAINED) == found(Evidence.RETRAINED, n_seeds=1) == Verdict.UNLIKE_PAPER
    for evidence in (Evidence.RELEASED, Evidence.LSP, Evidence.GENERATED, Evidence.NONE):
        assert found(evidence) == verdict(claim(kind), effect(0.1, 0.2), evidence, smoke=False)


def test_fewer_seeds_than_were_registered_decide_nothing():
    registered = replace(claim(EffectKind.DIRECTION), least_seeds=3)
    found = [verdict(registered, effect(1, 2, n_seeds=n), Evidence.LSP, smoke=False) for n in (1, 2, 3)]
    assert found == [Verdict.ONE_SEED, Verdict.FEW_SEEDS, Verdict.SAME_DIRECTION_LSP]
    assert "fewer than 3 seeds" in rule_text(registered) and found[1].colour == "soft"
    assert verdict(registered, effect(1, 2, n_seeds=2), Evidence.RELEASED, smoke=False) == Verdict.REPRODUCED


def test_the_longest_length_that_all_its_rows_have_decides_alone():
    lengths = (("a", "c"), ("a_long", "c_long"), ("a_longest", "c_longest"))
    of = replace(claim(EffectKind.DIRECTION), least_seeds=3, lengths=lengths)

    def found(seeds: dict[str, int]) -> list[Verdict]:
        each = (replace(of, better=better) for better, _ in lengths)
        return [verdict(one, effect(1, 2), Evidence.LSP, smoke=False, seeds=seeds) for one in each]

    few, decided, longer = Verdict.FEW_SEEDS, Verdict.SAME_DIRECTION_LSP, Verdict.LONGER
    assert found({"a": 3, "c": 2}) == [few, few, few]
    assert found({"a": 3, "c": 3, "a_long": 3}) == [decided, few, few]
    assert found({"a": 3, "c": 3, "a_long": 3, "c_long": 3, "a_longest": 3}) == [longer, decided, few]
    assert "all 2 methods" in rule_text(of) and longer.colour == "soft"
    assert verdict(of, effect(1, 2), Evidence.RELEASED, smoke=False) == Verdict.REPRODUCED


def test_every_outcome_has_its_colour():
    colours = {verdict: verdict.colour for verdict in Verdict}
    assert [one.name for one, colour in colours.items() if colour == "good"] == [
        "REPRODUCED", "WITHIN_MARGIN", "SAME_DIRECTION_LSP", "WITHIN_MARGIN_LSP", "SAME_DIRECTION",
        "WITHIN_MARGIN_GENERATED",
    ]  # fmt: skip
    assert [one.name for one, colour in colours.items() if colour == "bad"] == [
        "CONTRADICTED", "OUTSIDE_MARGIN", "OUTSIDE_WORSE", "OPPOSITE_DIRECTION_LSP", "OUTSIDE_MARGIN_LSP",
        "OUTSIDE_WORSE_LSP", "OPPOSITE_DIRECTION", "OUTSIDE_MARGIN_GENERATED", "OUTSIDE_WORSE_GENERATED",
    ]  # fmt: skip
    assert {colours[one] for one in (Verdict.INCONCLUSIVE, Verdict.NOT_RUN, Verdict.ONE_SEED)} == {"soft"}


def test_the_rule_is_printed_with_its_numbers():
    assert "+0.6" in rule_text(claim(EffectKind.MAGNITUDE))
    assert "±0.3" in rule_text(claim(EffectKind.EQUIVALENCE))
    assert "AP 0.3 or less" in rule_text(claim(EffectKind.EQUIVALENCE))
    assert "or less" not in rule_text(replace(claim(EffectKind.EQUIVALENCE), measured="a share, points"))


@pytest.mark.parametrize("kind", EffectKind)
def test_the_rule_says_among_which_claims_p_is_adjusted(kind):
    assert "adjusted by Holm for all of them, is" in rule_text(claim(kind))
    apart = replace(claim(kind), family="primary")
    assert "adjusted by Holm for the claims of its family (primary), is" in rule_text(apart)


def test_a_magnitude_without_a_figure_is_an_error():
    with pytest.raises(ValueError, match="needs the paper's effect"):
        claim(EffectKind.MAGNITUDE, None)


def test_real_people_of_another_data_set_stand_between_generated_people_and_coco():
    order = list(Evidence)
    assert order.index(Evidence.RETRAINED) < order.index(Evidence.LSP) < order.index(Evidence.GENERATED)
