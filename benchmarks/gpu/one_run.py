"""`python -m benchmarks.gpu.one_run FOLDER NUMBER DATA DEVICE PRECISION COMPILE`: one training of several at a time.

It trains the configuration in FOLDER and prints how many people its epochs but the first saw, and when.
"""

import json
import sys
import time
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import train
from poseur_study.runs.heartbeat import die_with_parent


def main(folder: str, number: str, data: str, device: str, precision: str, compile: str) -> None:
    """Train, and print a line."""
    config = ExperimentConfig.model_validate_json((Path(folder) / "config.json").read_text())
    how = {"device": device, "precision": precision, "compile": compile}
    curve = train(config, Path(folder) / number, Runtime(data=Path(data), threads=1, **how))
    first, last = curve[0], curve[-1]
    seconds, ended = last.seconds - first.seconds, time.time()
    told = {"people": last.images - first.images, "seconds": seconds, "began": ended - seconds, "ended": ended}
    print(json.dumps(told))


if __name__ == "__main__":
    die_with_parent()
    main(*sys.argv[1:])
