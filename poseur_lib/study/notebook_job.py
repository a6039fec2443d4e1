"""Execution of one notebook in a child process, in a folder of its own per attempt."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poseur_lib.study.atomic import write_atomically
from poseur_lib.study.lifetime import CHILD_FLAG
from poseur_lib.study.parameters import check_parameters
from poseur_lib.study.roots import notebook_path, project_root

OUTPUT_FILE = "output.txt"
TAIL_LINES = 40


@dataclass(frozen=True)
class Attempt:
    """What came of executing a notebook; exit code 0 is necessary for success and not sufficient."""

    folder: Path
    exit_code: int

    @property
    def notebook(self) -> Path:
        """The executed copy, as far as it got."""
        return self.folder / "notebook.ipynb"

    @property
    def last_output(self) -> str:
        """The end of what the child printed, without terminal colours."""
        text = (self.folder / OUTPUT_FILE).read_text(errors="replace")
        plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
        return "\n".join(plain.splitlines()[-TAIL_LINES:])


def execute_notebook(name: str, parameters: dict[str, Any], attempts: Path, threads: int) -> Attempt:
    """Execute a source notebook with checked parameters; blocks until its child process ends.

    Args:
        attempts: a folder; this attempt gets a new one in it.
        threads: of each library's pool in the child; 0 leaves them as they are.

    Raises:
        UserError: there is no such notebook, or it has no such parameter.
    """
    notebook = notebook_path(name)
    check_parameters(notebook, parameters)
    folder = _new_folder(attempts)
    job = {
        "notebook": str(notebook),
        "output": str(folder / "notebook.ipynb"),
        "parameters": parameters,
        "folder": str(project_root()),
    }
    write_atomically(folder / "job.json", json.dumps(job, indent=1).encode())
    command = [sys.executable, "-m", "poseur_lib.study.execute", str(folder / "job.json")]
    with (folder / OUTPUT_FILE).open("w") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=_environment(threads), check=False)
    return Attempt(folder, done.returncode)


def _environment(threads: int) -> dict[str, str]:
    root = str(project_root())
    added = {CHILD_FLAG: "1", "POSEUR_ROOT": root, "PYTHONHASHSEED": "0"}
    added["PYTHONPATH"] = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    if threads:
        added |= {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS")}
    return os.environ | added


def _new_folder(attempts: Path) -> Path:
    attempts.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(path.name) for path in attempts.iterdir() if path.name.isdigit()), default=0)
    folder = attempts / f"{number:03d}"
    folder.mkdir()
    return folder
