"""The ledger as a page: every claim with its evidence and verdict, by what it rests on."""

import html
from collections.abc import Sequence

from markupsafe import Markup

from poseur_study.analysis.claim_ledger import (
    CountedCell,
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
from poseur_study.costs.cost_claims import CostStatement
from poseur_study.costs.paper_costs import RULE as COST_RULE
from poseur_study.display.tables import points
from poseur_study.experiments import TABLES
from poseur_study.experiments.experiment import shown_name
from poseur_study.paper.audit import RULE as ARITHMETIC_RULE
from poseur_study.paper.audit import audit
from poseur_study.report.blocks import Block, Cell, stacked_table
from poseur_study.report.evidence import cost_claim_record, cost_record
from poseur_study.report.view import StudyView

LEVELS = "Printed figures"
NO_LEVELS = (
    "None of the paper's APs and ARs can be decided by what was run here. Its released checkpoints do it, by poseur "
    "study run --source released --checkpoints DIR --data COCO, and models that are retrained on COCO."
)
TITLE, PAGE, CSV = "Ledger of claims", "ledger.html", "ledger.csv"
GOOD = {Verdict.REPRODUCED, Verdict.SAME_DIRECTION}
BAD = {Verdict.CONTRADICTED, Verdict.OPPOSITE_DIRECTION}
EFFECT_RULE = (
    "An effect's rule was fixed with its table, before any run, but for Supp. Fig. 2, calibration and noisy "
    "proposals, whose pages tell what was changed or came later. Direction: the 95 % interval lies above 0. "
    "Magnitude: it also contains the paper's figure. Equivalence: it lies within the margin. Released checkpoints and "
    "models retrained on COCO or MPII can reproduce or contradict; generated people give “same direction”, “opposite "
    "direction” or “no effect found”; profile smoke gives no verdict on an effect. That "
    "trainings of one seed decide nothing was added after the first runs: it takes verdicts away and gives none."
)
_EFFECT = ("claim", "paper", "ours", "95 % interval", "n", "evidence", "detectable", "verdict")
_LEVEL = ("figure", "paper", "ours", "difference", "n", "evidence", "verdict", "note")
_STATED = ("claim", "paper", "ours", "verdict", "note")


def ledger(view: StudyView) -> tuple[LedgerEntry, ...]:
    """All lines of a profile's ledger: effects, printed figures, costs, arithmetic."""
    name, costs, claims = view.profile.name, cost_record(), cost_claim_record()
    fields = set(CountedCell.model_fields)
    cells = [CountedCell(**row.model_dump(include=fields)) for row in costs.rows] if costs else []
    statements: tuple[CostStatement, ...] = claims.statements if claims else ()
    return (
        *effect_entries(TABLES, view.results, view.profile, view.began),
        *level_entries(TABLES, view.results, view.profile),
        *cost_entries(cells, statements, name),
        *arithmetic_entries(audit(), name),
    )


def parts(entries: Sequence[LedgerEntry]) -> tuple[tuple[str, list[LedgerEntry]], ...]:
    """The lines by what they speak of; printed figures are a part where there are any."""
    own = (Evidence.COST, Evidence.ARITHMETIC)
    levels = [one for one in entries if one.level]
    return (
        ("Effects", [one for one in entries if one.evidence not in own and not one.level]),
        *([(LEVELS, levels)] if levels else []),
        ("Costs", [one for one in entries if one.evidence == Evidence.COST]),
        ("Arithmetic", [one for one in entries if one.evidence == Evidence.ARITHMETIC]),
    )


def ledger_blocks(entries: Sequence[LedgerEntry]) -> tuple[Block, ...]:
    """A lead, the rules, and the parts."""
    of = dict(parts(entries))
    effects, costs, arithmetic = of["Effects"], of["Costs"], of["Arithmetic"]
    measured = [one for one in effects if one.value is not None]
    waiting = [one for one in effects if one.value is None]
    counted = ". ".join(f"{title}: {count_words(lines)}" for title, lines in of.items())
    lead = f"{len(entries)} lines. {counted}."
    return (
        Block("prose", f'<h1>{TITLE}</h1><p class="lead">{html.escape(lead)}</p>'),
        _section("Effects", f"{EFFECT_RULE} {METHOD} {POWER_METHOD}"),
        Block("output", stacked_table(_EFFECT, [_effect(one) for one in measured])) if measured else _none(),
        _folded(f"{len(waiting)} effects that were not run", _EFFECT, [_effect(one) for one in waiting]),
        *_levels(of.get(LEVELS, [])),
        _section("Costs", f"{COST_RULE} A statement of the text has its own rule in its note."),
        *_stated(costs),
        _section(
            "Arithmetic on the paper's own numbers",
            f"{ARITHMETIC_RULE} It says whether text and tables agree, nothing of whether an effect is there.",
        ),
        *_stated(arithmetic),
    )


def _section(title: str, text: str) -> Block:
    return Block("prose", f"<h2>{title}</h2><p>{html.escape(text)}</p>")


def _levels(entries: Sequence[LedgerEntry]) -> list[Block]:
    if not entries:
        return [_section(LEVELS, f"{NO_LEVELS} {LEVEL_RULE}")]
    rows = [
        [
            _claim(one, f"{shown_name(one.table)}; {one.source}"), one.paper, one.ours,
            f"{points(one.value)} ({points(one.low)} to {points(one.high)})", _number(one), one.evidence.value,
            verdict_cell(one.verdict), one.note,
        ]
        for one in entries
    ]  # fmt: skip
    return [_section(LEVELS, LEVEL_RULE), Block("output", stacked_table(_LEVEL, rows))]


def _number(one: LedgerEntry) -> str:
    return f"{one.n_seeds} seed{'s' * (one.n_seeds != 1)}, {one.n_images:,} images of {one.data}, profile {one.profile}"


def _none() -> Block:
    return Block("prose", "<p>None was run yet.</p>")


def _stated(entries: Sequence[LedgerEntry]) -> list[Block]:
    """What contradicts in sight, the others folded."""
    blocks = []
    for verdict in (Verdict.CONTRADICTED, Verdict.REPRODUCED, Verdict.UNDECIDED):
        rows = [_line(one) for one in entries if one.verdict == verdict]
        if rows and verdict == Verdict.CONTRADICTED:
            blocks.append(Block("output", stacked_table(_STATED, rows)))
        elif rows:
            blocks.append(_folded(f"{len(rows)} {verdict.value}", _STATED, rows))
    return blocks


def _folded(summary: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Block:
    if not rows:
        return Block("prose", "")
    table = stacked_table(columns, rows)
    return Block("output", f'<details class="fold"><summary>{html.escape(summary)}</summary>{table}</details>')


def _claim(one: LedgerEntry, place: str) -> Markup:
    return Markup('{}<br><span class="soft">{}</span>').format(one.claim, place)


def _line(one: LedgerEntry) -> list[Cell]:
    rule = one.rule if one.evidence == Evidence.COST and one.rule != COST_RULE else ""
    note = " ".join(part for part in (rule, one.note) if part)
    return [_claim(one, one.source), one.paper, one.ours, verdict_cell(one.verdict), note]


def _effect(one: LedgerEntry) -> list[Cell]:
    place = f"{one.key.split(':')[0]}; {one.source}; {one.ours}"
    rule = Markup("<details><summary>rule</summary><div>{}</div></details>").format(f"{one.rule} {one.note}")
    claim = _claim(one, place) + rule
    if one.value is None:
        return [claim, one.paper, "not run", "", "", "", one.detectable, verdict_cell(one.verdict)]
    ends, evidence = f"{points(one.low)} to {points(one.high)}", one.evidence.value
    return [
        claim, one.paper, points(one.value), ends, _number(one), evidence, one.detectable, verdict_cell(one.verdict),
    ]  # fmt: skip


def verdict_cell(verdict: Verdict) -> Markup:
    """A verdict in its colour."""
    kind = "good" if verdict in GOOD else "bad" if verdict in BAD else "soft"
    return Markup('<b class="{}">{}</b>').format(kind, verdict.value)
