"""The page of recorded benchmarks."""

from collections.abc import Sequence

from poseur_study.costs.benchmark_record import Benchmark, Comparison, Timing
from poseur_study.display.html_table import Cell, mark
from poseur_study.report.pages.page import Page, make_page


def speed_page(records: Sequence[Benchmark]) -> Page:
    """For each recorded run: where, the goals reached, and its tables."""
    return make_page("speed.html", "Speed", "Speed", records=records, about=_about, lines=_lines)


def _about(record: Benchmark) -> str:
    reached = [one.reached for of in record.comparisons for one in of.timings if one.reached is not None]
    goals = f"{sum(reached)} of {len(reached)} goals are reached. " if reached else ""
    versions = ", ".join(f"{name} {record.versions[name]}" for name in ("torch", "onnxruntime"))
    return (
        f"{goals}{record.threads} threads of {record.cpu_count} processors, "
        f"load {record.load:.1f} when it began, {record.rounds} rounds, {versions}, commit {record.commit[:10]}"
        f"{' with changes' if record.dirty else ''}, {record.finished_at[:10]}."
    )


def _lines(comparison: Comparison) -> list[dict[str, Cell]]:
    """A line an alternative; columns that none of them fills are left out."""
    lines = [
        {
            "": one.name,
            "time, ms": "not run" if one.milliseconds is None else f"{one.milliseconds:.2f}",
            f"× {comparison.reference}": "" if one.ratio is None else f"{one.ratio:.2f}",
            "peak, MiB": "" if one.peak_mib is None else f"{one.peak_mib:.1f}",
            "goal": _goal(one),
            "note": one.note,
        }
        for one in comparison.timings
    ]
    filled = [name for name in lines[0] if any(line[name] for line in lines)]
    return [{name: line[name] for name in filled} for line in lines]


def _goal(one: Timing) -> Cell:
    if one.goal is None:
        return ""
    bound = f"{'≥' if one.at_least else '≤'} {one.goal:.2f}"
    return bound if one.reached is None else mark(one.reached, f"{bound}, {'reached' if one.reached else 'missed'}")
