"""Claims of tables without a notebook: decided where other tables' runs are all that they need."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.analysis import table_results
from poseur_study.analysis.claim_ledger import effect_entries, level_entries
from poseur_study.analysis.effect import holm, p_value
from poseur_study.analysis.interval import Sample
from poseur_study.analysis.result_types import ON_BOTH, TableResult
from poseur_study.analysis.table_data import TableData
from poseur_study.analysis.table_results import collect_unexecuted
from poseur_study.analysis.verdict import Evidence, Verdict
from poseur_study.experiments import tables
from poseur_study.experiments.experiment import QUOTED, ClaimTest, EffectKind
from poseur_study.experiments.profiles import profile
from poseur_study.runs.store import RunStore, runs_of
from poseur_study.table_study.answer import verdicts_frame

MINI = RunStore(Path(__file__).resolve().parents[3] / "runs" / "mini")
FROM_OTHERS = {"2a": [4.7, 6.2, -3.3], "5": [6.3, 5.9, 6.3, 5.9], "figure_1": [4.7, 6.2]}


@pytest.fixture
def unresampled(monkeypatch):
    """A metric is its record's, and no image is resampled."""

    def sample(data: TableData, row_key: str, seed: int, metric: str) -> Sample:
        value = getattr(data.store.record(data.runs[row_key, seed].run_id).of(data.boxes), metric)
        return Sample(value, np.full(20, value))

    monkeypatch.setattr(TableData, "sample", sample)


def collected(number: str) -> TableResult | None:
    (table,) = tables([number])
    return collect_unexecuted(profile("mini"), table, runs_of(MINI))


@pytest.mark.parametrize("number", FROM_OTHERS)
def test_a_claim_that_has_all_its_runs_is_decided(number, unresampled):
    result = collected(number)
    decided = [one for one in result.claims if one.effect]
    assert [round(one.effect.value, 1) for one in decided] == pytest.approx(FROM_OTHERS[number], abs=0.051)
    told = {one.verdict for one in decided if "mobilenet" not in one.key}
    assert told == {Verdict.SAME_DIRECTION} and result.boxes == BoxSource.DETECTOR
    assert {one.verdict for one in result.claims if not one.effect} == {Verdict.NOT_RUN}
    assert result.n_images == 2000 and result.seeds == (0, 1, 2)


def test_two_claims_that_ask_the_same_count_once_among_a_table_s(unresampled):
    tests, (simba, rle, *again) = {one.key: one for one in tables(["5"])[0].claims}, [
        one for one in collected("5").claims if one.effect
    ]  # fmt: skip
    assert [one.p for one in (simba, rle)] == holm([p_value(tests[one.key], one.effect) for one in (simba, rle)])
    assert [one.p for one in again] == [simba.p, rle.p]


def test_claims_that_are_a_family_of_their_own_are_adjusted_apart(unresampled):
    (table,) = tables(["5"])
    simba = next(one.key for one in collected("5").claims if one.effect)
    apart = tuple(replace(one, family="own") if one.key == simba else one for one in table.claims)
    result = collect_unexecuted(profile("mini"), replace(table, claims=apart), runs_of(MINI))
    tests, found = {one.key: one for one in apart}, {one.key: one for one in result.claims}
    assert found[simba].p == p_value(tests[simba], found[simba].effect)


def test_on_coco_there_is_no_verdict_by_trainings_unlike_the_paper_s_nor_on_figures_of_others(unresampled, monkeypatch):
    monkeypatch.setattr(TableData, "evidence", Evidence.RETRAINED)
    monkeypatch.setattr(table_results, "replace", lambda table, columns: replace(table, columns=("AP",)))
    (table,), mini = tables(["5"]), profile("mini")
    rows = [replace(row, unlike_paper="Unlike." * (row.key == "simba_resnet50")) for row in table.rows]
    table = replace(table, rows=tuple(rows))
    result = collect_unexecuted(mini, table, runs_of(MINI))
    verdicts = {one.key: one.verdict for one in result.claims}
    assert verdicts["over-simba: poseur_resnet50 over simba_resnet50"] == Verdict.UNLIKE_PAPER
    assert verdicts["over-rle: poseur_resnet50 over rle_resnet50"] != Verdict.UNLIKE_PAPER
    assert "Unlike." in verdicts_frame(table, result, mini).attrs["note"]
    lines = {one.key: (one.verdict, one.note) for one in level_entries([table], {"5": result}, mini)}
    of = "5: AP of {}_resnet50, COCO / MPII retrained".format
    assert lines[of("poseur")] == (Verdict.CONTRADICTED, "")
    assert lines[of("simba")] == (Verdict.UNLIKE_PAPER, "Unlike.")
    assert lines[of("rle")] == (Verdict.UNLIKE_PAPER, QUOTED)
    noted = {one.key: one.note for one in effect_entries([table], {"5": result}, mini)}
    assert "Unlike." in noted["5: over-simba: poseur_resnet50 over simba_resnet50"]


def test_a_primary_claim_on_budgets_waits_for_the_methods_that_it_does_not_compare(unresampled):
    """Mini has no run of SimpleBaseline with DARK."""
    (table,) = tables(["budget"])

    def primary(claims: tuple[ClaimTest, ...]) -> set[Verdict]:
        result = collect_unexecuted(profile("mini"), replace(table, claims=claims), runs_of(MINI))
        (simba, rle) = (one for one in result.claims if one.effect)
        assert simba.effect.n_seeds == rle.effect.n_seeds == 3
        return {simba.verdict, rle.verdict}

    registered = tuple(claim for claim in table.claims if claim.lengths)
    (lengths,) = {claim.lengths for claim in registered}
    without = tuple(tuple(key for key in rows if "dark" not in key) for rows in lengths)
    assert primary(registered) == {Verdict.FEW_SEEDS}
    assert primary(tuple(replace(claim, lengths=without) for claim in registered)) == {Verdict.SAME_DIRECTION}


@pytest.mark.parametrize(("ap", "decided"), [(0.0, False), (0.2, False), (40.0, True)])
def test_rows_that_have_learnt_nothing_are_not_called_equal(ap, decided, monkeypatch):
    monkeypatch.setattr(TableData, "sample", lambda *_: Sample(ap, np.full(20, ap)))
    monkeypatch.setattr(TableData, "spreads", lambda *_: [])
    (one,) = collected("S4").claims
    assert one.kind == EffectKind.EQUIVALENCE and (one.effect.value, one.effect.error) == (0, 0)
    assert one.verdict == (Verdict.WITHIN_MARGIN_GENERATED if decided else Verdict.TOO_LITTLE)


def test_a_table_that_no_run_was_made_for_has_nothing_to_decide(tmp_path):
    assert collected("6") is None
    assert collect_unexecuted(profile("mini"), tables(["5"])[0], runs_of(RunStore(tmp_path))) is None


def test_what_is_said_of_devices_rests_on_the_runs_that_are_here():
    here = {round(run.record.of(BoxSource.DETECTOR).AP, 2) for run in runs_of(MINI)}
    assert {processor for processor, _ in ON_BOTH} <= here and all(gpu > processor for processor, gpu in ON_BOTH)
