"""What a run will be judged in is read before it trains."""

import json

import pytest

from poseur_lib.data.coco import detection_path
from poseur_lib.errors import UserError
from poseur_lib.files import LAST_CHECKPOINT
from poseur_study.experiments.notebook_parameters import RunSettings
from poseur_study.runs import run_steps
from tests.training.tiny import write_people


@pytest.mark.parametrize(("score", "said"), [(-0.3, "box score -0.3 is negative"), ("high", "score must be finite")])
def test_boxes_that_cannot_be_ranked_by_are_refused_before_training(tmp_path, monkeypatch, score, said):
    monkeypatch.setenv("POSEUR_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    folder = write_people(tmp_path / "coco", train=4, val=2)
    box = {"image_id": 1, "category_id": 1, "bbox": [5, 5, 50, 80], "score": score}
    path = detection_path(folder, "val")
    known = json.loads((folder / "annotations" / "person_keypoints_val2017.json").read_text())["images"]
    path.write_text(json.dumps([{**box, "image_id": known[0]["id"]}]))
    changes = {"evaluation.instance_score": "paper"}
    run = run_steps.open_run(RunSettings(profile="paper", data=str(folder), overrides=changes, progress=False))
    with pytest.raises(UserError, match=rf"{path.name}.*{said}"):
        run_steps.train_run(run)
    assert not (run.folder / LAST_CHECKPOINT).exists()
