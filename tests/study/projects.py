"""Projects of light notebooks, engines to execute them, and what the tests look at afterwards."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from poseur_study.execution.cluster import Engine
from poseur_study.execution.run_job import RunOptions
from poseur_study.execution.scheduler import Schedule, execute_plan
from poseur_study.runs.plan import TRAIN_NOTEBOOK, PlannedRun
from poseur_study.runs.store import RunStore

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 240
PARAMETERS = """
profile = "smoke"
overrides = {}
seed = 0
data = ""
runs = "runs"
run_id = ""
limit_epochs = 0
device = "auto"
devices = 1
precision = "32"
loader_workers = 0
threads = 0
compile = "auto"
data_on_device = "auto"
progress = True
"""
ACT = "from tests.study.execution.fake_notebook import act\nact(run_id, seed, overrides, runs, limit_epochs)"


def make_project(root: Path) -> Path:
    """A folder with `notebooks/train_variant.ipynb`."""
    make_notebook(root / "notebooks" / TRAIN_NOTEBOOK, PARAMETERS.strip(), ACT)
    return root


def make_notebook(path: Path, parameters: str, source: str) -> None:
    """A notebook of two cells: parameters, and what it does."""
    cells = [new_code_cell(parameters, metadata={"tags": ["parameters"]}), new_code_cell(source)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata=kernel), path)


def fake_store(folder: Path) -> RunStore:
    """The store of a project of its own, in a path with a space."""
    project = make_project(folder / "a project")
    return RunStore(project / "runs" / "smoke")


def execute(
    engine: Engine, store: RunStore, *runs: PlannedRun, limit_epochs: int = 0, retry_failed: bool = False
) -> Schedule:
    """Execute runs on an engine."""
    options = fake_options(store, limit_epochs=limit_epochs, retry_failed=retry_failed)
    return execute_plan(runs, store, options, lambda states: None, engine)


def fake_options(store: RunStore, **more) -> RunOptions:
    """Options by which the fake project's notebooks are found."""
    runs = store.folder.parent
    return RunOptions("smoke", runs=str(runs), project=str(runs.parent), threads=1, **more)


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and modification time of every file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def mind_ctrl_c() -> None:
    """Of a process to be: a background shell's children ignore SIGINT, and so would all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_batch(store: RunStore, *arguments: str) -> subprocess.Popen:
    """A batch in a process group of its own, as a shell starts it: `python -m tests.study.execution.fake_batch`."""
    command = [sys.executable, "-m", "tests.study.execution.fake_batch", str(store.folder), *arguments]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, start_new_session=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=mind_ctrl_c,
    )  # fmt: skip


def wait_until(true: Callable[[], object], what: str) -> None:
    """Wait for something to come true."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < ends, f"{what}: not within {PATIENCE_SECONDS} s"
        time.sleep(0.1)


def wait_for_pid(path: Path) -> int:
    """A process id, once it is written."""
    wait_until(lambda: path.exists() and path.read_text(), f"{path} appears")
    return int(path.read_text())


def lives(pid: int) -> bool:
    """True if a process is there and no zombie."""
    status = Path(f"/proc/{pid}/status")
    try:
        return "State:\tZ" not in status.read_text()
    except OSError:
        return False


def wait_for_death(pid: int) -> None:
    """Wait for a process to be gone."""
    wait_until(lambda: not lives(pid), f"process {pid} ends")


def kill_group(process: subprocess.Popen, number: int = signal.SIGKILL) -> None:
    """Signal a batch and whatever shares its process group, as the terminal does."""
    os.killpg(process.pid, number)
