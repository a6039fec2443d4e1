"""What a light notebook does instead of training: it takes a second, and behaves as told."""

import os
import resource
import signal
import time
from pathlib import Path
from typing import Any

from poseur_lib.files import LAST_CHECKPOINT
from poseur_study.experiments.profiles import profile
from poseur_study.runs.plan import TRAIN_NOTEBOOK, PlannedRun
from poseur_study.runs.record import PARTIAL_FOLDER, write_record
from tests.study.fakes import make_record, random_predictions


def planned(seed: int, **behaviour: Any) -> PlannedRun:
    """A run of the smoke profile without parents in the plan."""
    record = make_record(profile("smoke").experiment(seed))
    return PlannedRun(record.run_id, record.config, (), TRAIN_NOTEBOOK, behaviour, seed, (f"fake: seed {seed}",))


def planned_pretraining(**behaviour: Any) -> PlannedRun:
    """The pretraining of the smoke profile, by the same notebook."""
    config = profile("smoke").experiment(0).pretext_run
    return PlannedRun(make_record(config).run_id, config, (), TRAIN_NOTEBOOK, {"pretext": True, **behaviour}, 0)


def act(run_id: str, seed: int, behaviour: dict[str, Any], runs: str, limit_epochs: int) -> None:
    """What the notebook does instead of training."""
    folder = Path(runs) / "smoke" / run_id
    (folder / "kernel.pid").write_text(str(os.getpid()))
    if "die_with_parent" in behaviour:
        from poseur_study.runs.heartbeat import die_with_parent_in_batch

        die_with_parent_in_batch()
    _note(folder / "starts.txt", "resumed" if (folder / LAST_CHECKPOINT).exists() else "fresh")
    (folder / LAST_CHECKPOINT).write_text("weights so far")
    if "error" in behaviour:
        print("step 7: loss nan")
        raise RuntimeError(behaviour["error"])
    if "error_when_fresh" in behaviour and not _resumed(folder):
        raise RuntimeError(behaviour["error_when_fresh"])
    if len((folder / "starts.txt").read_text().split()) <= behaviour.get("kill_kernel_times", 0):
        os.kill(os.getpid(), signal.SIGKILL)  # as the system does where memory runs out
    if "sleep_when_fresh" in behaviour and not _resumed(folder):
        time.sleep(behaviour["sleep_when_fresh"])
    if "sleep" in behaviour:
        time.sleep(behaviour["sleep"])
    if "largest_file" in behaviour and not _resumed(folder):
        limit = behaviour["largest_file"]  # the disk is full: the write that goes beyond is refused half-way
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if "no_record" in behaviour:
        return
    if "pretext" in behaviour:
        write_record(folder, make_record(profile("smoke").experiment(0).pretext_run), {})
        (folder / "backbone.pt").write_text("weights")
        return
    config = profile("smoke").experiment(behaviour.get("other_seed", seed))
    limited = min(limit_epochs or config.train.epochs, config.train.epochs)
    record = make_record(config, epochs=limited)
    where = folder / PARTIAL_FOLDER if record.partial else folder
    if not record.partial:
        (folder / "model.pt").write_text("weights")
    write_record(where, record, {"detector": random_predictions(20)})
    if "cut_off" in behaviour:
        content = (folder / "record.json").read_bytes()
        (folder / "record.json").write_bytes(content[: len(content) // 2])


def _resumed(folder: Path) -> bool:
    return "resumed" in (folder / "starts.txt").read_text()


def _note(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")
