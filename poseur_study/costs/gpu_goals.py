"""Goals for one H100 or H200, set on 2026-11-27 before anything was made faster, beside what was measured that day.

Each is a number that is computed from a record of the GPU's benchmark.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from poseur_study.costs.gpu_record import BF16, GpuBenchmark, GpuRow

R50, MINI, REAL, PYRAMID = (
    "ResNet-50, 6 layers, 256x192",
    "mini",
    "EfficientNet-Lite0, 3 layers, 128x96",
    "68 queries, 4 levels of a 256x192 crop",
)
WHOLE, BACKBONE, BAGS = "whole", "backbone", "bags"
FLOAT32 = "float32"
LIMITS, INFERENCE, TRAINING, EMSDA, EPOCH, RUNS = "limits", "inference", "training", "emsda", "epoch", "runs"
PEOPLE = "people"
"""The step that generates data, and has no rows."""
NOT_MEASURED = "not measured yet"
DETAILS = ("of", "bounded by", "beside", "card", "torch", "date", "code")


@dataclass(frozen=True)
class Measured:
    """A number, the row whose speed it is, and what to read beside it."""

    value: float
    row: GpuRow
    beside: str = ""


@dataclass(frozen=True)
class Goal:
    """A number to reach on an H100 or H200.

    Attributes:
        before: what was measured on 2026-11-27, rounded as the goals were; shown where no record has it.
        of: the number in a record; None where it was not measured.
        form: how it is written.
    """

    text: str
    before: str
    aim: float
    at_least: bool
    form: str
    of: Callable[[GpuBenchmark], Measured | None]

    def reached(self, value: float) -> bool:
        """Whether a number does."""
        return value >= self.aim if self.at_least else value <= self.aim

    def words(self) -> str:
        """The aim with its sign."""
        return f"{'≥' if self.at_least else '≤'} {self.form.format(self.aim)}"


def milliseconds(section: str, name: str, batch: int) -> Callable[[GpuBenchmark], Measured | None]:
    """Of the whole, and beside it the backbone's, both in their quickest way."""

    def of(record: GpuBenchmark) -> Measured | None:
        whole, backbone = (_timed(record, section, name, part, BF16, batch) for part in (WHOLE, BACKBONE))
        if whole is None:
            return None
        beside = ""
        if backbone is not None:
            ratio = whole.milliseconds / backbone.milliseconds
            beside = f"backbone {backbone.milliseconds:.2f} ms, whole ÷ backbone {ratio:.1f}"
        return Measured(whole.milliseconds, whole, beside)

    return of


def per_second(section: str, name: str, precision: str, batch: int) -> Callable[[GpuBenchmark], Measured | None]:
    """Images or people a second of the whole."""

    def of(record: GpuBenchmark) -> Measured | None:
        row = _timed(record, section, name, WHOLE, precision, batch)
        return None if row is None else Measured(row.per_second, row)

    return of


def most_together(record: GpuBenchmark) -> Measured | None:
    """People a second of all runs together, at the number of runs at which it is the most."""
    rows = [row for row in record.rows if row.section == RUNS and row.timed]
    if not rows:
        return None
    best = max(rows, key=lambda row: row.per_second)
    return Measured(best.per_second, best, ", ".join(f"{row.name} {row.per_second:,.0f}" for row in rows))


def share_of_peak(record: GpuBenchmark) -> Measured | None:
    """Percent of the card's bf16 peak that the training step reaches."""
    row = _timed(record, TRAINING, R50, WHOLE, BF16, 128)
    if row is None or "arithmetic" not in (shares := record.shares(row)):
        return None
    return Measured(100 * shares["arithmetic"], row, f"peak {record.limits.flops / 1e12:,.0f} TFLOP/s")


def head_over_backbone(record: GpuBenchmark) -> Measured | None:
    """What the head adds to the training step, as a multiple of the backbone's forward and backward pass."""
    whole, backbone = (_timed(record, TRAINING, R50, part, BF16, 128) for part in (WHOLE, BACKBONE))
    if whole is None or backbone is None:
        return None
    all_of_it, of_backbone = whole.milliseconds, backbone.milliseconds
    added = all_of_it - of_backbone
    return Measured(added / of_backbone, whole, f"{added:.1f} of {all_of_it:.1f} ms, backbone {of_backbone:.1f}")


def quickest_emsda(record: GpuBenchmark) -> Measured | None:
    """Milliseconds of the quickest way to sample."""
    rows = [row for row in record.rows if row.section == EMSDA and row.timed]
    if not rows:
        return None
    best = min(rows, key=lambda row: row.milliseconds)
    words = (f"{row.part} {row.precision} {row.milliseconds:.2f}" for row in rows)
    return Measured(best.milliseconds, best, ", ".join(words))


def emsda_over_bags(record: GpuBenchmark) -> Measured | None:
    """How many times as fast as bags in float32 the quickest way is."""
    bags, quickest = _timed(record, EMSDA, PYRAMID, BAGS, FLOAT32, 128), quickest_emsda(record)
    if bags is None or quickest is None:
        return None
    return Measured(bags.milliseconds / quickest.value, quickest.row)


MS, SPEED, TIMES = "{:.2f} ms", "{:,.0f}/s", "{:.2f} x"
GOALS = (
    Goal("inference, batch 1", "2.8 ms", 1.6, False, MS, milliseconds(INFERENCE, R50, 1)),
    Goal("inference, batch 128", "7,400/s", 18_000, True, SPEED, per_second(INFERENCE, R50, BF16, 128)),
    Goal("training, batch 128", "1,190/s", 4_500, True, SPEED, per_second(TRAINING, R50, BF16, 128)),
    Goal("the same, of the bf16 peak", "4.1 %", 15, True, "{:.1f} %", share_of_peak),
    Goal("its head ÷ its backbone", "2.3 x", 0.4, False, TIMES, head_over_backbone),
    Goal("mini, batch 32, with its data, whole card", "5,000/s", 60_000, True, SPEED, most_together),
    Goal("epoch of images, batch 256", "3,700/s", 12_000, True, SPEED, per_second(EPOCH, REAL, BF16, 256)),
    Goal("EMSDA forward and backward, batch 128", "4.33 ms", 2.5, False, MS, quickest_emsda),
    Goal("the same, bags ÷ quickest", "2.3 x", 4, True, TIMES, emsda_over_bags),
)


def goal_rows(records: Sequence[GpuBenchmark]) -> Iterator[dict[str, str | None]]:
    """A row a goal: the code before, the goal, and what the newest record since then that measured it says.

    What bounds it, on which card and by which code is of that record; where there is none since, of the one before.
    """
    full = sorted((one for one in records if not one.rehearsal), key=lambda one: one.finished_at, reverse=True)
    for goal in GOALS:
        before = _first(goal, [one for one in full if one.note])
        since = _first(goal, [one for one in full if not one.note])
        earlier = goal.form.format(before[1].value) if before else f"{goal.before}, stated without a record"
        measured = goal.form.format(since[1].value) if since else NOT_MEASURED
        reached = ("yes" if goal.reached(since[1].value) else "no") if since else NOT_MEASURED
        row = {"what": goal.text, "before": earlier, "goal": goal.words(), "measured": measured, "reached": reached}
        found = since or before
        yield {**row, **(_details(*found) if found else dict.fromkeys(DETAILS))}


def _first(goal: Goal, records: Sequence[GpuBenchmark]) -> tuple[GpuBenchmark, Measured] | None:
    return next(((one, found) for one in records if (found := goal.of(one)) is not None), None)


def _details(record: GpuBenchmark, found: Measured) -> dict[str, str]:
    row = found.row
    of, torch = f"{row.name}, {row.precision}, {row.best.way}", record.versions.get("torch", "unknown")
    code, date = record.note or record.commit[:10], record.finished_at[:10]
    return dict(zip(DETAILS, (of, record.bound(row), found.beside, record.device, torch, date, code), strict=True))


def _timed(record: GpuBenchmark, section: str, name: str, part: str, precision: str, batch: int) -> GpuRow | None:
    row = record.of(section, name, part, precision, batch)
    return row if row is not None and row.timed else None
