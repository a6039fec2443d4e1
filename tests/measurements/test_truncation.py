"""Keypoints of cut people counted on hand-made predictions, and what is said of the counts."""

import re

import numpy as np
import pytest

from poseur_lib.data.coco import CocoPeople, Person
from poseur_lib.data.crop import PIXELS_PER_SCALE, CropRule, box_to_center_scale
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.truncation import Cut, places
from poseur_lib.keypoints import COCO_17
from poseur_study.analysis.verdict import Evidence
from poseur_study.display.truncation import (
    FADED,
    faded,
    frame,
    truncation_examples,
    truncation_figure,
    truncation_findings,
    truncation_table,
)
from poseur_study.experiments.analyses import AS_RELEASED, FIGURE_S1, HEATMAP, SUPERVISED
from poseur_study.measurements.measure import Measurements
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
    count,
    example_people,
    side_points,
)
from poseur_study.measurements.truncation_curves import Truncation, reachable, row_shares
from tests.measurements.studies import open_study
from tests.training.tiny import write_people

RULE, SIZE = CropRule(), (64, 48)
LAST = np.array([47 / 48, 63 / 64])
MISSING = "SimpleBaseline, seed 1: its run is absent"
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


def truncation_of(**runs: TruncatedRun) -> Truncation:
    """Rows of one seed."""
    return seeds_of_rows({key: {0: one} for key, one in runs.items()})


def seeds_of_rows(runs: dict[str, dict[int, TruncatedRun]]) -> Truncation:
    labels = {row.key: row.label for row in FIGURE_S1.rows}
    measured = Measurements({(key, seed): one for key, of in runs.items() for seed, one in of.items()}, (MISSING,))
    rows = tuple(row_shares(key, labels[key], list(of.values()), len(IMAGES)) for key, of in runs.items())
    return Truncation(rows, measured.notes, len(IMAGES), measured)


@pytest.fixture(scope="module")
def all_rows(people) -> Truncation:
    kinds = {AS_RELEASED: "away", SUPERVISED: "truth", HEATMAP: "confined"}
    return truncation_of(**{key: run(people, how) for key, how in kinds.items()})


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


def test_a_point_is_a_share_with_as_many_draws_on_the_same_resamples(people):
    found = run(people, "confined")
    for side in SIDES:
        whole = found.point(side, 0.0, "outside")
        assert whole.keypoints == 0 and whole.correct.value is None and whole.placed_outside is None
        outside, far = (found.point(side, None, zone) for zone in ("outside", "far"))
        assert outside.keypoints == sum(found.point(side, share, "outside").keypoints for share in SHARES)
        assert outside.correct.value == pytest.approx(100 * (1 - far.keypoints / outside.keypoints), abs=1e-3)
    assert far.keypoints == 0 and far.correct.value is None
    far = found.point("bottom", None, "far")
    assert far.correct.value == 0 and set(far.correct.draws) == {0.0}
    assert len(found.lines()) == len(SIDES) * len(ZONES) * (len(SHARES) + 1)


def test_curves_and_differences(all_rows):
    best = all_rows.row(SUPERVISED).all_cuts("bottom", "outside")
    confined = all_rows.row(HEATMAP).all_cuts("bottom", "outside")
    far = all_rows.row(HEATMAP).all_cuts("bottom", "far")
    assert best.correct.value == 100 and best.correct.low == 100
    assert confined.correct.value == pytest.approx(reachable(confined, far), abs=1e-3)
    assert confined.correct.low < confined.correct.value < confined.correct.high
    assert all_rows.row(AS_RELEASED).all_cuts("right", "inside").correct.value == 0
    difference = all_rows.difference(SUPERVISED, HEATMAP, "bottom", "outside")
    assert difference.value == pytest.approx(100 - confined.correct.value, abs=1e-3) and difference.low > 0
    assert all(share.cut for share in all_rows.row(HEATMAP).curve("bottom", "outside"))


def test_what_was_found_is_computed_and_stamped(all_rows):
    text = truncation_findings(all_rows, Evidence.NONE).data
    assert "Evidence: no evidence." in text and MISSING in text
    assert "outside the crop, 1 seed: Poseur, as released finds 0.0 % (no interval) and places 100.0 %" in text
    assert "Poseur, supervised outside finds 100.0 % (no interval) and places 100.0 %" in text
    assert "Poseur, supervised outside finds 100.0 %; SimpleBaseline finds 0.0 %. SimpleBaseline places 0.0 %" in text
    assert re.search(r"correct for at most \d+\.\d % of the keypoints outside", text)
    found = "Poseur, supervised outside minus Poseur, as released, 1 seed: 100.0 % minus 0.0 %, +100.0 points"
    assert f"{found} (no interval), undecided (one seed)." in text


def test_levels_are_those_of_the_seeds_that_are_compared(people):
    truth, confined, away = (run(people, how) for how in ("truth", "confined", "away"))
    of = seeds_of_rows({SUPERVISED: {1: truth, 2: truth}, HEATMAP: {0: confined, 1: away, 2: away}})
    text = truncation_findings(of, Evidence.GENERATED).data
    who = "Poseur, supervised outside minus SimpleBaseline, 2 seeds"
    assert f"{who}: 100.0 % minus 0.0 %, +100.0 points (no interval), more." in text
    seeds = "2 seeds (Poseur, supervised outside), 3 seeds (SimpleBaseline)"
    assert f"keypoints outside the crop, {seeds}: Poseur" in text and seeds in truncation_table(of).data
    other = seeds_of_rows({SUPERVISED: {0: truth}, HEATMAP: {1: confined}})
    assert " minus " not in truncation_findings(other, Evidence.GENERATED).data


def test_rows_that_find_none_are_not_compared(people):
    away = run(people, "away")
    of = seeds_of_rows({key: {0: away, 1: away} for key in (SUPERVISED, HEATMAP)})
    number = of.rows[0].all_cuts("bottom", "outside").keypoints
    text = truncation_findings(of, Evidence.GENERATED).data
    assert f"minus SimpleBaseline, 2 seeds: none of {number:,}: too few to compare." in text
    assert "no difference found" not in text


def test_the_interval_of_a_share_ends_where_shares_do(people):
    truth, away = run(people, "truth"), run(people, "away")
    of = seeds_of_rows({SUPERVISED: {0: truth, 1: away}})
    assert of.row(SUPERVISED).all_cuts("bottom", "outside").correct.low < 0
    text = truncation_table(of).data
    assert "0.0 to 100.0" in text and not re.search(r"[-−]\d", text)
    assert "finds 50.0 % (0.0 to 100.0)" in truncation_findings(of, Evidence.GENERATED).data


def test_poses_side_by_side_are_of_one_seed(people, tmp_path):
    write_people(tmp_path / "data", train=1, val=8)
    study = open_study("figure_s1", tmp_path / "data", tmp_path / "runs")
    person, plain = study.dataset.val.people()[0], run(people, "truth")

    def drawn(place: float) -> TruncatedRun:
        pose = ((place, place),) * 17
        example = ExamplePose(annotation_id=person.annotation_id, crop=(0.0, 0.0, 40.0, 60.0), keypoints=pose)
        return plain.model_copy(update={"examples": (example,)})

    of = seeds_of_rows({AS_RELEASED: {1: drawn(5), 2: drawn(6)}, HEATMAP: {0: drawn(7), 1: drawn(8)}})
    assert "seed 1, the first that was measured of all rows" in truncation_examples(study, of).data
    apart = seeds_of_rows({AS_RELEASED: {1: drawn(5)}, HEATMAP: {0: drawn(7)}})
    assert "No seed was measured of all rows" in truncation_examples(study, apart).data


def test_figures_draw_with_all_rows_with_one_and_with_none(all_rows, people):
    for of in (all_rows, truncation_of(**{AS_RELEASED: run(people, "truth")})):
        for side in SIDES:
            assert f"People cut off at the {side}" in truncation_figure(of, FIGURE_S1, side).data
        assert "out of reach from inside" in truncation_table(of).data
        assert "Evidence" in truncation_findings(of, Evidence.GENERATED).data
    for show in (truncation_figure(truncation_of(), FIGURE_S1, "bottom"), truncation_table(truncation_of())):
        assert "no row has been measured" in show.data and MISSING in show.data


def test_those_who_are_drawn_are_the_same_for_every_run(people):
    first, second = (example_people(people, COCO_17, SIZE, RULE) for _ in range(2))
    assert 0 < len(first) <= EXAMPLES and first == second
    outside = places(first, EXAMPLE_CUT, COCO_17, SIZE, RULE).outside
    assert (outside.sum(-1) >= LEAST_OUTSIDE).all()


def test_what_the_model_does_not_see_is_drawn_weakly_and_the_frame_holds_everything():
    image, box = np.full((100, 60, 3), 200, np.uint8), (10.0, 10.0, 40.0, 80.0)
    shown = faded(image, Cut("bottom", 0.5), box)
    assert shown[:51].min() == 200 and set(shown[51:].ravel()) == {int(200 * FADED)}
    (left, right), (bottom, top) = frame(np.array([[-20.0, 50.0], [30.0, 120.0]]))
    assert left < -20 and right > 30 and bottom > 120 and top < 50
