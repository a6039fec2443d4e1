"""Training on several devices, outside of the notebook: `python -m poseur_study.runs.ddp JOB.json`.

Lightning's DDP starts the other processes by executing the same command again, which a notebook's kernel cannot do.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from poseur_lib.config import ExperimentConfig, PretextRunConfig
from poseur_lib.errors import UserError
from poseur_lib.files import CURVE_FILE, write_atomically
from poseur_lib.runtime import Runtime
from poseur_lib.training.curve import Curve, read_curve
from poseur_lib.training.fit import pretrain, train
from poseur_study.runs.heartbeat import die_with_parent

JOB_FILE = "devices.json"
OUTPUT_FILE = "devices.txt"

_CONFIG = TypeAdapter(Annotated[ExperimentConfig | PretextRunConfig, Field(discriminator="kind")])


def train_on_devices(
    config: ExperimentConfig | PretextRunConfig, folder: Path, runtime: Runtime, backbone: Path | None = None
) -> Curve:
    """As `train` or `pretrain`, on `runtime.devices` devices, in processes of their own.

    Raises:
        UserError: they failed; the last line that they printed.
    """
    job = {
        "config": config.model_dump(mode="json"),
        "folder": str(folder),
        "runtime": {**asdict(runtime), "data": str(runtime.data)},
        "backbone": None if backbone is None else str(backbone),
        "starter": os.getpid(),
    }
    write_atomically(folder / JOB_FILE, json.dumps(job).encode())
    command = [sys.executable, "-m", "poseur_study.runs.ddp", str(folder / JOB_FILE)]
    with (folder / OUTPUT_FILE).open("w") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    printed = (folder / OUTPUT_FILE).read_text(errors="replace")
    if done.returncode:
        print(printed)
        lines = printed.strip().splitlines() or [f"exit code {done.returncode}"]
        raise UserError(f"training on {runtime.devices} devices failed: {lines[-1]}")
    for name in (JOB_FILE, OUTPUT_FILE):
        (folder / name).unlink()
    return read_curve(folder / CURVE_FILE)


def main(job_file: str) -> None:
    """Train as the job says; executed by every device's process.

    The first one ends where the notebook did so while torch was imported: it would train without a lease.
    """
    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    die_with_parent(job["starter"] if os.environ.get("LOCAL_RANK", "0") == "0" else 0)
    config, folder = _CONFIG.validate_json(json.dumps(job["config"])), Path(job["folder"])
    runtime = Runtime(**{**job["runtime"], "data": Path(job["runtime"]["data"]), "progress": False})
    if isinstance(config, ExperimentConfig):
        train(config, folder, runtime, job["backbone"] and Path(job["backbone"]))
    else:
        pretrain(config, folder, runtime)


if __name__ == "__main__":
    main(sys.argv[1])
