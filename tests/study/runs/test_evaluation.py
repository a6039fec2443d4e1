"""What is kept of a run gives the numbers that its predictions give, bit by bit, and alterations are found out."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.crop import CropRule, box_to_center_scale
from poseur_lib.errors import UserError
from poseur_lib.evaluation.ap import evaluate_predictions, rank_people
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.evaluation.matches import image_matches
from poseur_lib.evaluation.metrics import summarise
from poseur_lib.evaluation.strata import strata, stratum_matches
from poseur_lib.keypoints import COCO_17
from poseur_lib.scoring.instance import Scoring
from poseur_lib.scoring.uncertainty import density_scores, laplace_scores
from poseur_study.runs.evaluation_file import EVALUATION_FILE, best_of_copies, in_order_of_images
from poseur_study.runs.evaluation_of_predictions import run_evaluation
from poseur_study.runs.record import PREDICTIONS_FILE, finite, load_record, read_evaluation, read_record, write_record
from tests.study.fakes import make_record, random_predictions

SIZE = (64, 48)


@pytest.fixture(scope="module")
def people(coco4):
    return CocoPeople(coco4, "val", COCO_17)


def near(people, boxes, noise, seed=0) -> PredictedPeople:
    """Of each box, the pose of the labelled person of the image whose centre is nearest, with noise."""
    rng = np.random.default_rng(seed)
    labelled = people.people()
    points = []
    for one in boxes:
        here = [other for other in labelled if other.image_id == one.image_id]
        nearest = min(here, key=lambda other: abs(other.box[0] - one.box[0]) + abs(other.box[1] - one.box[1]))
        points.append(nearest.keypoints_image + rng.normal(0, noise * nearest.area**0.5, (17, 2)))
    center, scale = (
        np.stack(values).astype(np.float32)
        for values in zip(*(box_to_center_scale(one.box, SIZE, CropRule()) for one in boxes), strict=True)
    )
    keypoints = (np.stack(points) - center[:, None]) / (200 * scale[:, None]) + 0.5
    sigma = rng.uniform(0.02, 0.6, (len(boxes), 17, 2)).astype(np.float32)
    return PredictedPeople(
        image_id=np.array([one.image_id for one in boxes]),
        bbox_scores=np.array([one.bbox_score for one in boxes], np.float32).round(1),
        center=center,
        box_scale=scale,
        keypoints=keypoints.astype(np.float32),
        sigma=sigma,
        keypoint_scores=(1 - sigma).mean(-1),
        input_size=SIZE,
    )


@pytest.fixture(scope="module")
def predictions(people):
    """Both box sources, the detector's upside down, so that their order is not that of the images."""
    return {
        BoxSource.GROUND_TRUTH: near(people, people.people(), 0.07),
        BoxSource.DETECTOR: near(people, people.detections()[::-1], 0.06),
    }


@pytest.mark.parametrize("scoring", [None, Scoring.BOX, Scoring.EQ8_SIGMA])
@pytest.mark.parametrize("boxes", list(BoxSource))
def test_every_metric_and_stratum_is_that_of_the_predictions(people, predictions, smoke_config, boxes, scoring):
    of = rank_people(predictions[boxes], smoke_config, COCO_17, scoring)
    expected = evaluate_predictions(people, predictions[boxes], smoke_config, scoring)
    kept = run_evaluation(people, predictions, smoke_config)
    scores = None if scoring is None else of.instance_scores[in_order_of_images(predictions[boxes])]
    found = kept.matching(boxes, scores)
    pairs = [(image_matches(expected, area), image_matches(found, area)) for area in ("all", "medium", "large")]
    groups = [[(one.group, one.name, len(one.annotation_ids)) for one in strata(of)] for of in (expected, found)]
    assert groups[0] == groups[1] and len(groups[0]) > 4
    pairs += [
        (stratum_matches(expected, a), stratum_matches(found, b))
        for a, b in zip(strata(expected), strata(found), strict=True)
    ]
    for one, other in pairs:
        for name in ("image", "matched", "ignored", "people"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    assert 5 < summarise(found).AP < 95 and finite(asdict(summarise(found))) == finite(asdict(summarise(expected)))


@pytest.mark.parametrize("radius", [0.2, 0.05])
def test_stored_sigmas_are_scored_by_the_radius_of_their_configuration(smoke_config, radius):
    config = smoke_config.with_changes(**{"model.head.score_radius": radius})
    count, edges = config.model.head.loss.log_sigma_count, np.linspace(0, 1, 65, dtype=np.float32)
    predicted = replace(random_predictions(20), flow_masses=np.outer(edges, edges**2))
    by_sigma = laplace_scores(torch.from_numpy(predicted.sigma), radius).numpy()
    by_flow = density_scores(predicted.sigma, predicted.flow_masses, radius, log_sigma_count=count)
    for scoring, expected in ((Scoring.EQ8_SIGMA, by_sigma), (Scoring.FLOW, by_flow)):
        ranked = rank_people(predicted, config, COCO_17, scoring, nms=False)
        assert np.array_equal(ranked.predictions.keypoint_scores, expected)


def test_going_down_the_scores_copies_of_what_was_kept_are_dropped():
    copies = np.array([[0, 1, 3], [1, 2, 4]])
    assert best_of_copies(np.array([3, 2, 1, 0, 0]), copies).tolist() == [True, False, True, True, False]
    assert best_of_copies(np.array([1, 3, 2, 0, 1]), copies).tolist() == [False, True, False, False, True]


def test_a_record_without_predictions_is_whole_and_says_so_when_they_are_asked_for(
    people, predictions, smoke_config, run_folder
):
    kept = run_evaluation(people, predictions, smoke_config)
    written = write_record(run_folder, make_record(smoke_config), predictions, kept)
    (run_folder / PREDICTIONS_FILE).unlink()
    assert read_record(run_folder) == written
    stored = read_evaluation(run_folder, written)
    for boxes in BoxSource:
        assert vars(stored.boxes[boxes]).keys() == vars(kept.boxes[boxes]).keys()
        assert all(np.array_equal(vars(stored.boxes[boxes])[name], of) for name, of in vars(kept.boxes[boxes]).items())
    assert all(np.array_equal(vars(stored.errors)[name], of) for name, of in vars(kept.errors).items())
    with pytest.raises(UserError, match=r"are not here.*poseur runs import"):
        load_record(run_folder)


@pytest.mark.parametrize("damage", [lambda d: d[:-9], lambda d: d[:500] + b"x" + d[501:], lambda d: b""])
def test_an_altered_evaluation_is_an_error(people, predictions, smoke_config, run_folder, damage):
    write_record(
        run_folder,
        make_record(smoke_config),
        predictions,
        run_evaluation(people, predictions, smoke_config),
    )
    path = run_folder / EVALUATION_FILE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"evaluation\.xz is not that of the record: cut off or altered"):
        read_record(run_folder)


def test_an_evaluation_of_other_predictions_is_an_error(people, predictions, smoke_config, run_folder):
    kept = run_evaluation(people, predictions, smoke_config)
    write_record(run_folder, make_record(smoke_config), predictions, kept)
    theirs = (run_folder / EVALUATION_FILE).read_bytes()
    others = {boxes: replace(of, bbox_scores=of.bbox_scores / 2) for boxes, of in predictions.items()}
    write_record(run_folder, make_record(smoke_config), others, kept)
    (run_folder / EVALUATION_FILE).write_bytes(theirs)
    with pytest.raises(UserError, match="of predictions"):
        read_record(run_folder)
