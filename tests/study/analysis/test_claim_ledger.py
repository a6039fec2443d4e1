"""The ledger's effects: what could be found and since when that is known, what counts once, what was fixed late."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.analysis.claim_ledger import (
    ADJUSTED_SINCE,
    AFTER_RUNS,
    HOLM_AFTER_RUNS,
    MODEL_AFTER_RUNS,
    LedgerEntry,
    effect_entries,
)
from poseur_study.analysis.effect import Effect, holm, p_value
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.ledger_by_claim import by_claim, combined, counted_words, distinct
from poseur_study.analysis.power import pilot
from poseur_study.analysis.result_types import ClaimResult, RowResult, TableResult
from poseur_study.analysis.seed_model import Spread
from poseur_study.analysis.verdict import Evidence, Verdict
from poseur_study.experiments import TABLES, tables
from poseur_study.experiments.analyses import RESCALED_CLAIM, SMALL_RADIUS_CLAIM
from poseur_study.experiments.experiment import Table
from poseur_study.experiments.profiles import profile

RECORDED = datetime.fromisoformat(pilot().recorded_at)
HOUR = timedelta(hours=1)
SPREAD = Spread(
    metric="AP", size=(64, 48), whole_images=False, deviation=0.5, freedom=30, arms=17, trainings=51, bartlett=0.7,
    of_residuals=0.6,
)  # fmt: skip
SAME, OPPOSITE, OPEN = Verdict.SAME_DIRECTION, Verdict.OPPOSITE_DIRECTION, Verdict.INCONCLUSIVE_GENERATED


def said(began: datetime | None) -> str:
    return effect_entries(tables(["1b"]), {}, profile("mini"), lambda table: began)[0].minimum_detectable_effect


def test_what_could_be_found_is_dated_by_the_runs():
    stated = said(None)
    assert said(RECORDED + HOUR) == said(RECORDED) == stated and "after" not in stated
    assert said(RECORDED - HOUR) == f"{stated}, stated on {pilot().recorded_at[:10]}, after some of the runs"


def result(table: Table, values: Mapping[str, tuple[float, Verdict]], devices: Mapping[str, str] = {}) -> TableResult:
    """Of the claims that are named, with effects of one standard error and what they have come to."""
    claims = []
    for test in table.claims:
        effect, verdict = None, Verdict.NOT_RUN
        if test.key in values:
            value, verdict = values[test.key]
            own = {"low": -1.0, "high": 1.0, "images_half": 0.2, "seeds_half": 1.0, "n_seeds": 3, "n_images": 2000}
            effect = Effect.of(Estimate(value=value, **own), [(2, SPREAD)])
        said = {name: getattr(test, name) for name in ("key", "text", "source", "metric", "paper_effect", "of", "rows")}
        claims.append(ClaimResult(**said, kind=test.kind, difference=test.key, effect=effect, verdict=verdict, rule=""))
    rows = [
        RowResult(key=row.key, label=row.label, ticks=row.ticks, paper_ap=None, paper_source=None, ap=None, cells=(),
                  status="done", run_ids=(), computed_on=tuple(filter(None, [devices.get(row.key)])))
        for row in table.rows
    ]  # fmt: skip
    return TableResult(
        number=table.number, title=table.title, profile="mini", notebook=table.notebook, evidence=Evidence.GENERATED,
        boxes=BoxSource.DETECTOR, rows=tuple(rows), claims=tuple(claims), seeds=(0, 1, 2), data_name="mini",
        data_fingerprint="d", n_images=2000,
    )  # fmt: skip


def entries(numbers: str, values: Mapping[str, Mapping[str, tuple[float, Verdict]]], **more) -> list[LedgerEntry]:
    found = tables(numbers.split())
    results = {one.number: result(one, values[one.number], **more) for one in found if one.number in values}
    return list(effect_entries(found, results, profile("mini")))


OF_2A = "resnet50-over-simba-and-hrnet: poseur_resnet50 over simba_resnet50"
OF_FIGURE = "better-with-all-backbones: 2a/poseur_resnet50 over 2a/simba_resnet50"
OF_5 = ("over-simba: poseur_resnet50 over simba_resnet50", "over-rle: poseur_resnet50 over rle_resnet50",
        "better-at-same-backbone: poseur_resnet50 over simba_resnet50")  # fmt: skip


@pytest.fixture(scope="module")
def shared() -> list[LedgerEntry]:
    """Tables that have pairs in common: five lines of three effects."""
    values = {"2a": {OF_2A: (6.2, SAME)}, "figure_1": {OF_FIGURE: (6.2, SAME)}}
    values["5"] = {OF_5[0]: (0.9, SAME), OF_5[1]: (1.0, OPEN), OF_5[2]: (0.9, SAME)}
    return entries("1b 2a 5 figure_1", values)


def test_an_effect_that_several_claims_and_tables_ask_for_counts_once(shared):
    measured = [one for one in shared if one.value is not None]
    of = {one.key: one.effect for one in measured}
    assert of[f"2a: {OF_2A}"] == of[f"figure_1: {OF_FIGURE}"] and of[f"5: {OF_5[0]}"] == of[f"5: {OF_5[2]}"]
    assert len(of) == 5 and len(set(of.values())) == 3
    once = [one for one in distinct(shared) if one.value is not None]
    assert [one.table for one in once] == ["2a", "5", "5"]
    assert counted_words(one.verdict for one in once) == "2 same direction, 1 inconclusive"


def test_p_of_the_whole_study_is_holm_s_over_distinct_effects(shared):
    """Of three effects: the smallest p three times, the next twice, the largest once."""
    test = tables(["1b"])[0].claims[0]
    own = {"low": 0.0, "high": 0.0, "images_half": 0.2, "seeds_half": 1.0, "n_seeds": 3, "n_images": 2000}
    p = [p_value(test, Effect.of(Estimate(value=value, **own), [(2, SPREAD)])) for value in (6.2, 0.9, 1.0)]
    found = {one.effect: one.p_study for one in shared if one.value is not None}
    assert list(found.values()) == pytest.approx([3 * p[0], max(2 * p[2], p[1]), 2 * p[2]]) == holm(p)
    assert {one.p_study for one in shared if one.value is None} == {None}


def test_a_claim_that_was_tested_in_part_says_so(shared):
    of = by_claim(shared)
    assert of.loc["better-with-all-backbones", "verdict"] == "same direction in 1 of 9, 8 not run"
    assert tuple(of.loc["better-with-all-backbones", ["tests", "measured", "same direction", "not run"]]) == (
        9,
        1,
        1,
        8,
    )
    assert of.loc["over-simba", "verdict"] == SAME.value and of.loc["noise-gain", "verdict"] == "not run"
    assert (of["tests"] == of["measured"] + of["not run"]).all() and of["measured"].sum() >= 3


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ([SAME, SAME], SAME.value),
        ([Verdict.NOT_RUN, SAME, Verdict.NOT_RUN, Verdict.NOT_RUN], "same direction in 1 of 4, 3 not run"),
        ([OPEN, SAME, SAME], "same direction in 2 of 3, 1 inconclusive"),
        ([OPEN, OPPOSITE, Verdict.NOT_RUN], "opposite direction in 1 of 3, 1 inconclusive, 1 not run"),
    ],
)
def test_several_tests_have_one_verdict(verdicts, words):
    assert combined(verdicts) == words


def test_what_was_fixed_after_the_runs_names_tests_that_there_are_and_marks_them():
    keys = {f"{table.number}: {claim.key}" for table in TABLES for claim in table.claims}
    assert set(AFTER_RUNS) <= keys
    trend = "levels-values: trend over 4 rows"
    lines = entries("1b 1d", {"1b": {"1b-gain": (1.0, SAME)}, "1d": {trend: (6.0, SAME)}})
    marked = {one.key: one.after_runs for one in lines if one.after_runs}
    assert marked == {"1b: 1b-gain": MODEL_AFTER_RUNS, f"1d: {trend}": f"the test was added; {MODEL_AFTER_RUNS}"}


@pytest.mark.parametrize(("began", "late"), [(ADJUSTED_SINCE - timedelta(days=1), True), (ADJUSTED_SINCE, False)])
def test_that_claims_are_adjusted_together_is_marked_where_runs_began_before(began, late):
    (table,) = tables(["1d"])
    two = {claim.key: (1.0, SAME) for claim in table.claims[:2]}
    (one, other) = (entry for entry in effect_entries([table], {"1d": result(table, two)}, profile("mini"),
                                                      lambda table: began) if entry.value)  # fmt: skip
    assert (HOLM_AFTER_RUNS in one.after_runs) == (HOLM_AFTER_RUNS in other.after_runs) == late


def test_a_modification_of_our_own_is_no_test_of_the_paper_s_claim():
    within, outside = Verdict.WITHIN_MARGIN_GENERATED, Verdict.OUTSIDE_MARGIN_GENERATED
    own = {RESCALED_CLAIM: (0.8, within), SMALL_RADIUS_CLAIM: (0.0, within)}
    flow = {"laplace-comparable: laplace over flow": (8.1, outside)}
    found = entries("1c calibration scoring", {"1c": flow, "scoring": own})
    assert {one.key for one in found if one.own} == {f"scoring: {RESCALED_CLAIM}", f"scoring: {SMALL_RADIUS_CLAIM}"}
    of = by_claim(found)
    assert tuple(of.loc["laplace-comparable", ["tests", "verdict"]]) == (1, outside.value)
    assert tuple(of.loc["score-is-probability", ["tests", "verdict"]]) == (1, "not run")
    assert "scoring" not in "".join(of["where"]).lower()


def test_a_text_that_its_table_contradicts_is_noted_beside_the_effect():
    of = {one.key: one.note for one in entries("1b 3", {})}
    said = "The text has +1.9, the figures printed of these rows +2.6."
    assert of["3: over-mask-rcnn: poseur_resnet101 over mask_rcnn_resnet101"] == said and not of["1b: 1b-gain"]


def test_a_test_that_can_only_come_out_as_claimed_says_so():
    (line,) = entries("figure_s1", {})
    assert line.note.startswith("It cannot come out against the claim")


def test_what_devices_differ_by_is_held_against_the_margin_of_an_equivalence():
    emsda = "emsda-as-good: emsda over msda"
    (mixed,) = entries("S4", {"S4": {emsda: (0.1, OPEN)}}, devices={"msda": "a GPU", "emsda": "a processor"})
    assert "by 0.15 on average. That is 49 % of this claim's margin of ±0.3." in mixed.note
    (alike,) = entries("S4", {"S4": {emsda: (0.1, OPEN)}}, devices={"msda": "a GPU", "emsda": "a GPU"})
    assert alike.note == ""


def test_runs_of_code_that_no_commit_holds_are_named():
    (table,), claim = tables(["S4"]), "emsda-as-good: emsda over msda"
    made = result(table, {claim: (0.1, OPEN)})
    made = made.model_copy(update={"rows": tuple(
        row.model_copy(update={"uncommitted": 2 * (row.key == "msda")}) for row in made.rows)})  # fmt: skip
    (line,) = effect_entries([table], {"S4": made}, profile("mini"))
    assert line.note == f"Runs made with uncommitted changes to the code: 2 of {table.row('msda').label}."


def test_the_seeds_of_profile_mini_share_the_pretraining_that_its_intervals_are_conditional_on():
    mini, midi = profile("mini"), profile("midi")
    assert mini.experiment(0).pretext == mini.experiment(1).pretext != midi.experiment(1).pretext
    assert midi.experiment(0).pretext != midi.experiment(1).pretext
