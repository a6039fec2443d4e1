"""A cost that the paper prints, ours beside it, and both on a terminal or as a table."""

import textwrap
from collections.abc import Iterable

import pandas as pd

from poseur_lib.config.base import Frozen
from poseur_study.paper.tables import Printed

TOLERANCE_PERCENT = 1.0
RULE = (
    f"A printed cost agrees if ours lies within {TOLERANCE_PERCENT:.0f} % of it, or is the printed number once rounded"
    " to its digits. GFLOPs are compared by the hook convention, which the paper's follow."
)


class CostRow(Frozen):
    """A cost that the paper prints, and ours.

    Attributes:
        ours: by the hook convention where it is GFLOPs.
        ours_everything: GFLOPs with everything counted; None for parameters.
        percent: how much ours is above the paper's.
        agrees: by `RULE`.
    """

    source: str
    model: str
    quantity: str
    paper: str
    ours: float
    ours_everything: float | None
    percent: float
    agrees: bool
    note: str


def agrees_with(printed: Printed, ours: float, *, cut_off: bool = False) -> bool:
    """If a printed cost agrees with ours by `RULE`; with `cut_off`, also if it is ours without further digits."""
    half, above = float(printed.half_digit), ours - printed.value
    rounds_to_it = abs(above) <= half or (cut_off and 0 <= above < 2 * half)
    return rounds_to_it or 100 * abs(ours / printed.value - 1) <= TOLERANCE_PERCENT


def comparison_table(rows: Iterable[CostRow]) -> pd.DataFrame:
    """The comparison as a table: place, model, what is counted, paper, ours, difference in %, verdict, note."""
    table = pd.DataFrame(row.model_dump() for row in rows).round({"ours": 3, "ours_everything": 3, "percent": 1})
    verdicts = {True: f"agrees within {TOLERANCE_PERCENT:.0f} % or rounding", False: "differs"}
    names = {"ours_everything": "everything counted", "percent": "difference, %", "agrees": "verdict"}
    return table.assign(agrees=table["agrees"].map(verdicts)).rename(columns=names)


def comparison_lines(rows: Iterable[CostRow], width: int) -> list[str]:
    """The comparison for a terminal: the place in the paper and our model, then a line for each of its costs."""
    lines, place = [f"{'':26}{'paper':>7}{'ours':>8}  difference"], ""
    for row in rows:
        if row.source != place:
            place, indent = row.source, {"subsequent_indent": "  "}
            lines += ["", *textwrap.wrap(f"{row.source}: {row.model}", width, **indent)]
        verdict = "" if row.agrees else "  differs"
        quantity = row.quantity.replace("parameters without flows", "parameters, no flows").partition(" (")[0]
        lines.append(f"  {quantity:24}{row.paper:>7}{row.ours:8.3f}{row.percent:7.1f} %{verdict}")
        lines += textwrap.wrap(row.note, width, initial_indent="    ", subsequent_indent="    ")
    return lines
