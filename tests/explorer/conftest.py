"""A tiny model that looks all over the place, a val set of three people, and a folder of runs."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.config import ExperimentConfig
from poseur_lib.data.coco import fingerprint
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseModel
from poseur_study.experiments.notebook_parameters import ExplorerSettings
from poseur_study.explorer.attention.open_model import OpenModel
from poseur_study.explorer.session import Session
from poseur_study.runs.record import write_record
from poseur_study.runs.store import RunStore
from tests.study.fakes import make_record
from tests.training.tiny import tiny_config, write_people


def restless(config: ExperimentConfig) -> PoseModel:
    """A model whose samples, steps and scales depend on what it sees, and reach beyond the crop."""
    torch.manual_seed(1)
    model = build_model(config).eval()
    with torch.no_grad():
        for layer in model.head.decoder.layers:
            layer.cross_attention.sampling_offsets.weight.mul_(3)
        for branches in model.head.decoder.branches:
            branches.sigma[2].weight.mul_(100)
        model.head.coarse_stage.coordinates.bias.fill_(0.5)
    return model


def session_of(runs: Path | str, data: Path | str, **parameters) -> Session:
    """A session of a notebook with such parameters, nothing open yet."""
    return Session(ExplorerSettings(runs=str(runs), data=str(data), **parameters))


@pytest.fixture(scope="session")
def val_data(tmp_path_factory) -> Path:
    """Three images with a labelled person each."""
    return write_people(tmp_path_factory.mktemp("people"), train=1, val=3)


@pytest.fixture(scope="session")
def tiny() -> OpenModel:
    """An open model."""
    config = tiny_config()
    return OpenModel("tiny", restless(config), config, profile="smoke")


@pytest.fixture
def session(tiny, val_data, tmp_path) -> Session:
    """The model and the first person."""
    opened = session_of(tmp_path / "none", val_data, average_people=2)
    opened.choose_model(tiny)
    opened.choose_image(opened.val.image(0))
    return opened


@dataclass(frozen=True)
class Runs:
    """A folder of runs: one finished, one of which the record is left, one of a heatmap model."""

    folder: Path
    finished: str
    record_only: str
    heatmap: str


@pytest.fixture
def runs(tmp_path, val_data) -> Runs:
    """Three runs of profile smoke with records, and models as far as they are there."""
    store = RunStore(tmp_path / "runs" / "smoke")
    finished, gone = tiny_config(), tiny_config(seed=1)
    heatmap = tiny_config(**{"model.head": {"kind": "heatmap"}})
    names = []
    for config, weights in ((finished, True), (gone, False), (heatmap, True)):
        record = make_record(config, fingerprint=fingerprint(val_data))
        write_record(store.path(record.run_id), record, {})
        if weights:
            model = restless(config) if config is finished else build_model(config)
            save_weights(store.path(record.run_id) / "model.pt", model, config)
        names.append(record.run_id)
    return Runs(tmp_path / "runs", *names)
