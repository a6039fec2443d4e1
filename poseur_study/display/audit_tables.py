"""The audit shown: the claims with what text and tables say, one method's different numbers, and where AP lies.

In both figures the paper's numbers are hollow dots: a line a method with several numbers, and a line a table for where
AP lies between AP_L and AP_M, Poseur's rows beside the other methods'.
"""

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
from IPython.display import HTML
from markupsafe import Markup

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.display.figure import as_html
from poseur_study.display.html_table import Cell, show_table, soft
from poseur_study.display.style import GREY, backbone_colour, style
from poseur_study.paper.audit import RULE, Audited, Group, SizeMix, counts, summary, within_rounding
from poseur_study.paper.checks import Agreement
from poseur_study.paper.claims import ClaimKind
from poseur_study.paper.tables import table_name

MOST_SOURCES = 4  # cells that are named one by one
LINE_INCHES = 0.72
NO_LAYERS = "layers not stated"


def summary_text(audited: Sequence[Audited]) -> HTML:
    """The result in a sentence, and the rule behind it."""
    return HTML(Markup('<p class="lead">{}</p><p class="caption">{}</p>').format(summary(audited), RULE))


def counts_table(audited: Sequence[Audited]) -> HTML:
    """How many claims of each kind agree, contradict and cannot be checked."""
    kinds = {kind.value: [one for one in audited if one.claim.kind == kind] for kind in ClaimKind} | {"all": audited}
    rows = [
        {"claims": name, "number": str(len(of_kind))}
        | {agreement.value: str(counts(of_kind)[agreement]) for agreement in Agreement}
        | {"of these maybe rounding": str(within_rounding(of_kind))}
        for name, of_kind in kinds.items()
    ]
    return show_table(rows, "Claims of the paper and its supplement, held against the numbers that they print.")


def claims_list(audited: Iterable[Audited], agreement: Agreement) -> HTML:
    """The claims of one agreement, in the order of the text."""
    rows = [_claim(one) for one in audited if one.finding.agreement == agreement]
    return show_table(rows, css="texts audit") if rows else HTML("<p>None.</p>")


def _claim(one: Audited) -> dict[str, Cell]:
    claim, finding = one.claim, one.finding
    sources = claim.sources if len(claim.sources) <= MOST_SOURCES else (claim.table_names,)
    rounding = "The rounding of the printed digits may explain it." if finding.within_rounding else ""
    return {
        "claim": soft(claim.statement, f"{claim.place}; {claim.kind.value}"),
        "the text": finding.claimed,
        "the numbers": soft(finding.computed, "; ".join(sources)),
        "remark": " ".join(part for part in (rounding, claim.remark) if part),
    }


def same_subject_table(groups: Sequence[Group]) -> HTML:
    """Cells that speak of one method and differ, largest difference first."""
    rows = [
        {
            "method": f"{subject}" + f", {NO_LAYERS}" * (subject.method == "Poseur" and subject.layers is None),
            "column": group.column,
            "printed": "; ".join(_labels(group).values()),
            "apart": str(group.spread),
        }
        for group, subject in ((one, one.subject) for one in groups if one.differ)
    ]
    caption = "In brackets the tables that print it. A number that is only rounded more coarsely counts as the same."
    return show_table(rows, caption)


def _tables(group: Group) -> dict[str, list[str]]:
    """Each number of a group, in order, with the numbers of the tables that print it."""
    found: dict[str, list[str]] = {}
    for cell in sorted(group.cells, key=lambda one: one.value):
        found.setdefault(str(cell), []).append(cell.table)
    return found


def _labels(group: Group) -> dict[str, str]:
    """`70.4 (5)`, by number."""
    return {value: f"{value} ({', '.join(tables)})" for value, tables in _tables(group).items()}


def same_subject_figure(groups: Sequence[Group]) -> HTML:
    """The groups that differ; the dots of one value are one, labelled with the tables that print it."""
    differing = [group for group in groups if group.differ]
    if not differing:
        return HTML("<p>No two cells of one method differ.</p>")
    with style():
        figure, axis = plt.subplots(figsize=(8.2, 0.7 + LINE_INCHES * len(differing)))
        for row, group in enumerate(differing):
            _draw_group(axis, row, group)
        axis.set(yticks=range(len(differing)), ylim=(len(differing) - 0.4, -0.65), xlabel=differing[0].column)
        axis.set_yticklabels([_name(group) for group in differing])
        axis.margins(x=0.08)
        figure.tight_layout()
    caption = (
        f"{differing[0].column} that the paper prints for one method at one backbone and size, with the tables in "
        "brackets. Ablated and shortened variants are left out. Hollow: the paper's numbers; no intervals are printed."
    )
    printed = [", ".join(f"{value} in {' and '.join(of)}" for value, of in _tables(one).items()) for one in differing]
    lines = "; ".join(f"{group.subject}: {words}" for group, words in zip(differing, printed, strict=True))
    return as_html(figure, f"The same method with different numbers. {lines}.", caption)


def _draw_group(axis: plt.Axes, row: int, group: Group) -> None:
    colour = backbone_colour(group.subject.backbone)
    labels = _labels(group)
    places = [float(value) for value in labels]
    axis.plot([places[0], places[-1]], [row, row], color=GREY, linewidth=1)
    axis.plot(places, [row] * len(places), "o", color=colour, markerfacecolor="white", zorder=3)
    for index, (value, label) in enumerate(labels.items()):
        offset, anchor = ((0, -7), "top") if index % 2 else ((0, 6), "bottom")
        how = {"textcoords": "offset points", "ha": "center", "va": anchor, "fontsize": 8}
        axis.annotate(label, (float(value), row), offset, **how)


def _name(group: Group) -> str:
    subject = group.subject
    layers = f"{subject.layers} layers" if subject.layers else NO_LAYERS
    return f"{subject.method}, {subject.backbone}" + (f"\n{layers}" if subject.method == "Poseur" else "")


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
    shares = {name: [float(one.share.value) for one in members] for name, members in groups.items()}
    parts = [f"{name}: {min(of):.2f} to {max(of):.2f}" for name, of in shares.items()]
    return as_html(figure, f"Where AP lies between AP_L and AP_M. {'; '.join(parts)}.", caption)
