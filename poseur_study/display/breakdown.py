"""Why an effect is there, drawn: the difference of two rows, part by part."""

from collections.abc import Sequence

from IPython.display import HTML

from poseur_study.analysis.error_breakdown import METHOD, BreakdownRow, ClaimBreakdown
from poseur_study.analysis.interval import Estimate
from poseur_study.display.comparison import Effect, effects_figure
from poseur_study.display.figure import as_html
from poseur_study.display.html_table import show_table
from poseur_study.display.words import points

PANELS = (
    (("error type",), "share of keypoints, percentage points"),
    (("hidden", "size"), "AP, points"),
    (("keypoint", "visibility"), "mean keypoint similarity × 100"),
)
NAMES = {"visibility": "keypoints {}", "hidden": "people with {} hidden", "size": "{} people"}


def breakdown_figures(of: ClaimBreakdown) -> list[HTML]:
    """A figure each for error types, keypoints and kinds of people, as far as there is something to tell."""
    found = []
    for parts, unit in PANELS:
        rows = [row for row in of.rows if row.part in parts]
        if rows:
            figure = effects_figure([_effect(row) for row in rows], f"{unit}: difference")
            found.append(as_html(figure, _alt(of, rows), f"{of.difference}, by {' and '.join(parts)}."))
    return found


def breakdown_table(of: ClaimBreakdown) -> HTML:
    """Every number of a comparison."""
    rows = [
        {
            "by": row.part, "part": row.name, "measure": row.measure, "number": f"{row.number:,}",
            "first row": row.better, "second row": row.than, "difference": _signed(row.difference.value),
            "95 % interval": _ends(row.difference),
        }
        for row in of.rows
    ]  # fmt: skip
    return show_table(rows, f"{of.difference}. {METHOD}")


def notable(of: ClaimBreakdown) -> list[str]:
    """Which parts differ: those whose interval excludes 0, largest first, in words."""
    clear = [row for row in of.rows if row.difference.low > 0 or row.difference.high < 0]
    clear.sort(key=lambda row: -abs(row.difference.value))
    return [f"{part_words(row)}: {_signed(row.difference.value)} ({_ends(row.difference)})" for row in clear]


def part_words(row: BreakdownRow) -> str:
    """`miss`, `wrist`, `keypoints hidden`, `people with over 25 % hidden`, with what is measured."""
    name = NAMES.get(row.part, "{}").format(row.name)
    return f"{name}, {row.measure}"


def _effect(row: BreakdownRow) -> Effect:
    label = NAMES.get(row.part, "{}").format(row.name)
    one = row.difference
    return Effect(f"{label}  ({row.than:.1f} → {row.better:.1f})", (one.value, one.low, one.high))


def _alt(of: ClaimBreakdown, rows: Sequence[BreakdownRow]) -> str:
    return f"{of.difference}. " + "; ".join(f"{part_words(row)} {points(row.difference.value)}" for row in rows) + "."


def _ends(one: Estimate) -> str:
    return f"{_signed(one.low)} to {_signed(one.high)}"


def _signed(value: float) -> str:
    """Two decimals, so that an interval that excludes 0 is seen to."""
    return f"{value:+.2f}".replace("-", "−")
