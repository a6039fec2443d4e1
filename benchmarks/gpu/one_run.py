"""`python -m benchmarks.gpu.one_run FOLDER NUMBER DATA DEVICE PRECISION COMPILE`: one training of several at a time.

It trains the configuration in FOLDER and prints how many people its epochs but the first saw, and when.
"""

import json
import sys
import time
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_lib.runtime import Compile, Device, Precision, Runtime
from poseur_lib.training.fit import train
from poseur_study.runs.heartbeat import die_with_parent

CACHE_BYTES = 2**32
"""All decoded images of the sets here: from the second epoch on, no file is read where images are not on the device."""


def main(folder: str, number: str, data: str, device: Device, precision: Precision, compile: Compile) -> None:
    """Train, and print a line."""
    config = ExperimentConfig.model_validate_json((Path(folder) / "config.json").read_text())
    runtime = Runtime(
        data=Path(data), device=device, precision=precision, compile=compile, threads=1, image_cache_bytes=CACHE_BYTES
    )  # fmt: skip
    curve = train(config, Path(folder) / number, runtime)
    first, last = curve[0], curve[-1]
    seconds, ended = last.seconds - first.seconds, time.time()
    told = {"people": last.images - first.images, "seconds": seconds, "began": ended - seconds, "ended": ended}
    print(json.dumps(told))


if __name__ == "__main__":
    die_with_parent()
    main(*sys.argv[1:])
