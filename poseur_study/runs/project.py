"""Where the study keeps what it reads and writes, wherever a notebook is opened."""

import os
from pathlib import Path

import poseur_study
from poseur_lib.errors import UserError

RESULTS_VARIABLE = "POSEUR_RESULTS"
ROOT_VARIABLE = "POSEUR_ROOT"


def project_root() -> Path:
    """The folder that holds `notebooks/`: $POSEUR_ROOT, else the package's checkout, else the current folder or above.

    Raises:
        UserError: none of them holds `notebooks/`.
    """
    given = os.environ.get(ROOT_VARIABLE)
    here = Path.cwd()
    places = [Path(given)] if given else [Path(poseur_study.__file__).resolve().parents[1], here, *here.parents]
    for place in places:
        if (place / "notebooks").is_dir():
            return place
    raise UserError(f"no folder notebooks/ in {places[0]}: set POSEUR_ROOT to the checkout of the project")


def notebook_path(name: str, root: Path | None = None) -> Path:
    """A source notebook of the project (`root`: where that is, if known) by its file name."""
    path = (root or project_root()) / "notebooks" / name
    if not path.is_file():
        raise UserError(f"notebook {path} does not exist")
    return path


def below_root(path: str | Path) -> Path:
    """`path` as given if absolute, else relative to the project's root and not to the notebook's folder."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else project_root() / path


def as_given(path: str | Path) -> Path:
    """A path of the command line, relative to the current folder, as an absolute one."""
    return Path(path).expanduser().absolute()


def as_noted(path: Path) -> str:
    """How a notebook is told of a path: relative to the project where it lies there, so that no machine's is noted."""
    root = project_root().absolute()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def results_folder(folder: Path) -> Path:
    """Where a table's notebook writes: what a batch has set for it, else the table's folder itself."""
    return Path(os.environ.get(RESULTS_VARIABLE) or folder)
