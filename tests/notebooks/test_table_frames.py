"""Frames of `TableStudy`: columns, rows in the table's order, and values that agree with records and predictions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from pycocotools.cocoeval import COCOeval

from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.analysis.table_data import TableData, _detections
from poseur_study.analysis.table_results import difference_words
from poseur_study.experiments import tables
from poseur_study.experiments.experiment import METRICS, EffectKind
from poseur_study.runs.plan import row_run
from poseur_study.runs.record import PREDICTIONS_FILE
from poseur_study.table_study.frames import KEYPOINT_COLUMNS
from poseur_study.table_study.pictures import draw_label
from synthetic_people import PeopleSettings, generate
from tests.measurements.studies import finish, open_study

ROWS = ["without noise", "with noise"]
FRAMES = {
    "ap": ["row", "seed", *METRICS],
    "scores": ["row", "seed", "image", "person", "OKS", "rank"],
    "people": ["image", "person", "size", "hidden", "truncated", "view", "company"],
    "errors": ["row", "seed", "image", "error", "keypoints"],
    "parts": ["row", "seed", "by", "part", "keypoints", "similarity"],
    "keypoints": ["row", "seed", *KEYPOINT_COLUMNS],
    "curves": ["row", "seed", "epoch", "people", "seconds", "loss", "AP", "mean OKS"],
}
each = pytest.mark.parametrize("name", FRAMES)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "people"
    generate(root, PeopleSettings(train_images=4, val_images=12, image_size=(96, 72)), workers=1, progress=False)
    return root


@pytest.fixture(scope="module")
def study(data, tmp_path_factory):
    """Table 1b with a run of one of its two rows."""
    study = open_study("1b", data, tmp_path_factory.mktemp("runs"))
    finish(study, "with")
    return study


@pytest.fixture(scope="module")
def empty(data, tmp_path_factory):
    """Table 1b without a run."""
    return open_study("1b", data, tmp_path_factory.mktemp("none"))


@each
def test_frames_have_their_columns_and_rows_are_categories_in_the_table_s_order(study, name):
    frame = getattr(study, name)()
    assert list(frame.columns[: len(FRAMES[name])]) == FRAMES[name] and len(frame)
    if "row" in frame:
        assert list(frame["row"].cat.categories) == ROWS and set(frame["row"]) == {"with noise"}


@each
def test_without_a_run_frames_are_empty_and_have_their_columns(empty, name):
    frame = getattr(empty, name)()
    assert list(frame.columns) == FRAMES[name] and not len(frame)


def test_without_a_run_there_are_still_the_paper_s_numbers_the_variants_and_all_claims(empty):
    assert list(empty.paper.index) == ROWS and empty.paper["AP"].notna().all()
    assert list(empty.variants.index) == ROWS
    assert set(empty.runs()["state"]) == {"absent"}
    assert len(empty.verdicts()) == len(empty.table.claims) and empty.answer().data.startswith("**Not run.**")


def test_pairing_has_a_column_a_row_also_where_it_was_not_run(study, empty):
    paired = study.paired(study.ap(), "AP", by="seed")
    assert list(paired.columns) == ROWS and list(paired.index) == [0]
    assert np.isnan(paired.loc[0, "without noise"])
    assert paired.loc[0, "with noise"] == study.ap()["AP"].item()
    nothing = empty.paired(empty.scores(), "OKS", by=["seed", "person"])
    assert list(nothing.columns) == ROWS and not len(nothing) and nothing.index.names == ["seed", "person"]


def test_ap_is_the_record_s(study):
    recorded = study.record("with", 0).of(study.data.boxes)
    values = [getattr(recorded, name) for name in METRICS]
    line = study.ap()[list(METRICS)].iloc[0].tolist()
    assert line == pytest.approx([np.nan if one is None else one for one in values], nan_ok=True)


def test_scores_speak_of_the_people_of_their_image(study):
    scores, people = study.scores(), study.people().set_index("person")
    assert scores["OKS"].between(0, 1).all() and scores["rank"].is_unique
    known = scores[scores["person"].isin(people.index)]
    assert (people.loc[known["person"], "image"].to_numpy() == known["image"].to_numpy()).all()
    assert len(scores) and (scores["person"].isna() == (scores["OKS"] == 0)).all()


def test_a_pose_that_fits_nobody_is_nobody_s():
    similar = np.array([[0.0, 0.0], [0.2, 0.6]])
    of = COCOeval(iouType="keypoints")
    of.params.catIds, of.params.imgIds = [1], [7]
    of._gts, of._dts = {(7, 1): [{"id": 40}, {"id": 41}]}, {(7, 1): [{"score": 0.9}, {"score": 0.8}]}
    of.ious = {(7, 1): similar}
    assert list(_detections(of)) == [(7, None, 0.0, 0.9), (7, 41, 0.6, 0.8)]


def test_whom_no_detection_fits_counts_as_0(study, monkeypatch):
    first, *others = study.people()["person"]
    lines = [("with", 0, 1, first, 0.25, 1.0), ("with", 0, 1, first, 0.5, 0.0), ("with", 0, 1, None, 0.0, 2.0)]
    columns = ["row", "seed", "image", "person", "OKS", "score"]
    monkeypatch.setattr(
        TableData, "scores", lambda of: pd.DataFrame(lines, columns=columns).astype({"person": "Int64"})
    )
    best = study.best_oks()
    of_with = best[best["row"] == "with noise"].set_index("person")["OKS"]
    assert of_with[first] == 50 and (of_with[others] == 0).all() and len(of_with) == 1 + len(others) > 1


def test_runs_whose_poses_are_not_here_are_named(study, tmp_path):
    gone = open_study("1b", study.dataset.root, tmp_path)
    finish(gone, "with")
    (gone.store.path(gone.data.runs["with", 0].run_id) / PREDICTIONS_FILE).unlink()
    with pytest.warns(UserWarning, match="predictions are not here: with noise, seed 0"):
        assert not len(gone.keypoints())


def test_curves_have_no_column_that_no_run_has(study):
    frame = study.curves()
    assert not [name for name in frame.columns[8:] if frame[name].isin([None, ""]).all()]


def test_keypoints_errors_are_those_of_the_predictions(study):
    frame = study.keypoints()
    predictions = study.data.predictions("with", 0, BoxSource.GROUND_TRUTH)
    poses, val = predictions.keypoints_image(), study.dataset.val
    height, width = predictions.input_size
    place, person = next((place, one) for place, one in enumerate(val.people()) if one.visibility.any())
    lines = frame[frame["person"] == person.annotation_id].set_index("keypoint")
    assert set(lines.index) == {val.keypoints.names[k] for k in np.flatnonzero(person.visibility)}
    for k in np.flatnonzero(person.visibility):
        line = lines.loc[val.keypoints.names[k]]
        # box_scale is the crop's width and height in units of 200 image pixels
        offset = (poses[place, k] - person.keypoints_image[k]) / (200 * predictions.box_scale[place])
        assert [line["dx"], line["dy"]] == pytest.approx(100 * offset, abs=0.01)
        assert line["error"] == pytest.approx(np.hypot(offset[0] * width, offset[1] * height), abs=0.01)
        assert line["visibility"] == person.visibility[k]


def test_a_difference_of_which_too_little_is_here_is_a_sentence_and_one_run_is_one_pose(study, data, tmp_path):
    person = study.dataset.val.people()[0].annotation_id
    alone = study.pictures([person], ["+26 OKS"], "People.")
    assert alone.data == "Not drawn: the poses of seed 0 are not here for without noise."
    assert "orange: with noise." in study.pictures([person], [""], "People.", rows=["with noise"]).caption
    scores = open_study("1c", data, tmp_path)
    finish(scores, scores.table.runnable[0].key)
    rows = ", ".join(scores.variants.index)
    assert scores.pictures([person], [""], "People.").caption == f"People. White: labelled; orange: {rows}."


def test_of_one_seed_no_detectable_effect_is_stated_and_numbers_of_seeds_are_whole(empty):
    power = empty.power([1, 2])
    assert power["1 seeds"].isna().all() and power["2 seeds"].notna().all()
    for given in (0, -1, True):
        with pytest.raises(UserError, match=f"power\\(\\): {given!r} is no number of seeds"):
            empty.power([given])


def test_an_equivalence_has_no_detectable_effect_and_two_figures_of_one_pair_have_a_line_each(data, tmp_path):
    of_scores = open_study("1c", data, tmp_path).power([2])
    (table,) = tables(["1c"])
    equivalences = {difference_words(table, claim) for claim in table.claims if claim.kind == EffectKind.EQUIVALENCE}
    assert equivalences and of_scores.loc[list(equivalences), "2 seeds"].isna().all()
    assert of_scores["2 seeds"].notna().any()
    sizes = open_study("2b", data, tmp_path).power([2])
    assert {14.6, 16.5} <= set(sizes["paper"]) and sizes.index.has_duplicates


def test_runs_are_found_by_label_too_and_an_unknown_row_or_seed_is_named(study, empty):
    assert study.record("with noise", 0) == study.record("with", 0)
    assert list(study.poses("with noise", 0)) == list(study.poses("with", 0))
    for ask in (empty.record, empty.poses, lambda row, seed: empty.pictures([1], [""], "", seed=seed, rows=[row])):
        with pytest.raises(UserError, match="unknown row of Table 1b 'with nose': did you mean 'with noise'"):
            ask("with nose", 0)
        with pytest.raises(UserError, match="seed 9 is none of this study's: 0"):
            ask("with", 9)


def test_pictures_take_a_list_of_rows_and_a_line_above_each_person(study):
    with pytest.raises(UserError, match="rows 'with noise': give a list of at most 4 rows"):
        study.pictures([1], [""], "", rows="with noise")
    with pytest.raises(UserError, match="at most 4 rows"):
        study.pictures([1], [""], "", rows=["with"] * 5)
    person = study.dataset.val.people()[0].annotation_id
    for people, above in (([person], []), ([], [])):
        with pytest.raises(UserError, match=f"pictures of {len(people)} people with 0 lines above them"):
            study.pictures(people, above, "", rows=["with"])


def test_a_person_whose_image_has_not_the_labelled_size_is_not_drawn(study):
    person = replace(study.dataset.val.people()[0], image_size=(48, 36))
    with pytest.raises(UserError, match=r"image is 72 x 96, but .* says 36 x 48"):
        draw_label(Figure().add_subplot(), person, study.dataset.keypoints)


def test_a_study_says_what_it_is_and_an_unknown_person_or_setting_is_named(study, empty):
    assert repr(study) == "Table 1b: Noisy reference points; profile smoke, seeds 0; 1 of 2 runs done"
    assert "0 of 2 runs done" in repr(empty)
    with pytest.raises(UserError, match="no labelled person of split val has the annotation -1"):
        study.pictures([-1], ["nobody"], "Nobody.", rows=["with noise"])
    with pytest.raises(UserError, match="unknown parameter 'global_batsh': did you mean 'global_batch'"):
        row_run(study.profile, study.table, study.table.rows[0], 0, "f" * 16, {"train.global_batsh": 2})
