"""Energy of a run, where the machine lets it be read: the processor's counters (RAPL), and the power that GPUs report.

Both tell of all that processor and GPUs do, other processes included: an upper estimate for a run that is not alone.
None where neither can be read, as in most containers.

What a run has taken over all its attempts: wall time and energy, noted beside its checkpoint while it is at work.

Time and energy of runs that were at work on one machine at the same time: what is read is of all of them together.

A run is taken to have been at work for its wall time before it finished, although earlier attempts may lie further
back. Older records do not tell machines apart: among those, devices of the same name count as of one machine.
"""

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

from poseur_lib.checkpoints.checkpoint import LAST_CHECKPOINT
from poseur_lib.files import write_atomically
from poseur_study.runs.provenance import Provenance

RAPL = Path("/sys/class/powercap")

QUERY = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits")

GPU_PERIOD = 10.0


class EnergyMeter:
    """Counts from its making on.

    Args:
        counters: folder of the processor's counters.
    """

    def __init__(self, counters: Path = RAPL) -> None:
        self.counters = counters
        self.first = rapl_microjoules(counters)
        self.gpu_joules: float | None = None
        if shutil.which(QUERY[0]):
            threading.Thread(target=self._watch_gpus, daemon=True).start()

    def joules(self) -> float | None:
        """Energy so far; None where nothing can be read."""
        processor = joules_between(self.first, rapl_microjoules(self.counters))
        known = [one for one in (processor, self.gpu_joules) if one is not None]
        return sum(known) if known else None

    def _watch_gpus(self) -> None:
        """Power times time, by trapezoids between readings."""
        last, watts = time.monotonic(), gpu_watts()
        while watts is not None:
            time.sleep(GPU_PERIOD)
            now, power = time.monotonic(), gpu_watts()
            if power is None:
                return
            self.gpu_joules = (self.gpu_joules or 0.0) + (watts + power) / 2 * (now - last)
            last, watts = now, power


def rapl_microjoules(folder: Path = RAPL) -> dict[Path, int]:
    """The counter of each processor package that can be read."""
    packages = [path for path in sorted(folder.glob("intel-rapl:[0-9]*")) if path.name.count(":") == 1]
    read = {path: _number(path / "energy_uj") for path in packages}
    return {path: count for path, count in read.items() if count is not None}


def joules_between(first: dict[Path, int], last: dict[Path, int]) -> float | None:
    """Energy between two readings; a counter that has begun again once is understood. None for other packages."""
    if not first or first.keys() != last.keys():
        return None
    total = 0.0
    for path, before in first.items():
        used = last[path] - before
        if used < 0:
            used += _number(path / "max_energy_range_uj") or 0
        if used < 0:
            return None
        total += used / 1e6
    return total


def gpu_watts() -> float | None:
    """What all GPUs draw now; None where nvidia-smi does not say."""
    try:
        done = subprocess.run(QUERY, capture_output=True, text=True, timeout=10, check=False)
        return sum(float(line) for line in done.stdout.split()) if done.returncode == 0 and done.stdout else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


SPENT_FILE = "spent.json"

PERIOD_SECONDS = 60.0


@dataclass(frozen=True)
class Spent:
    """Wall time, and energy as `EnergyMeter` reads it; `joules` is None where some attempt could not read it."""

    seconds: float = 0.0
    joules: float | None = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        unknown = self.joules is None or other.joules is None
        return Spent(self.seconds + other.seconds, None if unknown else self.joules + other.joules)


def spent_before(folder: Path) -> Spent:
    """What the earlier attempts took whose checkpoint lies in a run's folder; nothing where there is none.

    A checkpoint without a note is one of an earlier version: what it took is not known and not counted.
    """
    if not (folder / LAST_CHECKPOINT).exists():
        return Spent()
    try:
        return Spent(**json.loads((folder / SPENT_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return Spent(joules=None)


@contextmanager
def noted(folder: Path, spent: Callable[[], Spent]) -> Iterator[None]:
    """Note what a run has taken so far, every minute and at the end, for an attempt that goes on from here."""
    ended = Event()

    def note() -> None:
        while not ended.wait(PERIOD_SECONDS):
            _write(folder, spent())

    thread = Thread(target=note, daemon=True, name=f"what {folder} has taken")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _write(folder, spent())


def _write(folder: Path, spent: Spent) -> None:
    """A disk that refuses it goes without: training is not stopped for that."""
    try:
        write_atomically(folder / SPENT_FILE, json.dumps(asdict(spent)).encode())
    except OSError:
        pass


def energy_shares(runs: Sequence[Provenance]) -> list[float | None]:
    """Joules of each run: at every moment an equal part of what was drawn, among the runs at work on its device.

    What was drawn at a moment is the mean of the powers that those runs read, each over its own time. None where a run
    read nothing.
    """
    found: list[float | None] = [None if run.joules is None else 0.0 for run in runs]
    readers = [number for number, run in enumerate(runs) if run.joules is not None]
    for seconds, active in _stretches(runs, readers):
        watts = sum(runs[one].joules / runs[one].wall_seconds for one in active) / len(active)
        for number in active:
            found[number] += watts * seconds / len(active)
    return found


def busy_seconds(runs: Sequence[Provenance]) -> float:
    """How long devices were at work, several runs at a time on one counted once."""
    return sum(seconds for seconds, _ in _stretches(runs, range(len(runs))))


def _stretches(runs: Sequence[Provenance], numbers: Sequence[int]) -> list[tuple[float, list[int]]]:
    """Stretches of time in which the same runs were at work on a device, with those runs' numbers."""
    spans = {number: (runs[number].began.timestamp(), runs[number].ended.timestamp()) for number in numbers}
    devices: dict[tuple[str, str], list[int]] = {}
    for number in numbers:
        devices.setdefault((runs[number].machine, runs[number].device), []).append(number)
    found = []
    for here in devices.values():
        for start, end in pairwise(sorted({moment for number in here for moment in spans[number]})):
            active = [number for number in here if spans[number][0] <= start and end <= spans[number][1]]
            if active:
                found.append((end - start, active))
    return found
