"""What a run has taken over all its attempts, and by which code: wall time, and energy where it can be read.

Energy is read from the processors' counters (RAPL) and from the power that GPUs report. Both tell of all that
processors and GPUs do, other processes and runs included: an upper estimate for a run that is not alone. Where one of
the two is not readable it is the other's alone, and None where neither is, as in most containers. Time and energy are
noted beside a run's checkpoint while it is at work.
"""

import json
import math
import subprocess
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import Event, Lock, Thread

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from poseur_lib.errors import UserError
from poseur_lib.files import CURVE_FILE, LAST_CHECKPOINT, MODEL_FILE, read_regular, write_atomically
from poseur_lib.training.curve import read_curve
from poseur_study.runs.heartbeat import repeated

RAPL = Path("/sys/class/powercap")
QUERY = ("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits")
LOOK_SECONDS = 10.0
SPENT_FILE = "spent.json"
PERIOD_SECONDS = 60.0
UNKNOWN_COMMIT = ""


class EnergyMeter:
    """Counts from its making on, as long as somebody holds it."""

    def __init__(self) -> None:
        self._watch = EnergyWatch()
        self._watch.start()
        weakref.finalize(self, self._watch.ended.set)

    def joules(self) -> float | None:
        """Energy so far; None where nothing can be read, or something no longer."""
        return self._watch.joules()


class EnergyWatch(Thread):
    """Sums up what is drawn until it is told to end; it knows no meter, so that one can be discarded."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended, self._lock = Event(), Lock()
        self._counters = rapl_microjoules()
        self._processors = 0.0 if self._counters else None
        self._gpus: float | None = None

    def joules(self) -> float | None:
        """As of the meter; GPUs' to the last look."""
        self._count()
        known = [one for one in (self._processors, self._gpus) if one is not None]
        return sum(known) if known and not math.isnan(sum(known)) else None

    def run(self) -> None:
        """Look again and again; of GPUs power times time, by trapezoids, also over gaps between readings."""
        total, last, watts = 0.0, time.monotonic(), gpu_watts()
        while (self._processors, watts) != (None, None) and not self.ended.wait(LOOK_SECONDS):
            self._count()
            if watts is not None:
                now, power = time.monotonic(), gpu_watts()
                if power is None:
                    self._gpus = math.nan
                else:
                    total += (watts + power) / 2 * (now - last)
                    self._gpus, last, watts = total, now, power

    def _count(self) -> None:
        """Counters begin again every few minutes under load: what is understood are differences of moments."""
        with self._lock:
            if self._processors is not None:
                before, self._counters = self._counters, rapl_microjoules()
                self._processors += joules_between(before, self._counters)


def rapl_microjoules() -> dict[Path, int]:
    """The counter of each processor package that can be read; `psys`, which contains them, is none."""
    packages = [path for path in sorted(RAPL.glob("intel-rapl:*")) if _read(path / "name").startswith("package")]
    read = {path: _read(path / "energy_uj") for path in packages}
    return {path: int(count) for path, count in read.items() if count}


def joules_between(first: dict[Path, int], last: dict[Path, int]) -> float:
    """Energy between two readings; a counter that has begun again once is understood. NaN where it cannot be told."""
    if first.keys() != last.keys():
        return math.nan
    total = 0.0
    for path, before in first.items():
        used = last[path] - before
        if used < 0:
            used += int(_read(path / "max_energy_range_uj") or 0)
        if used < 0:
            return math.nan
        total += used / 1e6
    return total


def gpu_watts() -> float | None:
    """What all GPUs draw now; None where nvidia-smi does not say."""
    try:
        done = subprocess.run(QUERY, capture_output=True, text=True, timeout=10, check=False)
        return sum(float(line) for line in done.stdout.split()) if done.returncode == 0 and done.stdout else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class Spent:
    """Wall time, and energy as `EnergyMeter` reads it; `joules` is None where some attempt could not read it.

    Attributes:
        commits: of the attempts, each once, the last one's last; `dirty` where one of them had changes.
    """

    seconds: float = 0.0
    joules: float | None = 0.0
    commits: tuple[str, ...] = ()
    dirty: bool = False

    def __add__(self, later: "Spent") -> "Spent":
        unknown = self.joules is None or later.joules is None
        earlier = [commit for commit in self.commits if commit not in later.commits]
        return Spent(
            self.seconds + later.seconds,
            None if unknown else self.joules + later.joules,
            (*earlier, *later.commits),
            self.dirty or later.dirty,
        )


def spent_before(folder: Path) -> Spent:
    """What the earlier attempts took that left a run's folder what is gone on from; nothing where there is none.

    Where no note says it, as of a record that was damaged, it is what training took by its curve, by an unknown commit.
    """
    has = {name for name in (LAST_CHECKPOINT, MODEL_FILE, CURVE_FILE) if (folder / name).exists()}
    if not (LAST_CHECKPOINT in has or {MODEL_FILE, CURVE_FILE} <= has):
        return Spent()
    before, training = Spent(joules=None), 0.0
    with suppress(OSError, ValueError):
        before = TypeAdapter(Spent).validate_json(read_regular(folder / SPENT_FILE))
    with suppress(UserError):
        training = max((point.seconds for point in read_curve(folder / CURVE_FILE)), default=0.0)
    if before.seconds < training:  # it was killed less than PERIOD_SECONDS after its last note
        before = replace(before, seconds=training, joules=None)
    return replace(before, commits=before.commits or (UNKNOWN_COMMIT,))


@contextmanager
def noted(folder: Path, spent: Callable[[], Spent]) -> Iterator[None]:
    """Note what a run has taken so far, at once, every minute and at the end, for an attempt that goes on from here.

    A disk that refuses it goes without: training is not stopped for that.
    """

    def note() -> None:
        with suppress(OSError):
            write_atomically(folder / SPENT_FILE, json.dumps(asdict(spent())).encode())

    note()
    try:
        with repeated(note, PERIOD_SECONDS):
            yield
    finally:
        note()
