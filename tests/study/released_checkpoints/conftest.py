"""A folder of checkpoints, evaluated once for all tests of this folder."""

from pathlib import Path

import pytest

from synthetic_people import PeopleSettings, generate
from tests.study.released_checkpoints.checkpoints import Done, evaluate_all, write_checkpoints


@pytest.fixture(scope="session")
def few_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six generated images to evaluate on, with their detector's boxes."""
    root = tmp_path_factory.mktemp("few") / "people"
    generate(root, PeopleSettings(train_images=1, val_images=6, image_size=(96, 72), parts=False), progress=False)
    return root


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of released checkpoints, and of files that are none."""
    return write_checkpoints(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="session")
def done(checkpoints: Path, few_people: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The checkpoints, evaluated."""
    return evaluate_all(checkpoints, few_people, tmp_path_factory.mktemp("all runs"))
