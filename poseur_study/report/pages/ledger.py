"""The ledger as a page: every claim with its evidence and verdict, by what it rests on."""

from collections.abc import Sequence

from markupsafe import Markup

from poseur_study.analysis.claim_ledger import (
    LedgerEntry,
    arithmetic_entries,
    cost_entries,
    count_words,
    effect_entries,
    level_entries,
)
from poseur_study.analysis.interval import METHOD
from poseur_study.analysis.power import METHOD as POWER_METHOD
from poseur_study.analysis.verdict import RULE as LEVEL_RULE
from poseur_study.analysis.verdict import Evidence, Verdict
from poseur_study.costs.paper_costs import RULE as COST_RULE
from poseur_study.display.html_table import Cell, soft
from poseur_study.display.words import points, seeds
from poseur_study.experiments import TABLES
from poseur_study.experiments.experiment import shown_name
from poseur_study.paper.audit import RULE as ARITHMETIC_RULE
from poseur_study.paper.audit import audit
from poseur_study.evidence.evidence import CostClaimRecord, CostRecord, recorded
from poseur_study.report.pages.page import Page, make_page
from poseur_study.report.view import StudyView

FILE, CSV = "ledger.html", "ledger.csv"
LEVELS = "Printed figures"


def ledger(view: StudyView) -> tuple[LedgerEntry, ...]:
    """All lines of a profile's ledger: effects, printed figures, costs, arithmetic."""
    name, costs, claims = view.profile.name, recorded(CostRecord), recorded(CostClaimRecord)
    return (
        *effect_entries(TABLES, view.results, view.profile, view.began),
        *level_entries(TABLES, view.results, view.profile),
        *cost_entries(costs.rows if costs else (), claims.statements if claims else (), name),
        *arithmetic_entries(audit(), name),
    )


def parts(entries: Sequence[LedgerEntry]) -> dict[str, list[LedgerEntry]]:
    """The lines by what they speak of; printed figures are a part where there are any."""
    own = (Evidence.COST, Evidence.ARITHMETIC)
    levels = [one for one in entries if one.level]
    return {
        "Effects": [one for one in entries if one.evidence not in own and not one.level],
        **({LEVELS: levels} if levels else {}),
        "Costs": [one for one in entries if one.evidence == Evidence.COST],
        "Arithmetic": [one for one in entries if one.evidence == Evidence.ARITHMETIC],
    }


def ledger_page(entries: Sequence[LedgerEntry]) -> Page:
    """A lead, and each part with its rule: what was not run, and what neither contradicts nor was measured, folded."""
    of = parts(entries)
    rules = {"level": LEVEL_RULE, "cost": COST_RULE, "arithmetic": ARITHMETIC_RULE}
    counted = ". ".join(f"{title}: {count_words(lines)}" for title, lines in of.items())
    return make_page(
        FILE, "Ledger", "Ledger of claims",
        lead=f"{len(entries)} lines. {counted}.", method=METHOD, power_method=POWER_METHOD, rules=rules,
        effects=[_effect(one) for one in of["Effects"] if one.value is not None],
        waiting=[_effect(one) for one in of["Effects"] if one.value is None],
        levels=[_level(one) for one in of.get(LEVELS, [])],
        costs=_by_verdict(of["Costs"]), arithmetic=_by_verdict(of["Arithmetic"]),
    )  # fmt: skip


def verdict_cell(verdict: Verdict) -> Markup:
    """A verdict in its colour."""
    return Markup('<b class="{}">{}</b>').format(verdict.colour, verdict.value)


def _effect(one: LedgerEntry) -> dict[str, Cell]:
    rule = Markup("<details><summary>rule</summary><div>{}</div></details>").format(f"{one.rule} {one.note}")
    measured = one.value is not None
    return {
        "claim": soft(one.claim, f"{one.key.split(':')[0]}; {one.source}; {one.ours}") + rule,
        "paper": one.paper,
        "ours": points(one.value) if measured else None,
        "95 % interval": f"{points(one.low)} to {points(one.high)}" if measured else "",
        "n": _number(one) if measured else "",
        "evidence": one.evidence.value if measured else "",
        "minimum detectable effect": one.minimum_detectable_effect,
        "verdict": verdict_cell(one.verdict),
    }


def _level(one: LedgerEntry) -> dict[str, Cell]:
    return {
        "figure": soft(one.claim, f"{shown_name(one.table)}; {one.source}"), "paper": one.paper, "ours": one.ours,
        "difference": f"{points(one.value)} ({points(one.low)} to {points(one.high)})", "n": _number(one),
        "evidence": one.evidence.value, "verdict": verdict_cell(one.verdict), "note": one.note,
    }  # fmt: skip


def _number(one: LedgerEntry) -> str:
    return f"{seeds(one.n_seeds)}, {one.n_images:,} images of {one.data}, profile {one.profile}"


def _by_verdict(entries: Sequence[LedgerEntry]) -> dict[str, list[dict[str, Cell]]]:
    """Lines by verdict, what contradicts first."""
    kinds = (Verdict.CONTRADICTED, Verdict.REPRODUCED, Verdict.UNDECIDED)
    found = {kind.value: [_line(one) for one in entries if one.verdict == kind] for kind in kinds}
    return {name: lines for name, lines in found.items() if lines}


def _line(one: LedgerEntry) -> dict[str, Cell]:
    rule = one.rule if one.evidence == Evidence.COST and one.rule != COST_RULE else ""
    return {
        "claim": soft(one.claim, one.source), "paper": one.paper, "ours": one.ours,
        "verdict": verdict_cell(one.verdict), "note": f"{rule} {one.note}".strip(),
    }  # fmt: skip
