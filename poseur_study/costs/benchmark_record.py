"""What `python -m benchmarks --out FILE` records, and the report shows."""

from poseur_lib.config.base import Frozen


class Timing(Frozen):
    """One alternative.

    Attributes:
        milliseconds: median; `ratio` is how many times as long as the comparison's reference it takes.
        peak_mib: most memory that its tensors held at once beyond its inputs, where it was measured.
        goal: the ratio that was aimed at; `at_least` tells whether more is better.
        note: why there is no time, or what is special.
    """

    name: str
    milliseconds: float | None
    ratio: float | None
    peak_mib: float | None = None
    goal: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is; None without one or without a time."""
        if self.goal is None or self.ratio is None:
            return None
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal


class Comparison(Frozen):
    """Alternatives that were timed by turns in one run; `reference` names the one that ratios are taken of."""

    title: str
    reference: str
    timings: tuple[Timing, ...]

    def text(self) -> str:
        """A table for a terminal."""
        width = max(len(one.name) for one in self.timings)
        lines = [self.title]
        for one in self.timings:
            cells = f"  {one.name:{width}}"
            if one.milliseconds is not None:
                cells += f"  {one.milliseconds:9.2f} ms  {one.ratio:7.2f} x"
            if one.peak_mib is not None:
                cells += f"  {one.peak_mib:8.1f} MiB"
            if one.goal is not None:
                cells += f"  goal {'≥' if one.at_least else '≤'} {one.goal:.2f}"
            lines.append(cells + (f"  {one.note}" if one.note else ""))
        return "\n".join(lines)


class Benchmark(Frozen):
    """A run of the benchmarks.

    Attributes:
        device: of the tensors; `threads` of torch count on a processor alone.
        load: processes that wanted to run in the minute before, on average: above 0 the machine had other work.
        rounds: times that each alternative ran.
    """

    device: str
    cpu_count: int
    threads: int
    load: float
    versions: dict[str, str]
    commit: str
    dirty: bool
    finished_at: str
    rounds: int
    comparisons: tuple[Comparison, ...]
