"""Where AP lies between AP_L and AP_M: Poseur's rows beside the other methods'."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from IPython.display import HTML

from poseur_study.display.style import COLORBLIND, GREY, as_html, style
from poseur_study.paper.size_mix import SizeMix
from poseur_study.paper.tables import table_name


def size_mix_figure(mixes: Sequence[SizeMix]) -> HTML:
    """A line a table, Poseur's rows and the others' apart; bars are what the rounding of the cells leaves open."""
    groups: dict[str, list[SizeMix]] = {}
    for one in mixes:
        who = "Poseur" if one.poseur else "other methods"
        groups.setdefault(f"{table_name(one.table)}, {who}", []).append(one)
    with style():
        figure, axis = plt.subplots(figsize=(8.2, 0.9 + 0.42 * len(groups)))
        for row, members in enumerate(groups.values()):
            colour = COLORBLIND[0] if members[0].poseur else GREY
            for one in members:
                share, ends = float(one.share.value), [float(end) for end in one.share.range]
                axis.plot(ends, [row, row], color=colour, linewidth=1, alpha=0.5)
                axis.plot(share, row, "o", color=colour, markerfacecolor="white")
            right = max(float(one.share.range.high) for one in members)
            how = {"textcoords": "offset points", "va": "center", "fontsize": 8}
            axis.annotate(f"{len(members)} rows", (right, row), (6, 0), **how)
        axis.set(xlim=(0, 1), ylim=(len(groups) - 0.5, -0.5), yticks=range(len(groups)))
        axis.set_yticklabels(list(groups))
        axis.set_xlabel("(AP_L − AP) / (AP_L − AP_M):   0 is AP_L,   1 is AP_M")
        figure.tight_layout()
    caption = (
        "Every row of the paper that prints AP, AP_M and AP_L on COCO val; hollow: the paper's numbers, bars: what the "
        "rounding of the three cells leaves open. No sentence of the paper speaks of it."
    )
    return as_html(figure, _alt(groups), caption)


def _alt(groups: dict[str, list[SizeMix]]) -> str:
    parts = []
    for name, members in groups.items():
        shares = [float(one.share.value) for one in members]
        parts.append(f"{name}: {min(shares):.2f} to {max(shares):.2f}")
    return "Where AP lies between AP_L and AP_M. " + "; ".join(parts) + "."
