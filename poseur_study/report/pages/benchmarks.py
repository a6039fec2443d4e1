"""The page of recorded benchmarks."""

import html
from collections.abc import Sequence

from poseur_study.costs.benchmark_record import Benchmark, Comparison, Timing
from poseur_study.report.blocks import Block, Cell, mark, stacked_table

TITLE = "Speed"
PAGE = "speed.html"
_LEAD = (
    "Ratios within one run: the alternatives of a table take turns, so that other work on the machine hits them alike, "
    "and each time is a median. Goals were set before measuring, for a processor. On a GPU, times that do not grow "
    "with the batch are those of launching kernels."
)


def benchmark_blocks(records: Sequence[Benchmark]) -> tuple[Block, ...]:
    """For each recorded run: where, the goals reached, and its tables."""
    blocks = [Block("prose", f'<h1>{TITLE}</h1><p class="lead">{_LEAD}</p>')]
    for record in records:
        blocks.append(Block("prose", _about(record)))
        for comparison in record.comparisons:
            blocks.append(Block("prose", f"<h3>{html.escape(comparison.title)}</h3>"))
            blocks.append(Block("output", _table(comparison)))
    return tuple(blocks)


def _about(record: Benchmark) -> str:
    timings = [one for comparison in record.comparisons for one in comparison.timings]
    judged = [one.reached for one in timings if one.reached is not None]
    versions = ", ".join(f"{name} {record.versions[name]}" for name in ("torch", "onnxruntime"))
    goals = f"{sum(judged)} of {len(judged)} goals are reached. " if judged else ""
    words = (
        f"{goals}{record.threads} threads of {record.cpu_count} processors, "
        f"load {record.load:.1f} when it began, {record.rounds} rounds, {versions}, commit {record.commit[:10]}"
        f"{' with changes' if record.dirty else ''}, {record.finished_at[:10]}."
    )
    return f"<h2>{html.escape(record.device)}</h2><p>{html.escape(words)}</p>"


def _table(comparison: Comparison) -> str:
    has_peak = any(one.peak_mib is not None for one in comparison.timings)
    has_goal = any(one.goal is not None for one in comparison.timings)
    has_note = any(one.note for one in comparison.timings)
    columns = ["", "time, ms", f"× {comparison.reference}"]
    columns += ["peak, MiB"] * has_peak + ["goal"] * has_goal + ["note"] * has_note
    rows = []
    for one in comparison.timings:
        measured = one.milliseconds is not None
        cells: list[Cell] = [one.name, f"{one.milliseconds:.2f}" if measured else "not run"]
        cells.append(f"{one.ratio:.2f}" if measured else "")
        cells += ["" if one.peak_mib is None else f"{one.peak_mib:.1f}"] * has_peak
        cells += [_goal(one)] * has_goal + [one.note] * has_note
        rows.append(cells)
    return stacked_table(columns, rows, [*columns[1:3], "peak, MiB"])


def _goal(one: Timing) -> Cell:
    if one.goal is None:
        return ""
    bound = f"{'≥' if one.at_least else '≤'} {one.goal:.2f}"
    return bound if one.reached is None else mark(one.reached, f"{bound}, {'reached' if one.reached else 'missed'}")
