"""AP by stratum: whole groups, closed cases, and agreement with COCO where COCO has the stratum."""

import numpy as np
import pytest

from poseur_lib.evaluation.bootstrap import Scorer
from poseur_lib.evaluation.matches import image_matches
from poseur_lib.evaluation.metrics import coco_evaluation, summarise
from poseur_lib.evaluation.strata import Stratum, evaluate_strata, hidden_share, strata, stratum_matches
from poseur_lib.keypoints import COCO_17
from tests.evaluation.conftest import result


@pytest.fixture(scope="module")
def evaluation(crowd):
    return coco_evaluation(crowd.coco, crowd.good, COCO_17)


def labelled(crowd):
    return [one for one in crowd.coco.anns.values() if not one["iscrowd"] and one["num_keypoints"]]


def test_every_group_holds_everyone_once(crowd, evaluation):
    found = strata(evaluation)
    groups = {stratum.group for stratum in found}
    assert groups == {"hidden", "truncated", "view", "size", "people"}
    for group in groups:
        ids = sorted(one for stratum in found if stratum.group == group for one in stratum.annotation_ids)
        assert ids == sorted(one["id"] for one in labelled(crowd))


def test_everyone_is_no_stratum_at_all(crowd, evaluation):
    everyone = Stratum("all", "all", frozenset(crowd.coco.anns))
    assert Scorer(stratum_matches(evaluation, everyone))() == Scorer(image_matches(evaluation))()


def test_the_evaluation_is_left_as_it_was(evaluation):
    before = summarise(evaluation)
    rows = evaluate_strata(evaluation)
    assert summarise(evaluation) == before
    assert evaluate_strata(evaluation) == rows
    assert all(0 < row.AP <= 100 and row.AP <= row.AR + 1e-9 for row in rows if row.people > 5)


def test_mistakes_count_where_they_belong(crowd):
    """Predictions are perfect for people seen from the front, and far off for all others."""
    results = []
    for one in labelled(crowd):
        keypoints = np.array(one["keypoints"]).reshape(17, 3)
        if one["poseur_people"]["view"] != "front":
            keypoints[:, :2] += 0.15 * np.sqrt(one["area"]) * np.where(np.arange(17)[:, None] % 2, 1, -1)
        results.append({"image_id": one["image_id"], "category_id": 1, "keypoints": keypoints.reshape(-1).tolist(),
                        "score": 0.9 - 0.0001 * one["id"]})  # fmt: skip
    evaluation = coco_evaluation(crowd.coco, results, COCO_17)
    rows = {row.name: row for row in evaluate_strata(evaluation) if row.group == "view"}
    assert rows["front"].AP > 97 and rows["front"].AR == 100
    assert rows["side"].AP < 30 and rows["back"].AP < 30
    assert summarise(evaluation).AP < 20


def test_sizes_agree_with_coco_where_every_detection_is_as_large_as_its_person(crowd):
    """With so little noise it fits nobody better. Else COCO goes by its area, a stratum by whom it fits."""
    rng, results = np.random.default_rng(0), []
    for one in labelled(crowd):
        points = np.array(one["keypoints"]).reshape(17, 3)[:, :2]
        points = points + rng.normal(0, rng.uniform(0, 0.04) * np.sqrt(one["area"]), points.shape)
        own, found = np.digitize([one["area"], np.prod(np.ptp(points, axis=0))], [32**2, 96**2])
        if own == found:
            results.append(result(one["image_id"], points, 0.9 - 0.001 * one["id"]))
    evaluation = coco_evaluation(crowd.coco, results, COCO_17)
    sizes, coco = {row.name: row for row in evaluate_strata(evaluation) if row.group == "size"}, summarise(evaluation)
    for name, ap, ar in (("medium", coco.AP_M, coco.AR_M), ("large", coco.AP_L, coco.AR_L)):
        assert (sizes[name].AP, sizes[name].AR) == pytest.approx((ap, ar)) and 50 < ap < ar < 99


def test_a_false_positive_that_fits_nobody_counts_everywhere(crowd):
    one = labelled(crowd)[0]
    right = {"image_id": one["image_id"], "category_id": 1, "keypoints": one["keypoints"], "score": 0.5}
    far = {**right, "keypoints": [value + 5000 for value in one["keypoints"]], "score": 0.9}
    stratum = Stratum("one", "one", frozenset([one["id"]]))

    def ap(results):
        return Scorer(stratum_matches(coco_evaluation(crowd.coco, results, COCO_17), stratum))()

    assert ap([right]) == pytest.approx(100)
    assert ap([right, far]) == pytest.approx(50)


def test_hidden_share():
    assert hidden_share({"keypoints": [0, 0, 0, 1, 1, 1, 1, 1, 2, 1, 1, 2]}) == pytest.approx(1 / 3)
    assert hidden_share({"keypoints": [0, 0, 0]}) == 0


def test_real_people_have_no_view(coco_tiny):
    from poseur_lib.data.coco import CocoPeople

    people = CocoPeople(coco_tiny, "val", COCO_17)
    found = strata(coco_evaluation(people.coco, [], COCO_17))
    assert {stratum.group for stratum in found} == {"hidden", "size", "people"}
    assert sum(len(stratum.annotation_ids) for stratum in found if stratum.group == "size") == 46
