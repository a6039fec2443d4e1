"""A project folder whose run notebook takes a second, and behaves as told."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from poseur_lib.study.plan import TRAIN_NOTEBOOK, PlannedRun
from poseur_lib.study.profiles import profile
from poseur_lib.study.record import PARTIAL_FOLDER, write_record
from poseur_lib.study.store import LAST_CHECKPOINT
from tests.study.fakes import make_record, random_predictions

PARAMETERS = """
profile = "smoke"
overrides = {}
seed = 0
data = ""
runs = "runs"
run_id = ""
limit_epochs = 0
device = "auto"
precision = "32"
threads = 0
progress = True
"""
ACT = "from tests.study.fake_notebook import act\nact(run_id, seed, overrides, runs, limit_epochs)"


def make_project(root: Path) -> Path:
    """A folder with `notebooks/train_variant.ipynb`."""
    cells = [new_code_cell(PARAMETERS.strip(), metadata={"tags": ["parameters"]}), new_code_cell(ACT)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    (root / "notebooks").mkdir(parents=True)
    nbformat.write(new_notebook(cells=cells, metadata=kernel), root / "notebooks" / TRAIN_NOTEBOOK)
    return root


def planned(seed: int, **behaviour: Any) -> PlannedRun:
    """A run of the smoke profile without parents in the plan."""
    record = make_record(profile("smoke").experiment(seed))
    return PlannedRun(record.run_id, record.config, (), TRAIN_NOTEBOOK, behaviour, seed, (f"fake: seed {seed}",))


def act(run_id: str, seed: int, behaviour: dict[str, Any], runs: str, limit_epochs: int) -> None:
    """What the notebook does instead of training."""
    folder = Path(runs) / "smoke" / run_id
    (folder / "kernel.pid").write_text(str(os.getpid()))
    if "die_with_parent" in behaviour:
        from poseur_lib.study.lifetime import die_with_parent_in_batch

        die_with_parent_in_batch()
    _note(folder / "starts.txt", "resumed" if (folder / LAST_CHECKPOINT).exists() else "fresh")
    (folder / LAST_CHECKPOINT).write_text("weights so far")
    if "error" in behaviour:
        raise RuntimeError(behaviour["error"])
    if "kill_kernel" in behaviour:
        os.kill(os.getpid(), signal.SIGKILL)
    if "sleep_when_fresh" in behaviour and "resumed" not in (folder / "starts.txt").read_text():
        time.sleep(behaviour["sleep_when_fresh"])
    if "no_record" in behaviour:
        return
    config = profile("smoke").experiment(behaviour.get("other_seed", seed))
    limited = min(limit_epochs or config.train.epochs, config.train.epochs)
    record = make_record(config, epochs=limited)
    where = folder / PARTIAL_FOLDER if record.partial else folder
    write_record(where, record, {"detector": random_predictions(20)})
    if "cut_off" in behaviour:
        content = (folder / "record.json").read_bytes()
        (folder / "record.json").write_bytes(content[: len(content) // 2])
    if not record.partial:
        (folder / "model.pt").write_text("weights")


def _note(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")
