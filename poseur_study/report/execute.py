"""Page notebooks executed one after another in one warm kernel, and not again where nothing that they show has changed.

An executed copy lies beside the runs, `.pages/<name>.ipynb` below the folder of a profile, and carries the digest of
what it was made of: its source, its parameters, the code and, of a page with parameters, the profile's results.
"""

import hashlib
import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from poseur_lib.files import WEIGHTS_FILES, write_atomically
from poseur_study.execution.papermill_job import own_kernel
from poseur_study.profile_study import ProfileStudy
from poseur_study.runs.evaluation_file import EVALUATION_FILE
from poseur_study.runs.project import ROOT_VARIABLE, project_root
from poseur_study.runs.provenance import source_digest
from poseur_study.runs.record import IMPORTED_FILE, PREDICTIONS_FILE
from poseur_study.runs.store import ERROR_FILE, NOTEBOOK_FILE, RECORD_FILE, RESULT_FILE
from poseur_study.table_study.answer import HEADLINE_FILE

FORGET = "%reset -f\n%reset -f in"
DIGEST = "poseur_digest"
TIMEOUT = 600


class WarmKernel:
    """One kernel for all pages of a report: packages are imported once; it starts when the first page needs it."""

    def __init__(self) -> None:
        self.manager: KernelManager | None = None
        self.private = tempfile.TemporaryDirectory(prefix="poseur-kernel-")

    def __enter__(self) -> "WarmKernel":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.manager is not None:
            self.manager.shutdown_kernel(now=True)
        self.private.cleanup()

    def execute(self, notebook: NotebookNode) -> NotebookNode:
        """Execute a notebook in a namespace of its own; of one that fails, as far as it gets."""
        if self.manager is None:
            self.manager = KernelManager()
            paths = os.pathsep.join(part for part in (str(project_root()), os.environ.get("PYTHONPATH", "")) if part)
            known = {ROOT_VARIABLE: str(project_root()), "PYTHONPATH": paths, "PYTHONHASHSEED": "0"}
            where = {"cwd": str(project_root()), "env": {**os.environ, **known, **own_kernel(self.private.name)}}
            self.manager.start_kernel(**where, stderr=subprocess.DEVNULL)  # its warnings of ports; errors are in cells
            logging.getLogger("traitlets").setLevel(logging.ERROR)
        notebook.cells.insert(0, nbformat.v4.new_code_cell(FORGET))
        try:
            NotebookClient(notebook, km=self.manager, timeout=TIMEOUT).execute()
        except CellExecutionError:
            pass  # the page shows it, and `problem` finds it
        del notebook.cells[0]
        return notebook


def executed_page(kernel: WarmKernel, source: Path, parameters: Mapping[str, Any], study: ProfileStudy) -> NotebookNode:
    """The executed copy of a page notebook, from before where nothing has changed."""
    text = source.read_text(encoding="utf-8")
    key = {
        "source": text,
        "parameters": dict(parameters),
        "code": source_digest("poseur_lib", "poseur_study"),
        "results": _results_digest(study) if parameters else "",
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    kept = study.store.folder / ".pages" / source.name
    if kept.exists():
        notebook = nbformat.read(kept, as_version=4)
        if notebook.metadata.get(DIGEST) == digest:
            return notebook
    notebook = load_notebook_node(str(source))
    notebook = kernel.execute(parameterize_notebook(notebook, dict(parameters)) if parameters else notebook)
    if problem(notebook) is None:
        notebook.metadata[DIGEST] = digest
        with suppress(OSError):  # a disk that cannot be written to goes without
            write_atomically(kept, nbformat.writes(notebook).encode())
    return notebook


def problem(notebook: NotebookNode) -> str | None:
    """The first error of an executed notebook, one line; None if every cell ran."""
    outputs = [one for cell in notebook.cells if cell.cell_type == "code" for one in cell.outputs]
    return next((f"{one.ename}: {one.evalue}" for one in outputs if one.output_type == "error"), None)


def _results_digest(study: ProfileStudy) -> str:
    """Of what pages show of a profile: results, records, failures, and which other files are there at all."""
    folder, content = study.store.folder, hashlib.sha256()
    read = (f"tables/*/{RESULT_FILE}", f"*/{RECORD_FILE}", f"tables/*/{ERROR_FILE}", f"*/{ERROR_FILE}",
            f"tables/*/{HEADLINE_FILE}", f"*/{IMPORTED_FILE}")  # fmt: skip
    for path in sorted(path for pattern in read for path in folder.glob(pattern)):
        content.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    others = (f"tables/*/{NOTEBOOK_FILE}", *(f"*/{name}" for name in WEIGHTS_FILES))
    there = [path for pattern in others for path in folder.glob(pattern)]
    content.update(repr(sorted(str(path.relative_to(folder)) for path in there)).encode())
    beside = sorted(path for name in (PREDICTIONS_FILE, EVALUATION_FILE) for path in folder.glob(f"*/{name}"))
    for path, state in ((path, path.stat()) for path in beside):  # whether results are whole
        content.update(repr((str(path.relative_to(folder)), state.st_size, state.st_mtime_ns)).encode())
    content.update(repr(study.has_data).encode())
    return content.hexdigest()
