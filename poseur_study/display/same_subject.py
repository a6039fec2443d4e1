"""One method, several numbers: a line a method, the paper's cells as hollow dots."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from IPython.display import HTML

from poseur_study.display.audit_tables import by_value
from poseur_study.display.style import GREY, as_html, backbone_colour, style
from poseur_study.paper.audit import Group

LINE_INCHES = 0.72


def same_subject_figure(groups: Sequence[Group]) -> HTML:
    """The groups that differ; the dots of one value are one, labelled with the tables that print it."""
    differing = [group for group in groups if group.differ]
    if not differing:
        return HTML("<p>No two cells of one method differ.</p>")
    with style():
        figure, axis = plt.subplots(figsize=(8.2, 0.7 + LINE_INCHES * len(differing)))
        for row, group in enumerate(differing):
            _draw(axis, row, group)
        axis.set(yticks=range(len(differing)), ylim=(len(differing) - 0.4, -0.65), xlabel=differing[0].column)
        axis.set_yticklabels([_name(group) for group in differing])
        axis.margins(x=0.08)
        figure.tight_layout()
    caption = (
        f"{differing[0].column} that the paper prints for one method at one backbone and size, with the tables in "
        "brackets. Ablated and shortened variants are left out. Hollow: the paper's numbers; no intervals are printed."
    )
    return as_html(figure, _alt(differing), caption)


def _draw(axis: plt.Axes, row: int, group: Group) -> None:
    colour = backbone_colour(group.subject.backbone.lower().replace("-", ""))
    values = by_value(group)
    places = [float(value) for value in values]
    axis.plot([places[0], places[-1]], [row, row], color=GREY, linewidth=1)
    axis.plot(places, [row] * len(places), "o", color=colour, markerfacecolor="white", zorder=3)
    for index, (value, tables) in enumerate(values.items()):
        offset, anchor = ((0, -7), "top") if index % 2 else ((0, 6), "bottom")
        label = f"{value} ({', '.join(tables)})"
        how = {"textcoords": "offset points", "ha": "center", "va": anchor, "fontsize": 8}
        axis.annotate(label, (float(value), row), offset, **how)


def _name(group: Group) -> str:
    subject = group.subject
    layers = f"{subject.layers} layers" if subject.layers else "layers not stated"
    return f"{subject.method}, {subject.backbone}" + (f"\n{layers}" if subject.method == "Poseur" else "")


def _alt(groups: Sequence[Group]) -> str:
    lines = []
    for group in groups:
        values = [f"{value} in {' and '.join(tables)}" for value, tables in by_value(group).items()]
        lines.append(f"{group.subject}: {', '.join(values)}")
    return f"The same method with different numbers. {'; '.join(lines)}."
