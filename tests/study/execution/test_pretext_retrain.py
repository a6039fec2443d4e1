"""Pretraining made again because its weights are gone or damaged: its record is that of the weights beside it."""

import pytest
import torch

from poseur_lib.checkpoints.checkpoint import read_weights, save_weights
from poseur_lib.errors import UserError
from poseur_lib.files import BACKBONE_FILE
from poseur_lib.models.backbones import build_backbone
from poseur_lib.training.curve import CurvePoint
from poseur_study.experiments.notebook_parameters import RunSettings
from poseur_study.runs.run_steps import open_pretext, write_run
from poseur_study.runs.store import RunState
from tests.study.fakes import flip_bits
from tests.training.tiny import write_people


def row(loss: float) -> CurvePoint:
    return CurvePoint(epoch=1, step=1, images=1, seconds=1.0, loss=loss, terms={}, part_iou=0.5)


def test_the_record_is_written_anew_with_the_weights(tmp_path):
    data = write_people(tmp_path / "people", train=2, val=1)
    overrides = {"pretext.epochs": 1}
    settings = RunSettings(data=str(data), runs=str(tmp_path / "runs"), overrides=overrides, progress=False)

    def make(loss: float) -> None:
        run = open_pretext(settings)
        assert run.finished is None
        run.folder.mkdir(parents=True, exist_ok=True)
        config = run.planned.config
        torch.manual_seed(0)
        save_weights(run.folder / BACKBONE_FILE, build_backbone(config.backbone, config.data.input_size), config)
        assert write_run(run, (row(loss),)).curve == (row(loss),)

    make(2.0)
    done = open_pretext(settings)
    assert done.finished.curve == (row(2.0),)
    assert write_run(done, (row(9.0),)).curve == (row(2.0),)  # finished: nothing is written
    (done.folder / BACKBONE_FILE).unlink()
    make(1.0)
    assert open_pretext(settings).finished.curve == (row(1.0),)
    flip_bits(done.folder / BACKBONE_FILE)
    with pytest.raises(UserError, match=r"backbone\.pt was altered: it has SHA-256 \w{64}, and its record says \w{64}"):
        read_weights(done.folder / BACKBONE_FILE)
    assert done.store.state(done.planned.run_id) == RunState.RECORD_ONLY
    make(0.5)
    assert open_pretext(settings).finished.curve == (row(0.5),)
    assert done.store.state(done.planned.run_id) == RunState.FINISHED
