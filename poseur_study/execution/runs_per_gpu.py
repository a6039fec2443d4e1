"""How many runs share a GPU where `--runs-per-gpu auto` leaves it open: measured by processes that train on noise.

One process first: its speed, and the memory that the GPU has less while it is there. Then twice as many at a time, as
long as memory, processors and the runs to make allow, and as long as all of them together get faster by `GAIN`. The
heaviest of the runs is what is measured. Images are not in it: what those take that lie on the GPU is added to the
memory of a run, and a disk that is too slow is not seen.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import TextIO

from poseur_lib.config import ExperimentConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.device_images import SHARE_OF_FREE, image_bytes
from poseur_lib.errors import UserError
from poseur_lib.keypoints import keypoint_set
from poseur_study.execution.mps import shared_gpus
from poseur_study.execution.run_job import RunOptions
from poseur_study.execution.slots import BY_BUS, MOST_CLIENTS, VISIBLE, visible_gpus
from poseur_study.runs.provenance import cpu_count

GAIN = 1.1
MEMORY_SHARE = 0.9
"""Of the memory that is free: evaluation takes other batches than the steps that were measured."""
PROBE_SECONDS = 4.0
LIMIT_SECONDS = 300
READY, PROBE = "ready", "poseur_study.execution.probe_run"
Say = Callable[[str], None]


def picked_runs_per_gpu(config: ExperimentConfig, runs: int, options: RunOptions, data: Path, say: Say = print) -> int:
    """Runs that share a GPU best, said in a line with what was measured; 1 where nothing can be.

    Args:
        config: of the heaviest run.
        runs: that are to be made.
        data: the folder of its data set; where it is not there yet, images are not counted.
    """
    gpus = visible_gpus() if options.device != "cpu" else ()
    how = (options.precision, options.compile)
    if not gpus or runs < 2:
        say(f"runs per GPU: 1, as there is {'no GPU' if not gpus else 'one run to make'}")
        return 1
    try:
        with shared_gpus(gpus[0], say) as mps:
            images = images_mib(config, data) if options.data_on_device != "no" else 0
            probed = Probed(config, how, {**mps, **BY_BUS, VISIBLE: gpus[0]}, images)
            return _measured(probed, -(-runs // len(gpus)), len(gpus), say)
    except (UserError, OSError) as error:
        say(f"runs per GPU: 1, as it could not be measured: {error}")
        return 1


@dataclass(frozen=True)
class Probed:
    """What a probe trains, how (precision and way), in which environment, and MiB of images that a run has besides."""

    config: ExperimentConfig
    how: tuple[str, str]
    environment: Mapping[str, str]
    images: int = 0


def images_mib(config: ExperimentConfig, data: Path) -> int:
    """What the decoded images of a run take; 0 where nothing says how large they are."""
    if not data.is_dir():
        return 0
    keypoints = keypoint_set(config.data.keypoint_set)
    splits = {"train", config.evaluation.split}
    return sum((image_bytes(CocoPeople(data, split, keypoints).people()) or 0) for split in splits) >> 20


def _measured(probed: Probed, runs: int, gpus: int, say: Say) -> int:
    gpu = probed.environment[VISIBLE]
    free = free_mib(gpu)
    speeds: dict[int, float] = {}
    with probes(1, probed) as speed:
        speeds[1], memory = speed, max(1, free - free_mib(gpu))
    if probed.images <= SHARE_OF_FREE * free:  # else they are read by processes
        memory += probed.images
    most = most_runs(free=free, memory=memory, processors=cpu_count() // gpus, runs=runs)

    def measure(number: int) -> float:
        with probes(number, probed) as together:
            return together

    picked = doubled(speeds, measure, most)
    said = ", ".join(f"{number}: {speed:,.0f} people/s" for number, speed in speeds.items())
    say(f"runs per GPU: {picked} ({said}; {memory:,} MiB a run, {free:,} free; {most} at most)")
    return picked


def most_runs(*, free: int, memory: int, processors: int, runs: int) -> int:
    """Runs that a GPU has room for: by memory in MiB, a processor each, and no more than there are."""
    return max(1, min(int(MEMORY_SHARE * free) // memory, processors, runs, MOST_CLIENTS))


def doubled(speeds: dict[int, float], measure: Callable[[int], float], most: int) -> int:
    """The number up to which each doubling was worth it; `speeds` has that of 1 and gets those that are measured.

    One that fails, for want of memory say, is not worth it.
    """
    number = 1
    while number < most:
        twice = min(2 * number, most)
        try:
            speeds[twice] = measure(twice)
        except UserError:
            return number
        if speeds[twice] < GAIN * speeds[number]:
            return number
        number = twice
    return number


def free_mib(gpu: str) -> int:
    """Memory of a GPU that nobody uses, in MiB, by nvidia-smi.

    Raises:
        UserError: nvidia-smi does not say it.
    """
    command = ["nvidia-smi", f"--id={gpu}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip()
        return int(said)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise UserError(f"nvidia-smi does not tell the free memory of GPU {gpu}: {error}") from None


@contextmanager
def probes(number: int, probed: Probed) -> Iterator[float]:
    """People per second of so many processes together; within, they are still there.

    Raises:
        UserError: one of them failed, or they take longer than `LIMIT_SECONDS`.
    """
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
        file = Path(folder) / "config.json"
        file.write_text(probed.config.model_dump_json())
        command = [sys.executable, "-m", PROBE, str(file), str(PROBE_SECONDS), *probed.how]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                             env={**os.environ, **probed.environment}, start_new_session=True)
            for _ in range(number)
        ]  # fmt: skip
        patience = Timer(LIMIT_SECONDS, _kill, [processes])
        patience.start()
        try:
            yield _speed_of(processes, log)
            for process in processes:
                process.communicate()  # its input ends, and so does it
        finally:
            patience.cancel()
            _kill(processes)
            for process in processes:
                process.wait()


def _kill(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.kill()


def _speed_of(processes: Sequence[subprocess.Popen[str]], log: TextIO) -> float:
    said = _next_lines(processes)
    if set(said) == {READY}:
        for process in processes:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.write("go\n")
                process.stdin.flush()
        said = _next_lines(processes)
    if not all(said):
        log.seek(0)
        words = log.read().strip().splitlines() or ["it took too long"]
        raise UserError(f"{len(processes)} at a time: {words[-1]}")
    return sum(float(one) for one in said)


def _next_lines(processes: Sequence[subprocess.Popen[str]]) -> list[str]:
    """A line of each; "" of one that has ended."""
    return [process.stdout.readline().strip() for process in processes if process.stdout is not None]
