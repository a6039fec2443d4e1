"""`python -m benchmarks.gpu.child SECTION WAY,WAY DEVICE REHEARSAL FOLDER`: a section in some ways, a JSON row a line.

A process of its own, so that one that hangs, or that loses the card, takes nothing with it.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.gpu import sections, trainings
from benchmarks.gpu.sections import Scale
from benchmarks.gpu.ways import INDUCTOR
from poseur_study.costs.gpu_goals import EMSDA, EPOCH, INFERENCE, LIMITS, RUNS, TRAINING
from poseur_study.costs.gpu_record import GpuRow
from poseur_study.runs.heartbeat import die_with_parent

SECTIONS: dict[str, Callable[[Sequence[str], Scale], Iterator[GpuRow]]] = {
    LIMITS: sections.limits,
    INFERENCE: sections.inference,
    TRAINING: sections.training,
    EMSDA: sections.emsda,
    EPOCH: trainings.epoch,
    RUNS: trainings.runs,
}


def main(section: str, ways: str, device: str, rehearsal: str, folder: str) -> None:
    """Print the rows as they are measured."""
    scale = Scale.of_rehearsal(device, Path(folder)) if rehearsal == "yes" else Scale(device, folder=Path(folder))
    asked = ways.split(",")
    if INDUCTOR in asked:
        _no_silent_fallback()
    for row in SECTIONS[section](asked, scale):
        print(row.model_dump_json(), flush=True)


def _no_silent_fallback() -> None:
    """A function of too many forms is an error then; torch would run it step by step, under the compiler's name."""
    import torch._dynamo.config as settings

    if hasattr(settings, "fail_on_recompile_limit_hit"):
        settings.fail_on_recompile_limit_hit = True


if __name__ == "__main__":
    die_with_parent()
    main(*sys.argv[1:])
