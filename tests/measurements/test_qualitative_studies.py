"""What notebooks measure, on runs with random weights: the frames, what is kept, and what is left without weights."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from poseur_lib.evaluation.calibration import calibration_error, error_factor
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.analysis.effect import Effect
from poseur_study.analysis.interval import Sample, estimate
from poseur_study.analysis.measured_values import StoredSample, over_seeds
from poseur_study.experiments.analyses import SHIFTS
from poseur_study.measurements.calibration import (
    SMALL_RADII,
    KeypointScore,
    bins,
    laplace_per_sigma,
    measured_bins,
    rankings,
    scales,
    scored_keypoints,
)
from poseur_study.measurements.layer_errors import BINS, LayerErrors
from poseur_study.measurements.measure import measure_rows
from poseur_study.measurements.proposal_robustness import ShiftedRun, shifted, shifted_predictions
from poseur_study.measurements.self_attention import self_attention
from poseur_study.measurements.trained_models import RowModel, row_model
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
    found = shifted(study)
    assert not found.attrs["missing"] and set(found["row"]) == {"without noise", "with noise"}
    assert list(found["measure"].unique()) == ["AP", "start", "layer 1", "layer 2"]
    for key, row in (("without", "without noise"), ("with", "with noise")):
        of = found[found["row"] == row].pivot(index="shift", columns="measure", values="value")
        assert of["AP"][0] == pytest.approx(study.data.sample(key, 0, "AP").value, abs=1e-3)
        assert of["layer 2"].nunique() == len(SHIFTS) and of["start"].iloc[-1] > of["start"].iloc[0]


def test_scores_are_those_that_ap_is_computed_from(data, runs):
    study = open_study("noisy_proposals", data, runs)
    scores = study.data.scores()
    assert list(scores.columns) == ["row", "seed", "image", "person", "OKS", "score"]
    for (key, seed), of_run in scores.groupby(["row", "seed"]):
        evaluation, matches = study.data.matching(key, seed), study.data.matches(key, seed)["all"]
        assert sorted(of_run.score) == sorted(one["score"] for one in evaluation.cocoDt.anns.values())
        images = matches.image_ids[matches.image[matches.matched[0]]]
        assert (of_run[of_run.OKS >= 0.5].groupby("image").size() >= np.unique(images, return_counts=True)[1]).all()
        known, fitted = study.dataset.val.coco.anns, of_run.dropna(subset="person")
        assert (of_run.person.isna() == (of_run.OKS == 0)).all()
        assert all(
            known[person]["image_id"] == image for image, person in zip(fitted.image, fitted.person, strict=True)
        )
    assert set(scores.row) == {"without", "with"}


def test_what_was_measured_is_kept_and_read_when_the_weights_are_gone(data, tmp_path):
    study = open_study("noisy_proposals", data, tmp_path)
    finish(study, "with")
    first = shifted(study)
    assert first.attrs["missing"] == ("Not measured: without noise, seed 0: its run is absent",)
    lines = list(csv.DictReader((study.folder / "measured_shifts.csv").open()))
    assert [float(line["shift"]) for line in lines] == list(SHIFTS) and {line["row"] for line in lines} == {"with"}
    drop_weights(study)
    assert shifted(study).equals(first)
    (study.folder / "measured_shifts.json").unlink()
    gone = shifted(study)
    assert gone.empty and list(gone.columns) == list(first.columns)
    command = "poseur study run --profile smoke --tables noisy_proposals --seeds 0 --runs"
    assert "only the record of its run is here" in gone.attrs["missing"][1] and command in gone.attrs["missing"][1]
    assert all(claim.effect is None for claim in study.result.claims)


def test_a_measurement_that_is_cut_off_goes_on_where_it_was(data, runs, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    study, measured = open_study("noisy_proposals", data, tmp_path / "runs"), []

    def measure(model: RowModel) -> LayerErrors:
        if stopped_at == len(measured):
            raise KeyboardInterrupt
        measured.append(model)
        return LayerErrors(stages=(f"layer {len(measured)}",), keypoints=(0,) * len(BINS), distance=(), nearer=())

    stopped_at = 1
    with pytest.raises(KeyboardInterrupt):
        measure_rows(study, "layer_errors", LayerErrors, measure)
    stopped_at = None
    found = measure_rows(study, "layer_errors", LayerErrors, measure)
    assert [found.of[key, 0].stages for key in ("without", "with")] == [("layer 1",), ("layer 2",)]
    assert len(measured) == 2


def test_values_of_another_run_or_shift_are_not_taken_for_these(data, tmp_path, monkeypatch):
    study = open_study("noisy_proposals", data, tmp_path)
    finish(study, "with")
    shifted(study)
    drop_weights(study)
    monkeypatch.setattr("poseur_study.measurements.proposal_robustness.SHIFT_SEED", 1)
    assert shifted(study).empty


def test_what_another_version_of_the_measurement_has_found_is_said_to_be_that(data, tmp_path, monkeypatch):
    study = open_study("noisy_proposals", data, tmp_path)
    finish(study, "with")
    first = shifted(study)
    drop_weights(study)
    monkeypatch.setattr(ShiftedRun, "VERSION", 2)
    later = shifted(study)
    assert later.equals(first) and "Measured by an earlier version" in later.attrs["missing"][1]


def test_samples_are_subtracted_and_divided_draw_by_draw_and_pooled_over_seeds():
    one, other = StoredSample.of(20, [10, 30, float("nan")]), StoredSample.of(40, [40, 0, 1])
    assert one - other == StoredSample.of(-20, [-30, 30, float("nan")])
    assert one.percent_of(other) == StoredSample.of(50, [25, float("nan"), float("nan")])
    index = pd.MultiIndex.from_tuples([("a", 0), ("a", 1), ("b", 0)], names=["row", "seed"])
    samples = pd.Series([StoredSample.of(v, [v] * 9) for v in (1, 3)] + [Sample(7.0, np.full(9, 7.0))], index)
    found = over_seeds(samples, 5)
    assert found.loc["a", ["value", "seeds"]].to_list() == [2, 2] and found["low"]["a"] < 1
    assert found.loc["b", ["value", "low", "high", "seeds"]].to_list() == [7, 7, 7, 1]
    of_claim = Effect.of(estimate([one.sample for one in samples.iloc[:2]], 5))
    assert found["estimate"]["a"] == of_claim and found.loc["a", ["low", "high"]].to_list() == [
        of_claim.low,
        of_claim.high,
    ]
    assert of_claim.n_images == 5 and over_seeds(samples[:0], 5).empty


def test_without_a_shift_the_predictions_are_those_of_the_record(data, runs):
    study = open_study("noisy_proposals", data, runs)
    model = row_model(study, "with", 0)
    recorded = study.store.load(model.run.run_id).predictions[BoxSource.DETECTOR]
    same, moved = (shifted_predictions(study, model, shift) for shift in (0.0, 0.4))
    assert same_predictions(same, replace(recorded, flow_masses=None))
    assert not np.allclose(moved.keypoints, recorded.keypoints, atol=1e-3)


def test_self_attention_is_measured_and_kept(data, tmp_path):
    study = open_study("figure_s2", data, tmp_path)
    finish(study, "with")
    weights, shares, people = self_attention(study)
    assert len(weights) == 2 * 17 * 17
    np.testing.assert_allclose(weights.groupby(["layer", "from"])["weight"].sum(), 1, atol=1e-3)
    assert set(shares["related"]) == {claim.key for claim in study.table.claims}
    assert list(shares["layer"].unique()) == ["layer 1", "layer 2", "mean"]
    beyond = [one.share.value - one.whoever.value for one in shares.query("layer == 'mean'").itertuples()]
    assert all(abs(one) < 10 for one in beyond)  # random weights attend to nobody in particular
    assert shares["equal"].iloc[0] == pytest.approx(100 * 3 / 16)
    boxes = {one.annotation_id: one.box for one in study.dataset.val.people()}
    for person, of in people.groupby("person"):
        x, y, width, height = boxes[person]
        assert of["x"].between(x - width, x + 2 * width).all() and of["y"].between(y - height, y + 2 * height).all()
    drop_weights(study)
    assert self_attention(study)[0].equals(weights)


def test_calibration_needs_no_weights(data, tmp_path):
    study = open_study("calibration", data, tmp_path)
    for key in ("poseur", "rle", "simba"):
        finish(study, key)
    drop_weights(study)
    images, axes = study.data.n_images, scales(study.data)
    assert axes.groupby(["row", "axis"], observed=True).size().index.to_list() == [
        (row, axis) for row in ("Poseur", "RLE") for axis in "xy"
    ]
    np.testing.assert_allclose(axes["b"] / axes["sigma"], 2 * 2**0.5)
    assert laplace_per_sigma(study.configs["rle"]) == pytest.approx(2 * 2**0.5)
    factors = measured_bins(axes, ["row", "axis"], "sigma", "error", images, error_factor)
    means = axes.groupby(["row", "axis"], observed=True)[["error", "sigma"]].mean()
    np.testing.assert_allclose(factors["value"], means["error"] / means["sigma"])

    scored = scored_keypoints(study.data, (0.2, *SMALL_RADII))
    promised = scored.dropna(subset="radius")
    promised = promised.assign(within=100.0 * (promised["error"] <= 100 * promised["radius"].astype(float)))
    how = {"by": ["radius", "score"], "predicted": "value", "observed": "within", "images": images}
    errors, reliable = measured_bins(promised, **how, measure=calibration_error), bins(promised, **how)
    assert len(errors) == 3 * (len(KeypointScore) - 1)
    for key, of in reliable.groupby(["radius", "score"]):
        assert of["part"].sum() == pytest.approx(100)
        gap = (of["predicted"] - of["value"]).abs() @ of["part"] / 100
        assert errors["value"][key] == pytest.approx(gap)

    hits = {"within": lambda of: of["error"] <= 20, "never": lambda of: of["error"] < 0}
    ranks = rankings(scored[(scored["radius"] == 0.2) | scored["radius"].isna()], hits, images)
    assert len(ranks) == 3 * (len(KeypointScore) + 2) and ranks.xs("never", level="against")["value"].isna().all()
    simba = ranks.xs("SimpleBaseline").index.unique("score")
    assert list(simba) == [KeypointScore.OWN]
    own = scored.query("row == 'RLE'")
    expected = 100 * own["value"].corr(own["error"], method="spearman")
    assert ranks["value"]["RLE", KeypointScore.OWN, "error"] == pytest.approx(expected)


def test_without_any_run_frames_are_empty_and_have_their_columns(data, tmp_path):
    study = open_study("calibration", data, tmp_path)
    scored = scored_keypoints(study.data, (0.2,))
    assert scored.empty and {"row", "seed", "value", "error"} <= set(scored.columns) and scales(study.data).empty
    found = bins(scored, ["radius", "score"], "value", "error", study.data.n_images)
    assert found.empty and {"predicted", "value", "part"} <= set(found.columns)
    assert rankings(scored, {}, study.data.n_images).empty
    attention = open_study("figure_s2", data, tmp_path)
    assert all(frame.empty for frame in self_attention(attention))
