"""Numbers in words: differences, intervals, seeds."""

from collections.abc import Collection

from poseur_study.analysis.interval import Estimate

NOT_RUN = "not run"


def points(value: float) -> str:
    """A difference in points of AP, with its sign: `+0.6`; no minus before a zero."""
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")


def number(value: float) -> str:
    """`23.1`; no minus before a zero."""
    return f"{round(value, 1) + 0.0:.1f}"


def interval(estimate: Estimate | None, sign: bool = False) -> str:
    """`23.1 to 25.0`, or as differences `+0.2 to +1.9`."""
    if estimate is None:
        return NOT_RUN
    show = points if sign else "{:.1f}".format
    return f"{show(estimate.low)} to {show(estimate.high)}"


def with_interval(estimate: Estimate | None, sign: bool = False, missing: str = "—") -> str:
    """`24.0 (23.1 to 25.0)`."""
    if estimate is None:
        return missing
    value = points(estimate.value) if sign else f"{estimate.value:.1f}"
    return f"{value} ({interval(estimate, sign)})"


def seeds(numbers: int | Collection[int]) -> str:
    """`1 seed`, `3 seeds`, `1 or 2 seeds`."""
    of = [numbers] if isinstance(numbers, int) else sorted(set(numbers))
    return f"{' or '.join(map(str, of))} seed{'s' * (of != [1])}"
