"""The audit as tables: claims with what the text and the tables say, and one method's different numbers."""

import html
from collections.abc import Iterable, Sequence

from IPython.display import HTML

from poseur_study.display.tables import show_table
from poseur_study.paper.audit import RULE, Audited, Group, counts, summary, within_rounding
from poseur_study.paper.checks import Agreement
from poseur_study.paper.claim import Kind

COLUMNS = ("claim", "the text", "the numbers", "remark")
MOST_SOURCES = 4  # cells that are named one by one


def summary_text(audited: Sequence[Audited]) -> HTML:
    """The result in a sentence, and the rule behind it."""
    return HTML(f'<p class="lead">{html.escape(summary(audited))}</p><p class="caption">{html.escape(RULE)}</p>')


def counts_table(audited: Sequence[Audited]) -> HTML:
    """How many claims of each kind agree, contradict and cannot be checked."""
    rows = []
    for name, kinds in (*((kind.value, (kind,)) for kind in Kind), ("all", tuple(Kind))):
        of_kind = [one for one in audited if one.claim.kind in kinds]
        number = counts(of_kind)
        rows.append(
            {"claims": name, "number": str(len(of_kind))}
            | {agreement.value: str(number[agreement]) for agreement in Agreement}
            | {"of these maybe rounding": str(within_rounding(of_kind))}
        )
    return show_table(rows, "Claims of the paper and its supplement, held against the numbers that they print.")


def claims_list(audited: Iterable[Audited], agreement: Agreement) -> HTML:
    """The claims of one agreement, in the order of the text."""
    rows = [one for one in audited if one.finding.agreement == agreement]
    if not rows:
        return HTML("<p>None.</p>")
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "".join(f"<tr>{_cells(one)}</tr>" for one in rows)
    table = f'<table class="deviations audit"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return HTML(f'<div class="scroll">{table}</div>')


def same_subject_table(groups: Sequence[Group]) -> HTML:
    """Cells that speak of one method and differ, largest difference first."""
    rows = [
        {
            "method": f"{group.subject}" + _open_layers(group),
            "column": group.column,
            "printed": "; ".join(f"{value} ({', '.join(tables)})" for value, tables in by_value(group).items()),
            "apart": str(group.spread),
        }
        for group in groups
        if group.differ
    ]
    caption = "In brackets the tables that print it. A number that is only rounded more coarsely counts as the same."
    return show_table(rows, caption)


def by_value(group: Group) -> dict[str, list[str]]:
    """Each number of a group with the numbers of the tables that print it."""
    found: dict[str, list[str]] = {}
    for cell in sorted(group.cells, key=lambda one: one.value):
        found.setdefault(str(cell), []).append(cell.table)
    return found


def _open_layers(group: Group) -> str:
    open_layers = group.subject.method == "Poseur" and group.subject.layers is None
    return ", layers not stated" if open_layers else ""


def _cells(one: Audited) -> str:
    claim, finding = one.claim, one.finding
    sources = claim.sources if len(claim.sources) <= MOST_SOURCES else (claim.table_names,)
    numbers = html.escape(finding.computed) + _soft("; ".join(sources))
    rounding = "The rounding of the printed digits may explain it." if finding.within_rounding else ""
    cells = (
        html.escape(claim.statement) + _soft(f"{claim.place}; {claim.kind.value}"),
        html.escape(finding.stated),
        numbers,
        html.escape(" ".join(part for part in (rounding, claim.remark) if part)) or "—",
    )
    named = zip(COLUMNS, cells, strict=True)
    return "".join(f'<td data-column="{name}">{cell}</td>' for name, cell in named)


def _soft(text: str) -> str:
    return f'<br><span class="soft">{html.escape(text)}</span>' if text else ""
