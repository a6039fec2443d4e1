"""The bootstrap's AP is COCO's: as it is, and on resamples that are really built and evaluated by pycocotools."""

import contextlib
import copy
import io
import math

import numpy as np
import pytest

from poseur_lib.data.coco import CocoPeople, index
from poseur_lib.evaluation.bootstrap import Scorer, bootstrap, resamples
from poseur_lib.evaluation.matches import ImageMatches, image_matches
from poseur_lib.evaluation.metrics import coco_evaluation, evaluate_coco, summarise
from poseur_lib.keypoints import COCO_17

MEASURES = {"AP": "AP", "AP50": "AP50", "AP75": "AP75", "AR": "AR"}


@pytest.fixture(scope="module")
def good(crowd):
    return coco_evaluation(crowd.coco, crowd.good, COCO_17)


@pytest.fixture(scope="module")
def bad(crowd):
    return coco_evaluation(crowd.coco, crowd.bad, COCO_17)


def test_equals_coco_exactly(good, bad):
    for evaluation in (good, bad):
        metrics = summarise(evaluation)
        for measure, field in MEASURES.items():
            assert Scorer(image_matches(evaluation), measure)() == getattr(metrics, field)
        for area, letter in (("medium", "M"), ("large", "L")):
            matches = image_matches(evaluation, area)
            assert Scorer(matches)() == getattr(metrics, f"AP_{letter}")
            assert Scorer(matches, "AR")() == getattr(metrics, f"AR_{letter}")
    assert 20 < metrics.AP < 80


def resampled(crowd, results, counts):
    """The data set in which image i stands counts[i] times, under new ids, and the results for it."""
    images, annotations, copies = [], [], []
    by_image = {image["id"]: [one for one in results if one["image_id"] == image["id"]] for image in
                crowd.coco.dataset["images"]}  # fmt: skip
    for image, count in zip(crowd.coco.dataset["images"], counts, strict=True):
        for _ in range(count):
            image_id = len(images) + 1
            images.append({**image, "id": image_id})
            for one in crowd.coco.imgToAnns[image["id"]]:
                annotations.append({**copy.deepcopy(one), "image_id": image_id, "id": len(annotations) + 1})
            copies += [{**one, "image_id": image_id} for one in by_image[image["id"]]]
    dataset = {**crowd.coco.dataset, "images": images, "annotations": annotations}
    return index(dataset, 1), copies


def test_equals_coco_on_real_resamples(crowd, good):
    matches = image_matches(good)
    for counts in resamples(len(matches.image_ids), n=6, seed=1):
        metrics = evaluate_coco(*resampled(crowd, crowd.good, counts), COCO_17)
        for measure, field in MEASURES.items():
            assert Scorer(matches, measure)(counts) == pytest.approx(getattr(metrics, field), abs=1e-9)
        assert Scorer(image_matches(good, "medium"))(counts) == pytest.approx(metrics.AP_M, abs=1e-9)


def test_more_than_twenty_detections_an_image(crowd):
    """COCO looks at the 20 best of an image."""
    image_id = crowd.good[0]["image_id"]
    many = crowd.good + [{**crowd.good[0], "image_id": image_id, "score": 0.01 * i} for i in range(40)]
    evaluation = coco_evaluation(crowd.coco, many, COCO_17)
    assert Scorer(image_matches(evaluation))() == summarise(evaluation).AP
    assert np.bincount(image_matches(evaluation).image).max() == 20


def test_equals_coco_on_real_people(coco_tiny):
    people = CocoPeople(coco_tiny, "val", COCO_17)
    rng, results = np.random.default_rng(0), []
    for person in people.people():
        points = person.keypoints_image + rng.normal(0, 0.03 * math.sqrt(person.area), (17, 2))
        keypoints = np.column_stack([points, np.ones(17)]).reshape(-1).tolist()
        results.append({"image_id": person.image_id, "category_id": 1, "keypoints": keypoints, "score": rng.random()})
    evaluation = coco_evaluation(people.coco, results, COCO_17)
    metrics = summarise(evaluation)
    draws = bootstrap(image_matches(evaluation), n=200, seed=0)
    assert Scorer(image_matches(evaluation))() == metrics.AP > 50
    assert draws.min() < metrics.AP < draws.max()


def test_nothing_found_and_nobody_to_find(crowd):
    metrics = evaluate_coco(crowd.coco, [], COCO_17)
    assert metrics.AP == 0 and metrics.AR == 0
    matches = image_matches(coco_evaluation(crowd.coco, [], COCO_17))
    assert Scorer(matches)() == 0
    empty = {**crowd.coco.dataset, "annotations": []}
    metrics = evaluate_coco(index(empty, 1), crowd.good, COCO_17)
    assert math.isnan(metrics.AP) and math.isnan(metrics.AP_M)
    matches = image_matches(coco_evaluation(index(empty, 1), crowd.good, COCO_17))
    assert math.isnan(Scorer(matches)()) and np.isnan(bootstrap(matches, n=5, seed=0)).all()


def test_draws_are_a_function_of_the_seed(good):
    matches = image_matches(good)
    first, again, other = (bootstrap(matches, n=100, seed=seed) for seed in (3, 3, 4))
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize(("measure", "rows"), [("AP", slice(None)), ("AP75", slice(5, 6))])
def test_precision_is_coco_s_at_each_recall(crowd, measure, rows):
    evaluation = coco_evaluation(crowd.coco, crowd.good, COCO_17)
    scorer = Scorer(image_matches(evaluation), measure)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    np.testing.assert_array_equal(scorer.precision(), evaluation.eval["precision"][rows, :, 0, 0, -1])
    assert scorer() == pytest.approx(100 * scorer.precision().mean())


def test_paired_difference(good, bad):
    ours, theirs = image_matches(good), image_matches(bad)
    first, second = bootstrap(ours, 300, 0), bootstrap(theirs, 300, 0)
    assert np.quantile(first - second, 0.025) > 0
    assert (first - second).std() < math.hypot(first.std(), second.std())


def test_resamples_draw_as_many_images_as_there_are():
    drawn = np.array(list(resamples(40, 500, seed=0)))
    assert (drawn.sum(1) == 40).all()
    assert drawn.mean() == 1 and drawn.var() == pytest.approx(1 - 1 / 40, abs=0.05)


def made_up_matches(images: int, per_image: int) -> ImageMatches:
    """Matches of no particular model, two people an image, at COCO's ten OKS thresholds."""
    rng = np.random.default_rng(0)
    detections = images * per_image
    quality = rng.random(detections) * (rng.random(detections) < 0.12)
    thresholds = np.linspace(0.5, 0.95, 10)
    return ImageMatches(
        image_ids=np.arange(images),
        image=rng.permutation(np.repeat(np.arange(images), per_image)),
        matched=quality[None] > thresholds[:, None] - 0.4,
        ignored=rng.random((10, detections)) < 0.1,
        people=np.full(images, 2),
        oks_thresholds=thresholds,
        recall_thresholds=np.linspace(0, 1, 101),
    )


def test_recall_spreads_by_the_standard_error_of_the_mean():
    """On as many images and detections as COCO has: with two people on each image, AR is a mean over images."""
    matches = made_up_matches(5000, 21)
    found = (matches.matched & ~matches.ignored).mean(0)
    of_image = 50 * np.bincount(matches.image, weights=found)
    draws = bootstrap(matches, 300, seed=0, measure="AR")
    assert Scorer(matches, "AR")() == pytest.approx(of_image.mean())
    assert draws.mean() == pytest.approx(of_image.mean(), abs=0.15)
    assert draws.std() == pytest.approx(of_image.std() / math.sqrt(5000), rel=0.1)
