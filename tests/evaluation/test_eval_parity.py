"""Twelve evaluations of the released code on stored predictions: AP and AR to 1e-6 (of 1), counts, order and scores."""

import json

import numpy as np
import pytest

from poseur_lib.data.coco import CocoPeople
from poseur_lib.evaluation.metrics import evaluate_coco, to_coco_results
from poseur_lib.evaluation.nms import keep_people, oks_nms
from poseur_lib.keypoints import COCO_17
from poseur_lib.scoring.instance import instance_scores
from poseur_study.parity.evaluation import soft_oks_nms, stored_predictions

STATS = {"AP": "AP", "AP .5": "AP50", "AP .75": "AP75", "AP (M)": "AP_M", "AP (L)": "AP_L",
         "AR": "AR", "AR .5": "AR50", "AR .75": "AR75", "AR (M)": "AR_M", "AR (L)": "AR_L"}  # fmt: skip
NAMES = [
    "gt_rescore_visthr0.2", "gt_rle",
    "det_rescore_visthr0.2", "det_rescore_visthr0.2_oks0.5", "det_rescore_visthr0.2_oks0.3",
    "det_rescore_visthr0.2_nonms", "det_rescore_visthr0.2_softnms",
    "det_rle", "det_rle_oks0.5", "det_rle_oks0.3", "det_rle_nonms", "det_rle_softnms",
]  # fmt: skip


@pytest.fixture(scope="module")
def reference(shared):
    return json.loads((shared / "reference" / "eval_coco4.json").read_text())


def scores_of(predictions, name):
    rule = "released" if "rle" in name else "classic"
    return instance_scores(predictions.bbox_scores, predictions.keypoint_scores, rule)


def threshold_of(name):
    if name.endswith("nonms"):
        return None
    return float(name.rsplit("_oks", 1)[1]) if "_oks" in name else 0.9


def test_all_evaluations_are_covered(reference):
    assert sorted(NAMES) == sorted(reference["evaluations"])


def test_box_area_is_that_of_the_released_code(reference):
    stored = reference["det_predictions"]
    np.testing.assert_allclose(stored_predictions(stored).box_areas(), [one["box"][4] for one in stored], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_as_released(reference, coco4, name):
    stored = reference["gt_predictions" if name.startswith("gt") else "det_predictions"]
    predictions, theirs = stored_predictions(stored), reference["evaluations"][name]
    scores = scores_of(predictions, name)
    suppression = soft_oks_nms if name.endswith("softnms") else oks_nms
    kept = keep_people(predictions, scores, COCO_17.oks_sigmas, threshold_of(name), suppression)
    results = to_coco_results(predictions, scores, kept)
    assert len(results) == theirs["kept"] == len(theirs["results"])
    for ours, one in zip(results, theirs["results"], strict=True):
        assert ours["image_id"] == one["image_id"]
        assert ours["score"] == pytest.approx(one["score"], abs=1e-6)
        np.testing.assert_allclose(ours["keypoints"][:3], one["first_kpt"], rtol=0, atol=1e-3)
    metrics = evaluate_coco(CocoPeople(coco4, "val", COCO_17).coco, results, COCO_17)
    for key, field in STATS.items():
        assert getattr(metrics, field) / 100 == pytest.approx(theirs["stats"][key], abs=1e-6), field
