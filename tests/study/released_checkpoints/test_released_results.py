"""The released column of a table, and the claims that rest on it."""

import pytest

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.analysis.claim_ledger import level_entries
from poseur_study.analysis.released_results import ReleasedColumn
from poseur_study.analysis.table_results import collect
from poseur_study.analysis.verdict import Evidence, Verdict
from poseur_study.experiments.profiles import profile
from poseur_study.table_study.answer import result_frame
from tests.study.released_checkpoints.checkpoints import CPU, SIZE, TABLE, opened, table_data, write_checkpoint


def test_the_tables_get_a_column(done):
    source, outcomes, runs = done.source, done.outcomes, done.runs
    result = collect(table_data(source.data, runs))
    one, two, quiet = result.rows
    assert (one.released_from, two.released_from, quiet.released_from) == ("1.pth", "2.pth", "")
    for row, outcome in zip((one, two), outcomes, strict=True):
        measured = outcome.record.of(BoxSource.DETECTOR)
        assert measured.AP > 1
        assert row.released_ap.value == pytest.approx(measured.AP, abs=1e-9)
        assert {cell.column: cell.released.value for cell in row.cells} == pytest.approx(
            {"AP": measured.AP, "AR": measured.AR}, abs=1e-9
        )
        assert row.ap is None
    assert quiet.released_ap is None and all(cell.released is None for cell in quiet.cells)


@pytest.mark.parametrize(
    ("known", "evidence", "verdicts"),
    [
        ({}, Evidence.NONE, {Verdict.TOO_LITTLE}),
        ({"generated": False}, Evidence.NONE, {Verdict.TOO_LITTLE}),
        (
            {"generated": False, "val_images": 5000},
            Evidence.RELEASED,
            {Verdict.REPRODUCED, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE},
        ),
    ],
    ids=["generated people", "a part of COCO", "the whole of COCO val"],
)
def test_claims_rest_on_it_where_both_rows_have_it(done, known, evidence, verdicts):
    source, runs = done.source, done.runs
    result = collect(table_data(source.data, runs, **known))
    more, noise = result.claims
    assert result.released_evidence == evidence
    assert more.evidence == evidence and more.verdict in verdicts and more.effect is not None
    assert more.effect.value == pytest.approx(result.rows[1].released_ap.value - result.rows[0].released_ap.value)
    assert more.effect.low < more.effect.value < 0
    assert noise.evidence is None and noise.verdict == Verdict.NOT_RUN


def test_printed_figures_are_decided_on_the_whole_of_coco_alone(done):
    part = collect(table_data(done.source.data, done.runs))
    assert level_entries([TABLE], {TABLE.number: part}, profile("paper")) == ()
    whole = collect(table_data(done.source.data, done.runs, generated=False, val_images=5000))
    printed = [(row, cell) for row in whole.rows for cell in row.cells if cell.released and cell.paper]
    lines = level_entries([TABLE], {TABLE.number: whole}, profile("paper"))
    assert len(lines) == len(printed) > 0
    for line, (row, cell) in zip(lines, printed, strict=True):
        assert line.value == pytest.approx(cell.released.value - float(cell.paper)) and line.low == line.high
        assert line.verdict == Verdict.CONTRADICTED and line.evidence == Evidence.RELEASED  # random weights
        assert line.claim == f"{row.label}: {cell.column} {cell.paper}." and line.note == row.released_from
    shown = result_frame(TABLE, whole)
    assert sum(str(cell).count(", contradicted") for cell in shown.to_numpy().ravel()) == len(printed)
    assert shown["released checkpoint"].str.len().max() > 0 and lines[0].claim == "one: AP 74.7."


def test_ground_truth_boxes_are_no_evidence_of_figures_by_a_detector(done):
    data = table_data(done.source.data, done.runs, generated=False, val_images=5000)
    vars(data)["boxes"] = BoxSource.GROUND_TRUTH
    result = collect(data)
    assert result.rows[0].released_ap is not None and result.released_evidence == Evidence.NONE
    assert result.claims[0].verdict == Verdict.TOO_LITTLE
    assert level_entries([TABLE], {TABLE.number: result}, profile("paper")) == ()


def test_weaker_evidence_does_not_replace_ours(done):
    source, runs = done.source, done.runs
    part = table_data(source.data, runs)
    result = collect(part)
    ours = result.claims[0].model_copy(update={"evidence": None, "verdict": Verdict.REPRODUCED})
    retrained = result.model_copy(update={"claims": (ours, result.claims[1]), "evidence": Evidence.RETRAINED})
    assert ReleasedColumn(part).beside(retrained).claims[0] == ours


def test_another_data_set_has_no_column(done):
    source, runs = done.source, done.runs
    result = collect(table_data(source.data, runs, fingerprint="0123456789abcdef"))
    assert result.released_evidence is None
    assert all(row.released_ap is None for row in result.rows)


def test_a_second_checkpoint_of_a_row_is_not_chosen_between(done, few_people, tmp_path):
    source = done.source
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        write_checkpoint(folder / f"seed{seed}.pth", 1, seed=seed)
        list(opened(folder, few_people, tmp_path / "runs", {f"seed{seed}.pth": SIZE}).evaluate(CPU))
    row = collect(table_data(source.data, tmp_path / "runs")).rows[0]
    assert row.released_ap is None
    assert row.released_from == "ambiguous: seed1.pth, seed2.pth"


def test_the_summary_has_it_below_ours_and_names_the_file(done):
    result = collect(table_data(done.source.data, done.runs))
    shown = result_frame(TABLE, result)
    assert f"released {result.rows[0].released_ap.value:.1f}" in shown["AP"].iloc[0]
    assert shown["released checkpoint"].tolist()[:2] == ["1.pth", "2.pth"]


def test_without_a_checkpoint_there_is_no_such_column(done):
    result = collect(table_data(done.source.data, done.runs, fingerprint="0123456789abcdef"))
    assert "released checkpoint" not in result_frame(TABLE, result)
