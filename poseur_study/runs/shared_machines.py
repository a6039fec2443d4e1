"""Time and energy of runs that were at work on one machine at the same time: what is read is of all of them together.

A run is taken to have been at work for its wall time before it finished, although earlier attempts may lie further
back. Older records do not tell machines apart: among those, devices of the same name count as of one machine.
"""

from collections.abc import Sequence
from itertools import pairwise

from poseur_study.runs.provenance import Provenance


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
