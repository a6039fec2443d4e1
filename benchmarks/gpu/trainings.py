"""The sections that train, data included: an epoch of images, and several small runs at a time on one card."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu.networks import FORWARD_AND_BACKWARD, configuration, work_of
from benchmarks.gpu.sections import Scale
from benchmarks.gpu.ways import COMPILE, EAGER, GRAPH
from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_study.costs.gpu_goals import BF16, EPOCH, FLOAT32, MINI, REAL, RUNS, WHOLE
from poseur_study.costs.gpu_record import GpuRow, WayTime
from poseur_study.execution.mps import shared_gpus
from poseur_study.execution.slots import visible_gpus
from poseur_study.runs.heartbeat import repeated
from poseur_study.runs.provenance import cpu_count
from synthetic_people.generate import generate
from synthetic_people.settings import PeopleSettings

PRECISIONS = {BF16: "bf16-mixed", FLOAT32: "32"}
ENOUGH_OVERLAP = 0.5
ONE_RUN = "benchmarks.gpu.one_run"


@dataclass(frozen=True)
class Length:
    """How long the trainings are.

    Attributes:
        images: of the generated set for training, `large` those for an epoch of images; `size` (height, width) of
            these, as photographs have it.
        epochs: of the small runs, `large_epochs` of the other; the first one, in which all is set up, does not count.
        together: numbers of runs at a time.
    """

    images: int = 2000
    large: int = 1200
    size: tuple[int, int] = (480, 640)
    epochs: int = 9
    large_epochs: int = 17
    together: tuple[int, ...] = (1, 4, 16)

    @classmethod
    def of(cls, rehearsal: bool) -> "Length":
        """Seconds, for a rehearsal."""
        return cls(16, 16, (96, 128), 2, 2, (1, 2)) if rehearsal else cls()


@dataclass(frozen=True)
class Trained:
    """What one training tells: people and seconds of its counted epochs, and when these began and ended (s).

    Attributes:
        computed: the ways that its last epoch took, of graph and inductor; `said`: why not others, at most a line.
    """

    people: int
    seconds: float
    began: float
    ended: float
    computed: str = ""
    said: Sequence[str] = ()


def epoch(ways: Sequence[str], scale: Scale) -> Iterator[GpuRow]:
    """Epochs of JPEG files of the size of photographs, read, cropped, augmented and trained on by one run."""
    length = Length.of(scale.rehearsal)
    config = trained_for(configuration(REAL, scale.rehearsal), length.large_epochs)
    with generated(length.large, length.size) as data:
        for way in ways:
            yield _row(EPOCH, REAL, config, BF16, 1, way, data, scale.device)


def runs(ways: Sequence[str], scale: Scale) -> Iterator[GpuRow]:
    """Trainings of profile mini at its own batch, several at a time, in processes of one thread that share the card.

    They compute in float32, as the recorded runs of `mini` did.
    """
    length = Length.of(scale.rehearsal)
    config = trained_for(configuration(MINI, scale.rehearsal), length.epochs)
    with generated(length.images, (256, 192)) as data:
        for way in ways:
            for number in length.together:
                yield _row(RUNS, f"{MINI}, {number} at a time", config, FLOAT32, number, way, data, scale.device)


def trained_for(config: ExperimentConfig, epochs: int) -> ExperimentConfig:
    """A few epochs, measured at the end alone, on a person."""
    return config.with_changes(
        **{"train.epochs": epochs, "evaluation.curve_every": epochs, "evaluation.curve_people": 1}
    )


@contextmanager
def generated(images: int, size: tuple[int, int]) -> Iterator[Path]:
    """A data set of generated people, for the time of a section."""
    with tempfile.TemporaryDirectory(prefix="poseur-benchmark-") as folder:
        settings = PeopleSettings(train_images=images, val_images=4, image_size=size, parts=False)
        generate(Path(folder) / "people", settings, workers=max(0, cpu_count() - 1), progress=False)
        yield Path(folder) / "people"


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
    with sharing as mps, sampled_busy(bool(gpus)) as busy:
        try:
            trained = _processes(config, PRECISIONS[precision], number, COMPILE[way], data, device, mps)
        except (UserError, OSError) as error:
            return WayTime(way=way, milliseconds=None, note=str(error)[:200])
    if way != EAGER and (without := [one for one in trained if way not in one.computed]):
        return WayTime(way=way, milliseconds=None, note=" ".join(["it ran step by step", *without[0].said])[:200])
    said += [words for words in (trained[0].computed,) if words]
    speed = sum(one.people / one.seconds for one in trained)
    share = overlap(trained)
    if share < ENOUGH_OVERLAP:
        said.append(f"together for {share:.0%} of the time only: their sum says too much")
    within = [value for at, value in busy if min(one.began for one in trained) <= at]
    milliseconds = 1e3 * number * config.train.global_batch / speed
    return WayTime(
        way=way, milliseconds=milliseconds, busy=statistics.mean(within) if within else None, note="; ".join(said)
    )


def overlap(trained: Sequence[Trained]) -> float:
    """Share of the longest run's counted time in which all of them were in theirs."""
    common = min(one.ended for one in trained) - max(one.began for one in trained)
    return max(0.0, common / max(one.ended - one.began for one in trained))


def _processes(
    config: ExperimentConfig, precision: str, number: int, way: str, data: Path, device: str, added: dict[str, str]
) -> list[Trained]:
    import os

    with tempfile.TemporaryDirectory(prefix="poseur-benchmark-") as folder:
        (Path(folder) / "config.json").write_text(config.model_dump_json())
        commands = [
            [sys.executable, "-m", ONE_RUN, folder, str(one), str(data), device, precision, way]
            for one in range(number)
        ]
        environment = {**os.environ, **added, "OMP_NUM_THREADS": "1"}
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen(command, env=environment, **output) for command in commands]
        try:
            said = [process.communicate() for process in processes]
        finally:
            for process in processes:
                process.kill()
    for process, (_, errors) in zip(processes, said, strict=True):
        if process.returncode:
            raise UserError((errors.strip().splitlines() or [f"a run ended with code {process.returncode}"])[-1])
    return [Trained(**json.loads(line.splitlines()[-1])) for line, _ in said]


@contextmanager
def sampled_busy(there: bool, seconds: float = 0.5) -> Iterator[list[tuple[float, float]]]:
    """Within, (time, share of the last moments in which a kernel ran) by nvidia-smi, again and again."""
    found: list[tuple[float, float]] = []
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]

    def look() -> None:
        try:
            said = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
            found.append((time.time(), int(said.splitlines()[0]) / 100))
        except (OSError, ValueError, IndexError, subprocess.TimeoutExpired):
            return

    with repeated(look, seconds) if there else nullcontext():
        yield found
