"""Energy of runs that were at work on one machine at the same time: a reading is of all of them together."""

from collections.abc import Sequence
from itertools import pairwise

from poseur_lib.study.provenance import Provenance


def shares(runs: Sequence[Provenance]) -> list[float | None]:
    """Joules of each run: at every moment an equal part of what was drawn, among the runs at work on its device.

    What was drawn at a moment is the mean of the powers that those runs read, each over its own time. Runs with
    devices of the same name count as of one machine. None where a run read nothing. A run is taken to have been at
    work for its wall time before it finished, although earlier attempts may lie further back.
    """
    spans = [(run.began.timestamp(), run.ended.timestamp()) for run in runs]
    moments = sorted({moment for span in spans for moment in span})
    found: list[float | None] = [None if run.joules is None else 0.0 for run in runs]
    for start, end in pairwise(moments):
        for device in {run.device for run in runs}:
            active = [
                number
                for number, (run, (first, last)) in enumerate(zip(runs, spans, strict=True))
                if run.joules is not None and run.device == device and first <= start and end <= last
            ]
            for number in active:
                watts = sum(runs[one].joules / runs[one].wall_seconds for one in active) / len(active)
                found[number] += watts * (end - start) / len(active)
    return found
