"""The first page: the effects in one figure, the ledger in numbers, and what was run on what."""

from collections.abc import Sequence

from IPython.display import HTML
from markupsafe import Markup

from poseur_study.analysis.claim_ledger import LedgerEntry, counts
from poseur_study.analysis.interval import METHOD
from poseur_study.costs.cost_claims import CostStatement
from poseur_study.display.comparison import Effect, effects_figure
from poseur_study.display.figure import as_html
from poseur_study.display.html_table import Cell, soft
from poseur_study.display.words import points, seeds
from poseur_study.experiments import TABLES
from poseur_study.experiments.experiment import Table, shown_name
from poseur_study.experiments.profiles import override_lines, still_true
from poseur_study.paper.audit import audit, size_mixes, summary
from poseur_study.evidence.evidence import CostClaimRecord, recorded
from poseur_study.report.pages.ledger import parts, verdict_cell
from poseur_study.report.pages.page import Page, make_page
from poseur_study.report.pages.table import learning_section
from poseur_study.report.view import INDEX, Link, StudyView, table_page

LONG_LABELS = 7.0
"""Inches: an effect's label names its table and what is measured."""


def overview_page(view: StudyView, entries: Sequence[LedgerEntry], links: Sequence[Link]) -> Page:
    """All of the first page.

    Args:
        entries: of the ledger.
        links: to every other page.
    """
    measured = [one for one in entries if one.value is not None and not one.level]
    data = {f"{one.n_images:,} images of {one.data_name} ({one.data_fingerprint})" for one in view.results.values()}
    return make_page(
        INDEX, "Overview", f"Overview, {view.profile.name}",
        view=view, links=links, n_tables=len(TABLES), data=" and ".join(sorted(data)), measured=bool(measured),
        figure=_effects(measured), own_units=[_own_unit(one) for one in measured if not one.in_points],
        ledger=[_part(title, lines) for title, lines in parts(entries).items()],
        audit=summary(audit()), **_costs(), **_size_mix(),
        tables=[_table(view, table, entries) for table in view.tables],
        missing=[why for table in TABLES if (why := view.missing(table)) is not None],
        learning=learning_section(view, view.tables[0]) if view.tables else "",
        deviations=_deviations(view),
    )  # fmt: skip


def _effects(measured: Sequence[LedgerEntry]) -> HTML | None:
    of_labels = {_label(one): one for one in reversed(measured) if one.in_points}  # several claims may speak of one
    shown = list(reversed(of_labels.values()))
    if not shown:
        return None
    effects = [Effect(_label(one), (one.value, one.low, one.high), _paper(one)) for one in shown]
    evidence = sorted({one.evidence.value for one in measured})
    caption = (
        "Every claimed effect on AP, AR or PCKh that was measured: ours filled, with its 95 % interval, the paper's "
        "hollow, in points. "
        f"{seeds({one.n_seeds for one in measured})}, evidence: {', '.join(evidence)}. {METHOD}"
    )
    alt = "Effects: " + "; ".join(f"{_label(one)}: {points(one.value)}, paper {one.paper}" for one in shown) + "."
    return as_html(effects_figure(effects, "difference, points", width=LONG_LABELS), alt, caption)


def _own_unit(one: LedgerEntry) -> dict[str, Cell]:
    """An effect that is no difference of an AP: a line of its own, as it shares no axis."""
    ours = f"{points(one.value)} ({points(one.low)} to {points(one.high)})"
    return {
        "measured, in its own unit": _label(one), "ours, 95 % interval": ours, "seeds": str(one.n_seeds),
        "verdict": verdict_cell(one.verdict),
    }  # fmt: skip


def _label(one: LedgerEntry) -> str:
    return f"{shown_name(one.key.split(':')[0])}: {one.ours}"


def _paper(one: LedgerEntry) -> float | None:
    try:
        return float(one.paper.replace("−", "-"))
    except ValueError:
        return None


def _verdicts(lines: Sequence[LedgerEntry], between: str) -> Markup:
    each = [Markup("{} {}").format(number, verdict_cell(verdict)) for verdict, number in counts(lines).items()]
    return Markup(between).join(each)


def _part(title: str, lines: Sequence[LedgerEntry]) -> dict[str, Cell]:
    claims = len({one.of or one.key for one in lines})
    return {"": title, "claims": str(claims), "lines": str(len(lines)), "verdicts": _verdicts(lines, "<br>")}


def _costs() -> dict[str, CostStatement | None]:
    """The claim that Poseur needs fewer GFLOPs, and the convention that its heatmap method's number follows."""
    record = recorded(CostClaimRecord)
    found = {one.key: one for one in record.statements} if record else {}
    return {"simba": found.get("gflops-2a-simba_resnet50"), "fewer": found.get("cost-fewer-flops")}


def _size_mix() -> dict[str, list[float]]:
    """Where AP lies between AP_L and AP_M in the paper's rows, Poseur's and the others', in order."""
    shares = [(one.poseur, float(one.share.value)) for one in size_mixes()]
    groups = {"poseur_mix": True, "other_mix": False}
    return {name: sorted(share for poseur, share in shares if poseur == of) for name, of in groups.items()}


def _table(view: StudyView, table: Table, entries: Sequence[LedgerEntry]) -> dict[str, Cell]:
    result = view.results[table.number]
    ids = {run_id for row in result.rows for run_id in row.run_ids if run_id in view.records}
    rows = f"{sum(row.ap is not None for row in result.rows)} of {len(result.rows)}"
    released = sum(row.released_ap is not None for row in result.rows)
    name = Markup('<a href="{}">{}: {}</a>').format(table_page(table), table.name, table.title)
    return {
        "table": soft(name, table.question),
        "rows": f"{rows}, {released} released" if released else rows,
        "runs": str(len(ids)),
        "seeds": ", ".join(map(str, result.seeds)),
        "judged on": f"{result.n_images:,} images, {result.data_name}",
        "trained on": ", ".join(sorted({view.records[run_id].provenance.device for run_id in ids})),
        "verdicts": _verdicts([one for one in entries if one.table == table.number], ", "),
    }


def _deviations(view: StudyView) -> list[str]:
    """What differs from the paper in the tables that are shown: not what their overrides have changed."""
    overrides = {number: one.overrides for number, one in view.results.items() if one.overrides}
    everywhere = {path: value for changes in overrides.values() for path, value in changes.items()}
    lines = [*still_true(view.profile.deviations, everywhere)]
    for table in view.tables:
        lines += [f"{table.name}: {line}" for line in override_lines(overrides.get(table.number, {}))]
    return lines
