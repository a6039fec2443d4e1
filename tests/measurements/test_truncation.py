"""Keypoints of cut people counted on hand-made predictions, and the frames of what was counted."""

import numpy as np
import pandas as pd
import pytest

from poseur_lib.data.coco import CocoPeople, Person
from poseur_lib.data.crop import PIXELS_PER_SCALE, CropRule, box_to_center_scale
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.truncation import Cut, places
from poseur_lib.keypoints import COCO_17
from poseur_study.analysis.measured_values import MeasuredEntry, over_seeds, write_measured
from poseur_study.experiments.analyses import HEATMAP, SUPERVISED
from poseur_study.measurements.truncation import (
    EXAMPLE_CUT,
    EXAMPLES,
    LEAST_OUTSIDE,
    SHARES,
    SIDES,
    ZONES,
    ExamplePose,
    Tally,
    TruncatedRun,
    ZonePoint,
    count,
    example_people,
    measurement_settings,
    outside_in_training,
    side_points,
    truncation,
)
from tests.measurements.studies import open_study
from tests.training.tiny import write_people

RULE, SIZE = CropRule(), (64, 48)
LAST = np.array([47 / 48, 63 / 64])
IMAGES = list(range(8))


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> list[Person]:
    return CocoPeople(write_people(tmp_path_factory.mktemp("people"), train=1, val=8), "val", COCO_17).people()


def predictions(people: list[Person], cut: Cut, how: str) -> PredictedPeople:
    """The truth itself; the truth drawn to the nearest place in the crop; or far away from it, outside."""
    crops = [box_to_center_scale(cut.box(person.box), SIZE, RULE) for person in people]
    center, box_scale = (np.stack(column) for column in zip(*crops, strict=True))
    side = box_scale[:, None] * PIXELS_PER_SCALE
    truth = np.stack([person.keypoints_image for person in people])
    points = (truth - center[:, None] + side / 2) / side
    points = {"truth": points, "confined": points.clip(0, LAST), "away": points + 9}[how].astype(np.float32)
    return PredictedPeople(
        image_id=np.array([person.image_id for person in people]), bbox_scores=np.ones(len(people), np.float32),
        center=center, box_scale=box_scale, keypoints=points, sigma=None,
        keypoint_scores=np.ones(points.shape[:2], np.float32), input_size=SIZE,
    )  # fmt: skip


def tally(people: list[Person], cut: Cut, how: str) -> Tally:
    return count(predictions(people, cut, how), people, cut, COCO_17, RULE, IMAGES)


def run(people: list[Person], how: str) -> TruncatedRun:
    points = []
    for side in SIDES:
        cuts = {share: Cut(side, share) for share in SHARES}
        points += side_points(side, {share: tally(people, cut, how) for share, cut in cuts.items()})
    return TruncatedRun(points=tuple(points), examples=())


def test_counts_of_keypoints_do_not_depend_on_the_predictions_and_add_up(people):
    cut = Cut("bottom", 0.5)
    (one, *_), (other, *_) = (tally(people, cut, how) for how in ("truth", "away"))
    assert np.array_equal(one, other)
    inside, padding, outside, far = one.sum(0)
    assert inside + outside == 17 * 8 and 0 < padding < inside and 0 < far < outside


def test_the_truth_is_found_everywhere_and_what_stays_in_the_crop_only_where_it_can_reach(people):
    cut = Cut("bottom", 0.5)
    kinds = ("truth", "confined", "away")
    truth, confined, (_, away_correct, _) = (tally(people, cut, how) for how in kinds)
    keypoints, correct, placed_outside = truth
    assert np.array_equal(correct, keypoints) and not away_correct.any()
    assert np.array_equal(placed_outside[:, 2:], keypoints[:, 2:]) and not placed_outside[:, :2].any()
    keypoints, correct, placed_outside = confined
    assert np.array_equal(correct[:, :2], keypoints[:, :2])
    outside, far = (keypoints[:, ZONES.index(zone)] for zone in ("outside", "far"))
    assert np.array_equal(correct[:, ZONES.index("outside")], outside - far)
    assert not correct[:, ZONES.index("far")].any() and not placed_outside.any()


def point(of: TruncatedRun, side: str, share: float | None, zone: str) -> ZonePoint:
    return next(one for one in of.points if (one.side, one.share, one.zone) == (side, share, zone))


def test_a_point_is_a_share_with_as_many_draws_on_the_same_resamples(people):
    found = run(people, "confined")
    for side in SIDES:
        whole = point(found, side, 0.0, "outside")
        assert whole.keypoints == 0 and whole.correct.value is None and whole.placed_outside is None
        outside, far = (point(found, side, None, zone) for zone in ("outside", "far"))
        assert outside.keypoints == sum(point(found, side, share, "outside").keypoints for share in SHARES)
        assert outside.correct.value == pytest.approx(100 * (1 - far.keypoints / outside.keypoints), abs=1e-3)
    assert far.keypoints == 0 and far.correct.value is None
    far = point(found, "bottom", None, "far")
    assert far.correct.value == 0 and set(far.correct.draws) == {0.0}
    assert len(found.lines()) == len(SIDES) * len(ZONES) * (len(SHARES) + 1)


@pytest.fixture
def stored(people, tmp_path):
    """A study whose folder holds what was measured of two rows, the first by two seeds, one of them with a pose."""
    write_people(tmp_path / "data", train=4, val=8)
    study = open_study("figure_s1", tmp_path / "data", tmp_path / "runs", (0, 1))
    pose = ExamplePose(annotation_id=7, crop=(0.0, 0.0, 40.0, 60.0), keypoints=((5.0, 6.0),) * 17)
    truth, away = run(people, "truth"), run(people, "away")
    of = {(SUPERVISED, 0): truth, (SUPERVISED, 1): away, (HEATMAP, 0): run(people, "confined")}
    of[HEATMAP, 0] = of[HEATMAP, 0].model_copy(update={"examples": (pose,)})
    entries = [
        MeasuredEntry(
            row=row, seed=seed, run_id=study.data.runs[row, seed].run_id, data_fingerprint=study.dataset.fingerprint,
            settings=measurement_settings(), version=1, values=values.model_dump(mode="json"),
        )
        for (row, seed), values in of.items()
    ]  # fmt: skip
    write_measured(study.folder, "truncation", list(zip(entries, of.values(), strict=True)))
    return study


def test_what_was_measured_is_a_line_a_zone_and_a_line_a_pose(stored):
    keypoints, poses = truncation(stored)
    assert len(keypoints) == 3 * len(SIDES) * len(ZONES) * (len(SHARES) + 1)
    assert list(keypoints["row"].unique()) == ["Poseur, supervised outside", "SimpleBaseline"]
    assert list(keypoints["row"].cat.categories) == [row.label for row in stored.table.runnable]
    assert sum(note.count(", seed ") for note in keypoints.attrs["missing"] if "its run is absent" in note) == 3
    assert keypoints.attrs["images"] == 8
    (pose,) = poses.itertuples()
    assert (pose.row, pose.person, pose.pose.shape) == ("SimpleBaseline", 7, (17, 2))


def test_shares_are_means_over_seeds_and_differences_those_of_the_seeds_that_both_have(stored):
    keypoints, _ = truncation(stored)
    outside = keypoints.query("side == 'bottom' and cut == 'all' and zone == 'outside'").set_index(
        ["side", "row", "seed"]
    )["sample"]
    shares = over_seeds(outside, 8).loc["bottom"]
    assert shares.loc["Poseur, supervised outside", ["value", "seeds"]].to_list() == [50, 2]
    assert shares.loc["Poseur, supervised outside", "low"] < 0  # cut at 0 where it is shown
    both = outside.unstack("row").dropna()
    difference = over_seeds(both["Poseur, supervised outside"] - both["SimpleBaseline"], 8)
    found = keypoints.query("side == 'bottom' and cut == 'all' and row == 'SimpleBaseline'").set_index("zone")
    number = found["keypoints"]
    assert found["correct"]["outside"] == pytest.approx(100 * (1 - number["far"] / number["outside"]), abs=1e-3)
    assert difference["value"].iloc[0] == pytest.approx(100 - found["correct"]["outside"], abs=1e-3)


def test_zones_without_keypoints_have_no_share(stored):
    keypoints, _ = truncation(stored)
    nowhere = keypoints.query("cut == 0 and zone == 'outside'")
    assert (nowhere["keypoints"] == 0).all() and nowhere["correct"].isna().all() and nowhere["outside"].isna().all()
    samples = nowhere.set_index(["row", "side", "seed"])["sample"]
    assert over_seeds(samples, 8)["estimate"].isna().all()


def test_half_bodies_leave_keypoints_outside_the_crop(stored):
    found = outside_in_training(stored)
    assert list(found.index) == ["this table", "profile smoke"] and (found["people"] == 4).all()
    assert found["outside, %"].between(0, 100).all() and isinstance(found, pd.DataFrame)


def test_those_who_are_drawn_are_the_same_for_every_run(people):
    first, second = (example_people(people, COCO_17, SIZE, RULE) for _ in range(2))
    assert 0 < len(first) <= EXAMPLES and first == second
    outside = places(first, EXAMPLE_CUT, COCO_17, SIZE, RULE).outside
    assert (outside.sum(-1) >= LEAST_OUTSIDE).all()
