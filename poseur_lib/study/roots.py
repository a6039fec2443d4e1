"""Where the study keeps what it reads and writes, wherever a notebook is opened."""

import os
from pathlib import Path

import poseur_lib
from poseur_lib.errors import UserError


def project_root() -> Path:
    """The folder that holds `notebooks/`: $POSEUR_ROOT, else the package's checkout, else the current folder or above.

    Raises:
        UserError: none of them holds `notebooks/`.
    """
    given = os.environ.get("POSEUR_ROOT")
    here = Path.cwd()
    places = [Path(given)] if given else [Path(poseur_lib.__file__).resolve().parents[1], here, *here.parents]
    for place in places:
        if (place / "notebooks").is_dir():
            return place
    raise UserError(f"no folder notebooks/ in {places[0]}: set POSEUR_ROOT to the checkout of the project")


def notebook_path(name: str) -> Path:
    """A source notebook of the project by its file name."""
    path = project_root() / "notebooks" / name
    if not path.is_file():
        raise UserError(f"notebook {path} does not exist")
    return path


def below_root(path: str | Path) -> Path:
    """`path` as given if absolute, else relative to the project's root and not to the notebook's folder."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else project_root() / path
