"""What makes a score rank, and what a probability: on errors drawn from the model, on runs and on checkpoints."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from poseur_lib.checkpoints.released_convert import save_released
from poseur_lib.config import ExperimentConfig, PoseurConfig
from poseur_lib.evaluation.calibration import KeypointErrors
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.losses.rle import laplace_scale
from poseur_lib.models.build import build_model
from poseur_lib.scoring.instance import Scoring
from poseur_lib.scoring.uncertainty import box_masses
from poseur_study.cli.main import main
from poseur_study.experiments.analyses import POSEUR, POSEUR_BOX, SCORING
from poseur_study.experiments.profiles import profile
from poseur_study.measurements.scoring import (
    LEFT_OUT,
    BoxKind,
    Score,
    ScoredRun,
    ap_samples,
    box_kinds,
    brier_skill,
    gain_samples,
    precision_at_recall,
    promised,
    scored_runs,
    splits,
    sweep,
    thresholds,
)
from poseur_study.profile_study import ProfileStudy
from poseur_study.runs import run_steps
from poseur_study.runs.evaluation_file import RunEvaluation
from poseur_study.runs.store import NOTEBOOK_FILE, RESULT_FILE
from poseur_study.table_study.answer import HEADLINE_FILE, score_headline
from synthetic_people import PeopleSettings, generate
from tests.measurements.studies import drop_weights, finish, open_study
from tests.study.released_checkpoints.checkpoints import near_the_truth

IMAGES, PEOPLE, KEYPOINTS, FACTOR = 200, 2000, 17, 0.09


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "people"
    generate(root, PeopleSettings(train_images=4, val_images=12, image_size=(96, 72)), workers=0, progress=False)
    return root


def drawn(factor: float, seed: int = 0) -> ScoredRun:
    """A run whose errors were drawn: Laplace of scale `factor` times the predicted sigma; it ranks nobody."""
    rng = np.random.default_rng(seed)
    sigma = np.exp(rng.uniform(-2.5, 0.5, (PEOPLE, KEYPOINTS, 2))).astype(np.float32)
    image = np.sort(rng.integers(0, IMAGES, PEOPLE))
    chosen = np.ones((PEOPLE, KEYPOINTS), bool)
    error = np.abs(rng.laplace(0, factor * sigma)).reshape(-1, 2)
    # the flow is flat: its density is the Laplace factor alone, whose scale is b of the loss
    masses = box_masses(lambda e: e[:, 0] * 0, log_phi_count=2, log_sigma_count=2)
    people = PredictedPeople(
        image_id=image, bbox_scores=np.ones(PEOPLE), center=np.zeros((PEOPLE, 2)), box_scale=np.ones((PEOPLE, 2)),
        keypoints=np.zeros_like(sigma), sigma=sigma, keypoint_scores=np.zeros((PEOPLE, KEYPOINTS)),
        input_size=(64, 48), flow_masses=masses,
    )  # fmt: skip
    errors = KeypointErrors(chosen, np.repeat(image, KEYPOINTS), error, None)
    where = {BoxSource.GROUND_TRUTH: people}
    nothing = object.__new__(RunEvaluation)
    images = np.arange(IMAGES)
    return ScoredRun("drawn", seed, ExperimentConfig(), where, nothing, errors, images, BoxSource.GROUND_TRUTH)


def calibration(run: ScoredRun, radius: float) -> pd.Series:
    """ECE (%) by score."""
    frame = promised([run], [radius])
    tenth = frame.groupby("score")["value"].transform(lambda of: pd.qcut(of, 10, labels=False, duplicates="drop"))
    of_bins = frame.groupby(["score", tenth])[["value", "within"]].agg(["mean", "size"])
    gaps = (of_bins["value", "mean"] - of_bins["within", "mean"]).abs() * of_bins["value", "size"]
    return gaps.groupby("score").sum() / frame.groupby("score").size()


@pytest.mark.parametrize("radius", [0.2, 0.05, 0.02])
def test_one_factor_makes_a_probability_of_errors_that_are_laplace(radius):
    found = calibration(drawn(FACTOR), radius)
    assert found[Score.EQ8] > 10 and found[Score.RESCALED] < 1


def test_eq_6_needs_no_factor_where_the_flow_has_learned_the_errors():
    scale = float(laplace_scale(torch.ones(()), log_sigma_count=2))
    found = calibration(drawn(scale), 0.2)
    assert found[Score.FLOW] < 1 and found[Score.EQ8] > 5


def test_the_halves_give_the_factor_back_and_no_image_sees_its_own_half():
    run = drawn(FACTOR)
    for split in (0, 1):
        factors = run.image_factors(split)
        np.testing.assert_allclose(factors, FACTOR, rtol=0.03)
        first, second = np.unique(factors)
        assert np.sum(factors == first) == IMAGES / 2
        moved = run.errors.error * np.where(factors == first, 1, 5)[run.errors.image][:, None]
        again = replace(run, errors=replace(run.errors, error=moved)).image_factors(split)
        np.testing.assert_allclose(again[factors == first], 5 * first)
        np.testing.assert_allclose(again[factors == second], second)
    of_splits = splits([run], [0.2])
    assert of_splits["ECE"].max() < 1 and of_splits["factor"].nunique() == len(of_splits)


def test_a_constant_passes_the_calibration_error_and_has_no_skill():
    """Of keypoints alike in sigma, each a hit or not by lot, the rescaled score says one number: the constant's."""
    run, radius = drawn(FACTOR), 0.2
    shares = run.image_shares(radius)
    first, second = np.unique(shares)
    within = run.errors.larger <= radius
    for share, other in ((first, second), (second, first)):
        assert share == pytest.approx(within[np.isin(run.errors.image, np.flatnonzero(shares == other))].mean())
    frame = promised([run], [radius])
    np.testing.assert_allclose(frame["constant"] / 100, shares[frame["image"]])
    constant = splits([run], [radius])["constant"]
    half = np.array([shares[image] == first for image in run.errors.image])
    gap = abs(within[half].mean() - first) * half.mean() + abs(within[~half].mean() - second) * (~half).mean()
    assert constant.iloc[0] == pytest.approx(100 * gap) and constant.max() < 5
    found = brier_skill(frame, IMAGES)["value"].droplevel("row").droplevel("radius")
    value, base = (frame[frame["score"] == Score.RESCALED][name] / 100 for name in ("value", "constant"))
    expected = 1 - ((value - within) ** 2).mean() / ((base - within) ** 2).mean()
    assert found[Score.RESCALED] == pytest.approx(expected) and 0.1 < expected < 1
    assert found[Score.EQ8] < found[Score.RESCALED]
    as_said = frame.assign(value=frame["constant"])
    np.testing.assert_allclose(brier_skill(as_said, IMAGES)["value"], 0, atol=1e-12)


def test_rescaling_is_eq_8_at_another_radius_and_a_factor_of_1_is_eq_8():
    run, source = drawn(FACTOR), BoxSource.GROUND_TRUTH
    half, one = np.full(IMAGES, 0.5), np.ones(IMAGES)
    plain = run.scores(source, Score.EQ8, 0.2, half)
    np.testing.assert_allclose(run.scores(source, Score.RESCALED, 0.2, one), plain, rtol=1e-6)
    np.testing.assert_allclose(run.scores(source, Score.RESCALED, 0.1, half), plain, rtol=1e-5)


@pytest.fixture(scope="module")
def study(data, tmp_path_factory):
    """A finished run of Poseur, without weights, whose poses are near the truth."""
    study = open_study("scoring", data, tmp_path_factory.mktemp("runs"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_steps, "predict_by_boxes", near_the_truth)
        finish(study, POSEUR)
    drop_weights(study)
    return study


def test_ap_is_the_table_s_own(study):
    runs = scored_runs(study.data)
    assert [(run.label, run.seed) for run in runs] == [("Poseur", 0)]
    ranked, gained = ap_samples(runs, (0.2, 0.02)), gain_samples(runs, study.dataset.val)
    over = sweep(runs, (0.2,)).set_index("score")["AP"]
    eq8, box = (study.data.sample(key, 0, "AP") for key in (POSEUR, POSEUR_BOX))
    assert eq8.value > 5 and box.value > 5
    np.testing.assert_allclose(ranked["Poseur", Score.EQ8, 0.2, 0].array, eq8.array)
    assert over[Score.EQ8] == pytest.approx(eq8.value)
    everybody = {score: gained["Poseur", "all boxes", score, 0].value for score in ("box", "Eq. 8", "gain")}
    expected = {"box": box.value, "Eq. 8": eq8.value, "gain": eq8.value - box.value}
    assert everybody == pytest.approx(expected, abs=1e-6)
    left = [gained["Poseur", boxes, "box", 0].value for boxes in LEFT_OUT]
    assert min(left) > 1 and len(set(left)) == 3
    assert study.data.table.row(POSEUR_BOX).scoring == Scoring.BOX


def test_precision_at_recall_counts_badly_placed_poses_as_false_positives(study):
    found = precision_at_recall(study.data, (0.1, 0.5)).set_index(["row", "recall, %"])["precision"]
    assert list(found.index.unique("row")) == ["Poseur, box score", "Poseur, Eq. 8"]
    of = study.data.matches(POSEUR, 0)["all"]
    hit = (of.matched[5] & ~of.ignored[5])[~of.ignored[5]]  # OKS 0.75
    recall, precision = hit.cumsum() / of.people.sum(), hit.cumsum() / np.arange(1, len(hit) + 1)
    expected = [100 * precision[recall >= at].max(initial=0) for at in (0.1, 0.5)]
    assert found["Poseur, Eq. 8"].to_list() == pytest.approx(expected) and expected[0] > expected[1]


def test_boxes_are_told_apart_by_the_annotations(study):
    val = study.dataset.val
    kinds, found = box_kinds(val), val.detections()
    first = [one for one, kind in zip(found, kinds, strict=True) if kind == BoxKind.FIRST]
    background = [one for one, kind in zip(found, kinds, strict=True) if kind == BoxKind.BACKGROUND]
    assert 0 < len(first) <= len(val.coco.anns) and background
    for one in background:
        x, y, w, h = one.box
        for entry in val.coco.imgToAnns[one.image_id]:
            left, top, wide, high = entry["bbox"]
            shared = max(0, min(x + w, left + wide) - max(x, left)) * max(0, min(y + h, top + high) - max(y, top))
            assert shared / (w * h + wide * high - shared) < 0.3
    kept = [one.bbox_score for one in found]
    assert len(kinds) == len(kept) and kinds.count(BoxKind.SECOND) + len(first) + len(background) == len(kept)


def test_thresholds_trade_precision_for_recall(study):
    runs = scored_runs(study.data)
    cut = thresholds(runs, [(None, 0.2), (Score.FLOW, 0.02)], (0.0, 0.3, 2.0))
    for _, of in cut.groupby("score"):
        assert (
            of["recall"].is_monotonic_decreasing and of["recall"].iloc[-1] == 0 and np.isnan(of["precision"].iloc[-1])
        )
    of = study.data.matches(POSEUR_BOX, 0)["all"]
    hits = (of.matched[0] & ~of.ignored[0]).sum()
    box = cut[(cut["threshold"] == 0) & (cut["score"] == "box")].iloc[0]
    assert hits > 3 and box["recall"] == pytest.approx(100 * hits / of.people.sum())
    assert box["precision"] == pytest.approx(100 * hits / (~of.ignored[0]).sum())


def test_without_a_run_frames_are_empty_and_nothing_is_said(data, tmp_path):
    study = open_study("scoring", data, tmp_path)
    runs = scored_runs(study.data)
    assert runs == () and promised(runs, (0.2,)).empty and sweep(runs).empty and splits(runs, (0.2,)).empty
    assert brier_skill(promised(runs, (0.2,)), 1).empty and precision_at_recall(study.data, (0.1,)).empty
    assert ap_samples(runs, (0.2,)).empty and gain_samples(runs, study.dataset.val).empty
    assert "Not run" in score_headline(pd.DataFrame(index=pd.MultiIndex.from_tuples([], names=["row", "what"])))


def written(runs: Path, **values: float) -> ProfileStudy:
    """A profile with an executed page on scores, of whose numbers these differ from 1."""
    folder = runs / "mini" / "tables" / SCORING.number
    folder.mkdir(parents=True)
    for name in (RESULT_FILE, NOTEBOOK_FILE):
        (folder / name).touch()
    named = ("gain", "gain on people", "factor", "radius", "small radius", "AP Eq. 8", "ECE Eq. 8", "AP rescaled",
             "ECE rescaled", "AP rescaled, small", "ECE rescaled, small", "AP Eq. 6, small", "ECE Eq. 6, small",
             "AP Eq. 6", "ECE constant", "Brier skill rescaled")  # fmt: skip
    lines = [("Poseur", name, values.get(name, 1.0), 0.0, 2.0) for name in named if values.get(name, 1) is not None]
    told = pd.DataFrame(lines, columns=["row", "what", "value", "low", "high"])
    told.to_csv(folder / HEADLINE_FILE, index=False)
    return ProfileStudy("mini", str(runs))


def test_the_overview_opens_with_the_page_s_numbers_and_a_link_to_it(tmp_path):
    said = written(tmp_path, **{"gain": 10.84, "gain on people": 9.79, "ECE Eq. 8": 64.4, "factor": 0.0826})
    words = said.score_headline()
    assert "changes the AP by +10.8" in words and "+9.8 of the +10.8 AP remain" in words and "error is 64 %" in words
    assert "(the share within a, said of all keypoints alike, has 1.0 %; Brier's skill over it is 1.00)" in words
    assert "the order of poses on people, well placed before badly placed" in words and "is a probability" not in words
    assert "σ × 0.083" in words and "+0.0 to +2.0" in words and "(table_scoring.html)" in words
    assert ProfileStudy("mini", str(tmp_path / "none")).score_headline() == ""


def test_what_a_headline_lacks_is_named(tmp_path):
    earlier = written(tmp_path / "c", **{"Brier skill rescaled": None}).score_headline()
    assert "that error is 1.0 %, at 1.0 AP" in earlier
    assert "no detector boxes" in written(tmp_path / "a", gain=None).score_headline()
    assert "flow's density is not" in written(tmp_path / "b", **{"AP Eq. 6": None}).score_headline()


@pytest.mark.slow
def test_one_command_shows_released_checkpoints_of_any_row(data, tmp_path):
    """The six-layer file is of no row of the page's own."""
    config = ExperimentConfig().with_changes(**{"model.backbone.weights": "none", "model.head.decoder_layers": 6})
    (tmp_path / "files").mkdir()
    name = "poseur_256x192_res50_6dec_coco.pth"
    save_released(tmp_path / "files" / name, build_model(config), config)
    where = ("--data", str(data), "--runs", str(tmp_path / "runs"))
    released = ("study", "run", "--source", "released", "--checkpoints", str(tmp_path / "files"))
    assert main([*released, "--tables", "S1,scoring", *where]) == 0
    folder = tmp_path / "runs" / profile("paper").name / "tables" / SCORING.number
    told = pd.read_csv(folder / "scoring.csv", index_col=["row", "what"])
    assert set(told.index.unique("row")) == {name}
    undefined = told.index.unique("what")[told["value"].isna()]  # untrained, no keypoint is within the small radius
    assert all(one.startswith("Brier skill") and one.endswith(", small") for one in undefined)
    assert told["value"][name, "factor"] > 0 and isinstance(config.model.head, PoseurConfig)
    assert json.loads((folder / "result.json").read_text())["number"] == SCORING.number
