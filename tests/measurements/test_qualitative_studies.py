"""The three studies on runs with random weights: what is measured, kept, and shown when the weights are gone."""

import csv
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.analysis.measured_values import FIRST_CODE, MeasuredEntry, StoredSample
from poseur_study.analysis.table_data import TableData
from poseur_study.analysis.verdict import Evidence, Verdict
from poseur_study.display import calibration as calibration_figures
from poseur_study.display.ranking import ranking_table
from poseur_study.display.robustness import shifts_figure, shifts_table
from poseur_study.display.self_attention import average_figure, people_figure, reading, shares_table
from poseur_study.display.tables import measured_notes
from poseur_study.experiments.analyses import SHIFTS
from poseur_study.experiments.profiles import profile
from poseur_study.measurements.attention_shares import attention, claim_effects, measured_attention
from poseur_study.measurements.calibration import (
    PROBABILITIES,
    SMALL_RADII,
    KeypointScore,
    claimed,
    reliabilities,
    scale_calibrations,
)
from poseur_study.measurements.calibration import claim_effects as score_effects
from poseur_study.measurements.proposal_robustness import ShiftedRun, measured_shifts, robustness, shifted_predictions
from poseur_study.measurements.score_ranking import rankings, write_calibration
from poseur_study.measurements.trained_models import row_model
from synthetic_people import PeopleSettings, generate
from tests.measurements.studies import drop_weights, finish, open_study
from tests.study.fakes import same_predictions


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "people"
    generate(root, PeopleSettings(train_images=4, val_images=12, image_size=(96, 72)), workers=0, progress=False)
    return root


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """A folder with both runs of Table 1b."""
    folder = tmp_path_factory.mktemp("runs")
    study = open_study("noisy_proposals", data, folder)
    for key in ("without", "with"):
        finish(study, key)
    return folder


def test_the_curve_starts_at_the_table_s_own_ap_and_ends_elsewhere(data, runs):
    study = open_study("noisy_proposals", data, runs)
    shifted = measured_shifts(study)
    assert not shifted.notes and set(shifted.of) == {("without", 0), ("with", 0)}
    for (key, seed), run in shifted.of.items():
        assert run.ap[0].value == pytest.approx(study.data.sample(key, seed, "AP").value, abs=1e-3)
        start, *layers = zip(*run.errors, strict=True)
        assert len(layers) == 2 and len({one.value for one in layers[-1]}) == len(SHIFTS)
        assert start[-1].value > start[0].value


def test_scores_are_those_that_ap_is_computed_from(data, runs):
    study = open_study("noisy_proposals", data, runs)
    scores = study.data.scores()
    assert list(scores.columns) == ["row", "seed", "image", "person", "OKS", "score"]
    for (key, seed), of_run in scores.groupby(["row", "seed"]):
        evaluation, matches = study.data.matching(key, seed), study.data.matches(key, seed)["all"]
        assert sorted(of_run.score) == sorted(one["score"] for one in evaluation.cocoDt.anns.values())
        images = matches.image_ids[matches.image[matches.matched[0]]]
        assert (of_run[of_run.OKS >= 0.5].groupby("image").size() >= np.unique(images, return_counts=True)[1]).all()
        known = study.dataset.val.coco.anns
        assert all(
            known[person]["image_id"] == image for image, person in zip(of_run.image, of_run.person, strict=True)
        )
    assert set(scores.row) == {"without", "with"}


def test_what_was_measured_is_kept_and_read_when_the_weights_are_gone(data, tmp_path):
    study = open_study("noisy_proposals", data, tmp_path)
    finish(study, "with")
    first = measured_shifts(study)
    assert first.notes == ("Not measured: without noise, seed 0: its run is absent",)
    folder = study.store.table_folder("noisy_proposals")
    lines = list(csv.DictReader((folder / "measured_shifts.csv").open()))
    assert [float(line["shift"]) for line in lines] == list(SHIFTS) and {line["row"] for line in lines} == {"with"}
    drop_weights(study)
    again = measured_shifts(study)
    assert again.of == first.of
    (folder / "measured_shifts.json").unlink()
    gone = measured_shifts(study)
    assert not gone.of and "only the record of its run is here" in gone.notes[1]
    command = "poseur study run --profile smoke --tables noisy_proposals --seeds 0 --runs"
    assert command in measured_notes(gone.notes).data
    robust = robustness(study, gone)
    assert "was measured of no run" in shifts_figure(robust).data + shifts_table(robust).data
    assert all(claim.effect is None for claim in study.collect(robust.effects).claims)


def test_values_of_another_run_or_shift_are_not_taken_for_these(data, tmp_path, monkeypatch):
    study = open_study("noisy_proposals", data, tmp_path)
    finish(study, "with")
    measured_shifts(study)
    drop_weights(study)
    monkeypatch.setattr("poseur_study.measurements.proposal_robustness.SHIFT_SEED", 1)
    assert not measured_shifts(study).of


def test_what_another_version_of_the_measurement_has_found_is_said_to_be_that(data, tmp_path, monkeypatch):
    study = open_study("noisy_proposals", data, tmp_path)
    finish(study, "with")
    first = measured_shifts(study)
    drop_weights(study)
    monkeypatch.setattr(ShiftedRun, "VERSION", 2)
    later = measured_shifts(study)
    assert later.of == first.of and "Measured by an earlier version" in later.notes[1]


def test_values_without_a_version_are_known_by_the_source_that_measured_them():
    entry = {"row": "with", "seed": 0, "run_id": "r", "data_fingerprint": "f", "settings": {}, "values": {}}
    for code, version in ((FIRST_CODE, 1), ("0123456789abcdef", 0)):
        assert MeasuredEntry.model_validate({**entry, "code": code}).version == version
    assert MeasuredEntry.model_validate({**entry, "version": 3}).version == 3


def scaled(run, ap, error):
    """A run with these AP and errors after the last layer, on every resample alike."""
    draws = len(run.ap[0].draws)
    ends = tuple(StoredSample.of(one, [one] * draws) for one in error)
    errors = tuple((*of_shift[:-1], end) for of_shift, end in zip(run.errors, ends, strict=True))
    return run.model_copy(update={"ap": tuple(StoredSample.of(one, [one] * draws) for one in ap), "errors": errors})


def test_the_claims_rest_on_the_share_of_ap_that_is_kept_and_on_the_error_that_is_added(data, runs):
    study = open_study("noisy_proposals", data, runs)
    measured = measured_shifts(study)
    of = {
        ("without", 0): scaled(measured.of["without", 0], [20, 10, 2, 0, 0, 0], [5, 6, 9, 20, 30, 40]),
        ("with", 0): scaled(measured.of["with", 0], [40, 30, 10, 2, 0, 0], [7, 7, 8, 9, 9, 10]),
    }
    robust = robustness(study, replace(measured, of=of))
    assert [one.value for one in robust.kept_more] == [0, 25, 15, 5, 0, 0]
    assert [one.value for one in robust.added_less] == [0, 1, 3, 13, 23, 32]
    result = study.collect(robust.effects)
    assert [claim.effect.value for claim in result.claims] == [25, 15, 5, 3, 13, 32]
    assert {claim.verdict for claim in result.claims} == {Verdict.NO_EVIDENCE}
    assert "<img" in shifts_figure(robust).data and "with − without" in shifts_table(robust).data


def test_without_a_shift_the_predictions_are_those_of_the_record(data, runs):
    study = open_study("noisy_proposals", data, runs)
    model = row_model(study, "with", 0)
    recorded = study.store.load(model.run.run_id).predictions[BoxSource.DETECTOR]
    same, moved = (shifted_predictions(study, model, shift) for shift in (0.0, 0.4))
    assert same_predictions(same, replace(recorded, flow_masses=None))
    assert not np.allclose(moved.keypoints, recorded.keypoints, atol=1e-3)


def test_self_attention_is_measured_drawn_and_kept(data, tmp_path):
    study = open_study("figure_s2", data, tmp_path)
    finish(study, "with")
    found = attention(study, measured_attention(study))
    assert found.layers.shape == (2, 17, 17) and found.n_people == len(study.dataset.val.people())
    np.testing.assert_allclose(found.layers.sum(axis=2), 1, atol=1e-3)
    for name, beyond in found.beyond.items():
        for share, whoever, difference in zip(found.shares[name], found.whoever[name], beyond, strict=True):
            assert difference.value == pytest.approx(share.value - whoever.value, abs=2e-3)
        assert abs(beyond[-1].value) < 10  # random weights attend to nobody in particular
    assert set(claim_effects(found)) == {claim.key for claim in study.table.claims}
    html = people_figure(study, found).data + average_figure(study, found).data
    assert html.count("<img") == 2 and len(re.findall("layer 1: .* to .* 0", html)) == 1
    text = reading(study, found).data
    assert "undecided (one seed).</b>" in text and "By it: the named keypoints get" in text
    assert text.count(", by equal weight 18.8 %: no evidence (smoke); ") == 1
    assert "in the run of the first seed that was measured" in html
    assert "as all take, %" in shares_table(found).data
    drop_weights(study)
    np.testing.assert_array_equal(attention(study, measured_attention(study)).layers, found.layers)
    nothing = "was measured of no run"
    assert nothing in people_figure(study, None).data and nothing in average_figure(study, None).data


def test_the_former_rule_of_self_attention_is_said_beside_today_s(data, tmp_path, monkeypatch):
    study = open_study("figure_s2", data, tmp_path)
    finish(study, "with")
    found = attention(study, measured_attention(study))
    monkeypatch.setattr(TableData, "evidence", Evidence.GENERATED)
    study.profile = profile("mini")

    def words(share: tuple[float, float], beyond: tuple[float, float]) -> str:
        ends = [dict(zip(("low", "high"), one, strict=True), n_seeds=3) for one in (share, beyond)]
        shares, beyonds = (
            {name: (*of[:-1], of[-1].model_copy(update=end)) for name, of in each.items()}
            for each, end in zip((found.shares, found.beyond), ends, strict=True)
        )
        return reading(study, replace(found, shares=shares, beyond=beyonds)).data

    text = words((19.0, 24.6), (-2.2, 9.1))
    assert "no difference found.</b>" in text
    assert "(19.0 to 24.6), by equal weight 18.8 %: same direction, on generated people; " in text
    text = words((15.0, 25.0), (0.2, 9.1))
    assert "more than from others.</b>" in text
    assert "(15.0 to 25.0), by equal weight 18.8 %: inconclusive, on generated people; " in text


def test_calibration_needs_no_weights_and_writes_its_numbers(data, tmp_path):
    study = open_study("calibration", data, tmp_path)
    for key in ("poseur", "rle", "simba"):
        finish(study, key)
    drop_weights(study)
    scales, scores = scale_calibrations(study.data), reliabilities(study.data, "poseur")
    assert [(one.row, one.axis) for one in scales] == [(row, axis) for row in ("poseur", "rle") for axis in "xy"]
    assert all(one.laplace_per_sigma == pytest.approx(2 * 2**0.5) for one in scales)
    assert [(one.score, one.radius) for one in scores] == [
        (score, radius) for radius in (0.2, *SMALL_RADII) for score in PROBABILITIES
    ]
    for one in scores:
        assert sum(bin_.part for bin_ in one.bins) == pytest.approx(100)
        assert one.calibration_error.value >= abs(one.whole.predicted - one.whole.observed.value) - 1e-9
    assert claimed(scores).radius == 0.2
    (effect,) = score_effects(scores).values()
    assert effect == claimed(scores).calibration_error
    ranks = rankings(study.data, 0.2)
    assert {one.score for one in ranks if one.row == "simba"} == {KeypointScore.OWN}
    assert len(ranks) == 5 * (1 + len(PROBABILITIES) + 2)
    write_calibration(study, scales, scores, ranks)
    folder = study.store.table_folder("calibration")
    assert len(list(csv.DictReader((folder / "ranking.csv").open()))) == len(ranks)
    for (low, high), word in {(1.0, 4.9): "Yes", (1.0, 5.1): "Not decided", (5.1, 9.0): "No"}.items():
        for n_seeds, said in ((2, word), (1, "Undecided (one seed)")):
            error = claimed(scores).calibration_error
            error = error.model_copy(update={"low": low, "high": high, "n_seeds": n_seeds})
            changed = [one.model_copy(update={"calibration_error": error}) for one in scores]
            assert f"Is the score what it says? {said}." in calibration_figures.answer(changed, Evidence.NONE).data
    wide = claimed(scores).calibration_error.model_copy(update={"low": -3.0, "high": 103.0})
    changed = [one.model_copy(update={"calibration_error": wide}) for one in scores]
    assert "(0.0 to 100.0)" in calibration_figures.reliability_table(changed).data
    for html in (calibration_figures.scales_figure(scales), calibration_figures.reliability_figure(scores)):
        assert "<img" in html.data
    assert "AUROC, within 0.02" in ranking_table(ranks).data and "Student's t" in unescape(ranking_table(ranks).data)


def test_without_any_run_there_is_nothing_to_show(data, tmp_path):
    study = open_study("calibration", data, tmp_path)
    scores = reliabilities(study.data, "poseur")
    assert scores == () and score_effects(scores) == {} and rankings(study.data, 0.2) == ()
    for html in (calibration_figures.scales_figure(()), calibration_figures.answer(scores, Evidence.NONE)):
        assert "No figure" in html.data
