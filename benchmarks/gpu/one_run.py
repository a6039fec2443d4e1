"""`python -m benchmarks.gpu.one_run FOLDER NUMBER DATA DEVICE PRECISION COMPILE`: one training of several at a time.

It trains the configuration in FOLDER and prints how many people its epochs but the first saw, and when.
"""

import io
import json
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_lib.runtime import Compile, Device, Precision, Runtime
from poseur_lib.training.fit import train
from poseur_study.runs.heartbeat import die_with_parent

CACHE_BYTES = 2**32
"""All decoded images of the sets here: from the second epoch on, no file is read where images are not on the device."""


def main(folder: str, number: str, data: str, device: Device, precision: Precision, compile: Compile) -> None:
    """Train, and print a line."""
    config = ExperimentConfig.model_validate_json((Path(folder) / "config.json").read_text(encoding="utf-8"))
    runtime = Runtime(
        data=Path(data), device=device, precision=precision, compile=compile, threads=1, image_cache_bytes=CACHE_BYTES
    )  # fmt: skip
    with redirect_stderr(io.StringIO()) as said:
        curve = train(config, Path(folder) / number, runtime)
    people, seconds = curve[-1].images - curve[0].images, curve[-1].seconds - curve[0].seconds
    ended = time.time()
    how = {"computed": curve[-1].computed, "said": said.getvalue().strip().splitlines()[-1:]}
    told = {"people": people, "seconds": seconds, "began": ended - seconds, "ended": ended, **how}
    print(json.dumps(told))


if __name__ == "__main__":
    die_with_parent()
    main(*sys.argv[1:])
