"""Shapes in signatures are checked in every test; data beside the repository is optional."""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("poseur_lib", "beartype.beartype")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the repository; tests that need it are skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared, the reference data that are not part of this repository")
    return folder
