"""32 generated images, learnt by heart: every keypoint head trains through detector, boxes and frames to AP."""

import pytest

from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import train
from poseur_study.experiments import tables
from poseur_study.experiments.profiles import profile
from synthetic_people.generate import generate
from synthetic_people.settings import PeopleSettings

IMAGES, PASSES = 32, 200
ENOUGH = {"mask_rcnn_resnet101": 60.0, "mask_rcnn_rle_resnet101": 25.0, "poseur_resnet101": 60.0}


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "people"
    settings = PeopleSettings(train_images=IMAGES, val_images=1, image_size=(128, 96), parts=False)
    generate(folder, settings, workers=1, progress=False)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("row", list(ENOUGH))
def test_the_images_are_learnt_by_heart(tmp_path, people, row):
    (table,), mini = tables(["3"]), profile("mini")
    changes = mini.of_table("3", table.changes(table.row(row)))
    plain = {
        "pretext": None, "model.backbone": {**changes["model.backbone"], "weights": "none"},
        "data.whole_image.train_sides": [96], "data.whole_image.flip_probability": 0.0, "evaluation.split": "train",
        "train.epochs": 4, "train.global_batch": 4, "train.people_per_epoch": IMAGES * PASSES // 4,
        "evaluation.curve_people": 100,
    }  # fmt: skip
    config = mini.experiment(0, changes, plain)
    curve = train(config, tmp_path / "run", Runtime(data=people, device="cpu", threads=1))
    assert max(point.ap for point in curve) >= ENOUGH[row], [point.ap for point in curve]
