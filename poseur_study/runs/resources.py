"""Energy of a run, where the machine lets it be read: the processor's counters (RAPL), and the power that GPUs report.

Both tell of all that processor and GPUs do, other processes included: an upper estimate for a run that is not alone.
None where neither can be read, as in most containers.
"""

import shutil
import subprocess
import threading
import time
from pathlib import Path

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
