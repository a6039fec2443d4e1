"""One small data set at the default difficulty, shared by the tests of this folder."""

from pathlib import Path

import pytest

from synthetic_people import PeopleSettings, generate

FLOOR_SETTINGS = PeopleSettings(train_images=150, val_images=300, parts=False)


@pytest.fixture(scope="session")
def people_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 + 300 images of 256 x 192."""
    root = tmp_path_factory.mktemp("people") / "set"
    generate(root, FLOOR_SETTINGS, workers=2, progress=False)
    return root
