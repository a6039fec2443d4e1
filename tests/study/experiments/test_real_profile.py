"""Profile `real`: the paper's head, noise and augmentation, at half its input and on another data set."""

import pytest

from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_study.experiments import tables
from poseur_study.experiments.profiles import profile
from poseur_study.runs.datasets import data_folder

REAL, PAPER = profile("real"), ExperimentConfig()


def test_head_noise_and_augmentation_are_the_paper_s():
    config, head = REAL.config, REAL.config.model.head
    assert head == PAPER.model.head and config.train.augment == PAPER.train.augment
    assert (head.embed_dims, head.num_heads, head.num_points, head.decoder_layers) == (256, 8, 4, 3)
    assert head.noise.groups == 3
    assert config.data.input_size == (128, 96) and config.data.keypoint_set == "lsp14"


@pytest.mark.parametrize(("paper", "half"), [((256, 192), (128, 96)), ((64, 64), (32, 32)), ((384, 288), (192, 160))])
def test_inputs_are_halved(paper, half):
    assert REAL.scaling.scaled_size(paper) == half


def test_the_three_methods_stand_on_one_backbone():
    (table,) = tables(["calibration"])
    configs = [REAL.experiment(0, REAL.of_table(table.number, table.changes(row))) for row in table.runnable]
    assert [one.model.head.kind for one in configs] == ["poseur", "regression", "heatmap"]
    assert {one.model.backbone for one in configs} == {REAL.config.model.backbone}
    assert configs[2].model.head.codec.sigma == 1.0


def test_the_longest_schedule_sees_the_profile_s_number_of_people():
    (table,) = tables(["S1"])
    train = REAL.experiment(0, REAL.of_table("S1", table.changes(table.row("epochs_325")))).train
    assert train.epochs * train.people_per_epoch == pytest.approx(64 * 8000, rel=1e-4)


def test_it_needs_a_folder_and_says_what_makes_it():
    with pytest.raises(UserError, match=r"data convert lspet makes it.*--data"):
        data_folder(REAL, "")
