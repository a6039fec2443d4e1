"""`python -m benchmarks.gpu.one_run FOLDER NUMBER DATA DEVICE PRECISION COMPILE`: one training of several at a time.

It trains the configuration in FOLDER, for two epochs. After the first one it says `ready` and waits for a line, so that
all runs begin the second one together; it prints how many people that one saw, and when.
"""

import io
import json
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path
from unittest.mock import patch

from poseur_lib.config import ExperimentConfig
from poseur_lib.runtime import Compile, Device, Precision, Runtime
from poseur_lib.training import fit
from poseur_lib.training.loop import TrainingLoop
from poseur_study.execution.runs_per_gpu import READY
from poseur_study.runs.heartbeat import die_with_parent

CACHE_BYTES = 2**32
"""All decoded images of the sets here: from the second epoch on, no file is read where images are not on the device."""


class TogetherLoop(TrainingLoop):
    """The loop of `train`, which waits for the others after its first epoch.

    Attributes:
        began: when the second one did.
    """

    began = 0.0

    def on_train_epoch_start(self) -> None:
        """Of the second epoch, when it is told to."""
        if self.current_epoch == 1:
            print(READY, flush=True)
            sys.stdin.readline()
            TogetherLoop.began = time.time()
        super().on_train_epoch_start()


def main(folder: str, number: str, data: str, device: Device, precision: Precision, compile: Compile) -> None:
    """Train, and print a line."""
    config = ExperimentConfig.model_validate_json((Path(folder) / "config.json").read_text(encoding="utf-8"))
    runtime = Runtime(
        data=Path(data), device=device, precision=precision, compile=compile, threads=1, image_cache_bytes=CACHE_BYTES
    )  # fmt: skip
    with redirect_stderr(io.StringIO()) as said, patch.object(fit, "TrainingLoop", TogetherLoop):
        curve = fit.train(config, Path(folder) / number, runtime)
    people, seconds = curve[-1].images - curve[0].images, curve[-1].seconds - curve[0].seconds
    last = curve[-1]
    how = {"ways": last.ways, "computed": last.computed, "said": said.getvalue().strip().splitlines()[-1:]}
    when = {"began": TogetherLoop.began, "ended": TogetherLoop.began + seconds}
    told = {"people": people, "seconds": seconds, **when, **how}
    print(json.dumps(told))


if __name__ == "__main__":
    die_with_parent()
    main(*sys.argv[1:])
