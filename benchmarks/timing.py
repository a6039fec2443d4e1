"""Times of alternatives that are run by turns, so that what else the machine does hits them alike."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch


def times_ms(alternatives: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 2) -> dict[str, float]:
    """Median time of each alternative in milliseconds, over `rounds` rounds in which each runs once."""
    for run in alternatives.values():
        for _ in range(warm_up):
            run()
    taken: dict[str, list[float]] = {name: [] for name in alternatives}
    for _ in range(rounds):
        for name, run in alternatives.items():
            _wait()
            start = time.perf_counter()
            run()
            _wait()
            taken[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(values) for name, values in taken.items()}


def table(title: str, times: Mapping[str, float], reference: str, notes: Mapping[str, str] | None = None) -> str:
    """The times, and how many times as long as the reference each takes."""
    width = max(map(len, times))
    lines = [title]
    for name, value in times.items():
        note = f"   {notes[name]}" if notes and name in notes else ""
        lines.append(f"  {name:{width}}  {value:9.2f} ms  {value / times[reference]:7.2f} x{note}")
    return "\n".join(lines)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
