"""Whether an executed notebook is as its runner wrote it, and which runs and tables came from elsewhere.

A record's own digest covers its numbers and not `notebook.ipynb`. The runner notes that file's SHA-256 in
`notebook.sha256` beside it, as `sha256sum -c` reads it. It tells of damage and of a hand that came later; whoever can
write both files can forge both, which is why pages sanitise every notebook. `imported.json` is what an import leaves.
"""

import json
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from poseur_lib.files import read_regular, sha256_hex, write_atomically
from poseur_study.runs.record import IMPORTED_FILE, PARTIAL_FOLDER
from poseur_study.runs.store import NOTEBOOK_FILE

NOTEBOOK_DIGEST_FILE = "notebook.sha256"
MAX_NOTEBOOK, MAX_NOTE = 2**28, 2**16


class NotebookOrigin(StrEnum):
    """What a notebook's digest says of it."""

    OWN = "as its runner wrote it"
    UNCOVERED = "not covered by a digest"  # executed by an earlier version, or carried without it
    ALTERED = "altered after it was executed"


def keep_notebook(executed: Path, folder: Path) -> None:
    """Move an executed notebook into the folder of its run or table, and note its digest; cut off, it is uncovered."""
    digest = sha256_hex(executed.read_bytes())
    (folder / NOTEBOOK_DIGEST_FILE).unlink(missing_ok=True)
    executed.replace(folder / NOTEBOOK_FILE)
    write_atomically(folder / NOTEBOOK_DIGEST_FILE, f"{digest}  {NOTEBOOK_FILE}\n".encode())


def notebook_origin(folder: Path) -> NotebookOrigin | None:
    """What the digest in a folder says of the notebook there; None without a notebook.

    A notebook or digest that cannot be read is no notebook as its runner wrote it.
    """
    notebook, noted = folder / NOTEBOOK_FILE, folder / NOTEBOOK_DIGEST_FILE
    if not notebook.exists():
        return None
    if not noted.exists():
        return NotebookOrigin.UNCOVERED
    try:
        digest, found = read_regular(noted, MAX_NOTE), sha256_hex(read_regular(notebook, MAX_NOTEBOOK))
    except OSError:
        return NotebookOrigin.ALTERED
    return NotebookOrigin.OWN if digest.split()[:1] == [found.encode()] else NotebookOrigin.ALTERED


def imported_words(folders: Iterable[Path], what: str) -> str:
    """`2 runs from elsewhere: a.tar (SHA-256 0123456789, imported 2026-11-28)`; "" where all were made here.

    Args:
        folders: of runs, or of one table.
        what: is counted: `run`, `table`.
    """
    notes = [folder / part / IMPORTED_FILE for folder in folders for part in ("", PARTIAL_FOLDER)]
    sources = Counter(_source(note) for note in notes if note.exists())
    number = sources.total()
    return f"{number} {what}{'s' * (number > 1)} from elsewhere: {', '.join(sorted(sources))}" if number else ""


def _source(note: Path) -> str:
    try:
        said = json.loads(read_regular(note, MAX_NOTE))
        return f"{said['source']} (SHA-256 {said['sha256'][:10]}, imported {said['date'][:10]})"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{note.parent.name}/{note.name} cannot be read"
