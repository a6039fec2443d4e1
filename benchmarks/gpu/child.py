"""`python -m benchmarks.gpu.child SECTION WAY,WAY DEVICE REHEARSAL`: a section in some ways, a row a line as JSON.

A process of its own, so that one that hangs, or that loses the card, takes nothing with it.
"""

import sys
from collections.abc import Callable, Iterator, Sequence

import torch

from benchmarks.gpu import sections, trainings
from benchmarks.gpu.sections import Scale
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


def main(section: str, ways: str, device: str, rehearsal: str) -> None:
    """Print the rows as they are measured."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    scale = Scale.of_rehearsal(device) if rehearsal == "yes" else Scale(device)
    for row in SECTIONS[section](ways.split(","), scale):
        print(row.model_dump_json(), flush=True)


if __name__ == "__main__":
    die_with_parent()
    main(*sys.argv[1:])
