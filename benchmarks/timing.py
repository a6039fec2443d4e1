"""Times of alternatives that are run by turns, so that what else the machine does hits them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from poseur_lib.runtime import wait_for
from poseur_study.costs.benchmark_record import Comparison, Timing

Run = Callable[[], object]


@dataclass(frozen=True)
class Goal:
    """A ratio to reach: at most, or at least."""

    ratio: float
    at_least: bool = False


@dataclass(frozen=True)
class Setting:
    """How to measure: where, batch sizes, how often each alternative runs, and whether to wait for torch.compile."""

    device: str = "cpu"
    batches: tuple[int, ...] = (1, 8, 32)
    rounds: int = 7
    warm_up: int = 2
    compile: bool = False

    def goals(self, of_processor: Mapping[str, Goal]) -> Mapping[str, Goal]:
        """Goals were set for a processor; a GPU has none."""
        return of_processor if self.device == "cpu" else {}

    def shorter(self) -> "Setting":
        """For what takes long: half the rounds, one to warm up."""
        return replace(self, rounds=max(1, self.rounds // 2), warm_up=min(1, self.warm_up))


@dataclass(frozen=True)
class Extras:
    """What a comparison says beside times: peaks of memory in MiB, goals, notes, all by name."""

    peaks: Mapping[str, float] = field(default_factory=dict)
    goals: Mapping[str, Goal] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def times_ms(alternatives: Mapping[str, Run], setting: Setting) -> dict[str, float]:
    """Median time of each alternative in milliseconds, over rounds in which each runs once."""
    for run in alternatives.values():
        for _ in range(setting.warm_up):
            run()
    taken: dict[str, list[float]] = {name: [] for name in alternatives}
    for _ in range(setting.rounds):
        for name, run in alternatives.items():
            wait_for(setting.device)
            start = time.perf_counter()
            run()
            wait_for(setting.device)
            taken[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(values) for name, values in taken.items()}


def compared(title: str, times: Mapping[str, float], reference: str, extras: Extras | None = None) -> Comparison:
    """The times as a comparison with the one named `reference`; notes on what has no time make a row of their own."""
    extras = extras or Extras()
    names = dict.fromkeys([*times, *extras.notes])
    return Comparison(
        title=title,
        reference=reference,
        timings=tuple(
            Timing(
                name=name,
                milliseconds=times.get(name),
                ratio=times[name] / times[reference] if name in times else None,
                peak_mib=extras.peaks.get(name),
                goal=extras.goals[name].ratio if name in extras.goals else None,
                at_least=name in extras.goals and extras.goals[name].at_least,
                note=extras.notes.get(name, ""),
            )
            for name in names
        ),
    )
