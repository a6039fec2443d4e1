"""Training on two devices: processes of Lightning's DDP, on a processor by gloo."""

import pytest

from poseur_lib.checkpoints.checkpoint import load_model
from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_lib.files import MODEL_FILE
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import train
from poseur_study.runs.ddp import JOB_FILE, OUTPUT_FILE, train_on_devices
from tests.training.tiny import tiny_config, write_people


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people") / "data", train=24, val=4)


def quiet() -> ExperimentConfig:
    """Without dropout and noise, which every process draws for itself."""
    return tiny_config(**{"train.epochs": 2, "model.head.dropout": 0.0, "model.head.noise": {"kind": "none"}})


@pytest.mark.slow
def test_two_devices_take_the_steps_of_one_and_learn_alike(people, tmp_path):
    two = Runtime(data=people, device="cpu", devices=2, threads=1, progress=False)
    (tmp_path / "two").mkdir()
    ours = train_on_devices(quiet(), tmp_path / "two", two)
    alone = train(quiet(), tmp_path / "one", Runtime(data=people, device="cpu", threads=1, progress=False))
    assert [(point.step, point.images) for point in ours] == [(point.step, point.images) for point in alone]
    assert [point.loss for point in ours] == pytest.approx([point.loss for point in alone], rel=0.1)
    assert load_model(tmp_path / "two" / MODEL_FILE)[1] == quiet()
    assert not (tmp_path / "two" / JOB_FILE).exists() and not (tmp_path / "two" / OUTPUT_FILE).exists()


@pytest.mark.slow
def test_what_went_wrong_on_the_devices_is_said(tmp_path, capsys):
    missing = Runtime(data=tmp_path / "nowhere", device="cpu", devices=2, threads=1, progress=False)
    with pytest.raises(UserError, match=r"training on 2 devices failed: .*nowhere"):
        train_on_devices(quiet(), tmp_path, missing)
    assert "nowhere" in capsys.readouterr().out
