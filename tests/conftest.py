"""Shapes in signatures are checked in every test; data beside the repository is optional."""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# An int is accepted for a float, as PEP 484 has it.
install_import_hook("poseur_lib", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the repository; tests that need it are skipped where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared, the reference data that are not part of this repository")
    return folder
