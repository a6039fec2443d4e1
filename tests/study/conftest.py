"""What the tests of the study share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from poseur_lib.config import ExperimentConfig
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_study.execution.cluster import Engine, open_engine
from poseur_study.execution.run_job import RunOptions
from poseur_study.experiments.profiles import profile
from tests.study.fakes import random_predictions
from tests.study.projects import REPOSITORY


@pytest.fixture
def smoke_config() -> ExperimentConfig:
    """The smoke profile's base."""
    return profile("smoke").experiment(0)


@pytest.fixture
def predictions() -> dict[BoxSource, PredictedPeople]:
    """Predictions of both box sources."""
    return {
        BoxSource.GROUND_TRUTH: random_predictions(40),
        BoxSource.DETECTOR: random_predictions(60, seed=1),
    }


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A folder whose path has a space in it."""
    folder = tmp_path / "all runs" / "smoke"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A local cluster of two slots, for all tests that only need one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        with open_engine(RunOptions("smoke", workers=2, device="cpu")) as opened:
            yield opened
