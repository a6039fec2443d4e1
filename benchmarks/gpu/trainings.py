"""The sections that train, data included: an epoch of images, and several small runs at a time on one card."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from benchmarks.gpu.networks import FORWARD_AND_BACKWARD, configuration, work_of
from benchmarks.gpu.people import Length, photographs, small_images
from benchmarks.gpu.sections import Scale
from benchmarks.gpu.ways import COMPILE, EAGER, GRAPH
from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_study.costs.gpu_goals import BF16, EPOCH, FLOAT32, MINI, REAL, RUNS, WHOLE
from poseur_study.costs.gpu_record import GpuRow, WayTime
from poseur_study.execution.mps import shared_gpus
from poseur_study.execution.runs_per_gpu import READY
from poseur_study.execution.slots import visible_gpus
from poseur_study.runs.heartbeat import repeated

PRECISIONS = {BF16: "bf16-mixed", FLOAT32: "32"}
ENOUGH_OVERLAP = 0.5
ONE_RUN = "benchmarks.gpu.one_run"


@dataclass(frozen=True)
class Trained:
    """What one training tells: people and seconds of its counted epoch, and when it began and ended (s).

    Attributes:
        ways: those that it took, of `poseur_lib.training.curve.WAYS`; `computed` in words; `said`: at most a line.
    """

    people: int
    seconds: float
    began: float
    ended: float
    ways: Sequence[str] = ()
    computed: str = ""
    said: Sequence[str] = ()


def epoch(ways: Sequence[str], scale: Scale) -> Iterator[GpuRow]:
    """An epoch of JPEG files of the size of photographs, read, cropped, augmented and trained on by one run."""
    length = Length.of(scale.rehearsal)
    config = trained_for(configuration(REAL, scale.rehearsal), length.large_people)
    data = photographs(length, scale.folder)
    for way in ways:
        yield _row(EPOCH, REAL, config, BF16, 1, way, data, scale.device)


def runs(ways: Sequence[str], scale: Scale) -> Iterator[GpuRow]:
    """Trainings of profile mini at its own batch, several at a time, in processes of one thread that share the card.

    They compute in float32, as the recorded runs of `mini` did.
    """
    length = Length.of(scale.rehearsal)
    config = trained_for(configuration(MINI, scale.rehearsal), length.people)
    data = small_images(length, scale.folder)
    for way in ways:
        for number in length.together:
            yield _row(RUNS, f"{MINI}, {number} at a time", config, FLOAT32, number, way, data, scale.device)


def trained_for(config: ExperimentConfig, people: int) -> ExperimentConfig:
    """Two epochs of so many people, measured at the end alone, on a person."""
    return config.with_changes(
        **{"train.epochs": 2, "train.people_per_epoch": people, "evaluation.curve_every": 2,
           "evaluation.curve_people": 1}
    )  # fmt: skip


def _row(
    section: str, name: str, config: ExperimentConfig, precision: str, number: int, way: str, data: Path, device: str
) -> GpuRow:
    """One way of training; `items` are the people of all runs together in the time that is named."""
    batch = config.train.global_batch
    least = work_of(config, WHOLE, precision)
    people, time_of = number * batch, WayTime(way=way, milliseconds=None, note="a CUDA graph needs a GPU")
    if way != GRAPH or device == "cuda":
        time_of = _trained_together(config, precision, number, way, data, device)
    return GpuRow(
        section=section, name=name, part=WHOLE, precision=precision, batch=batch, items=people,
        flops=FORWARD_AND_BACKWARD * people * least.flops,
        bytes=FORWARD_AND_BACKWARD * number * least.bytes(batch), ways=(time_of,),
    )  # fmt: skip


def _trained_together(
    config: ExperimentConfig, precision: str, number: int, way: str, data: Path, device: str
) -> WayTime:
    gpus = visible_gpus() if device == "cuda" else ()
    said: list[str] = []
    sharing = shared_gpus(gpus[0], said.append) if gpus and number > 1 else nullcontext({})
    with sharing as mps, sampled_busy(gpus[0] if gpus else None) as busy:
        try:
            trained = _processes(config, PRECISIONS[precision], number, COMPILE[way], data, device, mps)
        except (UserError, OSError) as error:
            return WayTime(way=way, milliseconds=None, note=str(error)[:200])
    if way != EAGER and (without := [one for one in trained if way not in one.ways]):
        return WayTime(way=way, milliseconds=None, note=" ".join(["it ran step by step", *without[0].said])[:200])
    share = overlap(trained)
    if share < ENOUGH_OVERLAP:
        return WayTime(way=way, milliseconds=None, note=f"they ran together for {share:.0%} of the time only")
    said += [words for words in (trained[0].computed,) if words]
    speed = together(trained)
    began, ended = min(one.began for one in trained), max(one.ended for one in trained)
    within = [value for at, value in busy if began <= at <= ended]
    milliseconds = 1e3 * number * config.train.global_batch / speed
    return WayTime(
        way=way, milliseconds=milliseconds, busy=statistics.mean(within) if within else None, note="; ".join(said)
    )


def together(trained: Sequence[Trained]) -> float:
    """People a second of all runs, from the first one's begin to the last one's end."""
    seconds = max(one.ended for one in trained) - min(one.began for one in trained)
    return sum(one.people for one in trained) / seconds


def overlap(trained: Sequence[Trained]) -> float:
    """Share of the longest run's counted time in which all of them were in theirs."""
    common = min(one.ended for one in trained) - max(one.began for one in trained)
    return max(0.0, common / max(one.ended - one.began for one in trained))


def _processes(
    config: ExperimentConfig, precision: str, number: int, way: str, data: Path, device: str, added: dict[str, str]
) -> list[Trained]:
    """Runs that begin their counted epoch together, when all of them have got there.

    Raises:
        UserError: one of them failed.
    """
    environment = {**os.environ, **added, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="poseur-benchmark-") as folder, ExitStack() as open_files:
        (Path(folder) / "config.json").write_text(config.model_dump_json())
        logs = [open_files.enter_context((Path(folder) / f"{one}.log").open("w+")) for one in range(number)]
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", ONE_RUN, folder, str(one), str(data), device, precision, way],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
            )
            for one, log in enumerate(logs)
        ]  # fmt: skip
        try:
            for process, log in zip(processes, logs, strict=True):
                if not any(line.strip() == READY for line in process.stdout):
                    raise UserError(_last_words(process, log))
            for process in processes:
                process.stdin.write("go\n")
                process.stdin.flush()
            said = [process.communicate()[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
        for process, log in zip(processes, logs, strict=True):
            if process.returncode:
                raise UserError(_last_words(process, log))
    return [Trained(**json.loads(lines.splitlines()[-1])) for lines in said]


def _last_words(process: subprocess.Popen[str], log: TextIO) -> str:
    code = process.wait()
    log.seek(0)
    return (log.read().strip().splitlines() or [f"a run ended with code {code}"])[-1]


@contextmanager
def sampled_busy(gpu: str | None, seconds: float = 0.5) -> Iterator[list[tuple[float, float]]]:
    """Within, (time, share of the last moments in which a kernel ran) by nvidia-smi, again and again.

    Args:
        gpu: as nvidia-smi names it; None: there is none.
    """
    found: list[tuple[float, float]] = []
    command = ["nvidia-smi", f"--id={gpu}", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]

    def look() -> None:
        try:
            said = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
            found.append((time.time(), int(said) / 100))
        except (OSError, ValueError, subprocess.TimeoutExpired):
            return

    with repeated(look, seconds) if gpu is not None else nullcontext():
        yield found
