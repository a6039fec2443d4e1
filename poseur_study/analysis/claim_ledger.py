"""The ledger: every claim of the paper, what it says, what came out here, on which evidence, and the verdict.

A claim can have several lines, one for each class of evidence: its arithmetic on the paper's own numbers, its cost by
our counters, and the effects that were measured. A line's rule was fixed before the run, but where its page says that
it was changed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

from poseur_lib.config.base import Frozen
from poseur_study.analysis.effect import Effect
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.measured_values import as_csv
from poseur_study.analysis.power import detectable, pilot
from poseur_study.analysis.result_types import CellResult, RowResult, TableResult
from poseur_study.analysis.table_results import difference_words
from poseur_study.analysis.verdict import RULE as LEVEL_RULE
from poseur_study.analysis.verdict import Evidence, Level, Verdict, arithmetic_verdict, cost_verdict, rule_text
from poseur_study.costs.cost_claims import CostStatement
from poseur_study.costs.cost_rows import RULE as COST_RULE
from poseur_study.costs.cost_rows import CostRow
from poseur_study.experiments.experiment import ClaimTest, Table
from poseur_study.experiments.profiles import Profile
from poseur_study.paper.audit import RULE as ARITHMETIC_RULE
from poseur_study.paper.audit import Audited


class LedgerEntry(Frozen):
    """A line.

    Attributes:
        of: key of the claim among the paper's; "" where it is a printed number of a table.
        paper, ours: the figures in words; `value`, `low`, `high` are those of an effect.
        data: the data set with its fingerprint; what the numbers are from where no data is needed.
        p: adjusted by Holm for the other claims of the table.
        earlier_low, earlier_high: the interval by which it was decided before (`analysis.effect.CHANGED`).
        minimum_detectable_effect: in words, and whether it was stated before the runs.
        in_points: the effect is one of AP, AR or PCKh; others say their unit in `ours`.
        level: it is of a printed AP or AR, not of a difference of two; `value` is then ours minus the printed one.
    """

    key: str
    of: str
    table: str
    claim: str
    source: str
    paper: str
    ours: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    earlier_low: float | None = None
    earlier_high: float | None = None
    n_seeds: int | None = None
    n_images: int | None = None
    data: str
    profile: str
    evidence: Evidence
    verdict: Verdict
    rule: str
    note: str = ""
    minimum_detectable_effect: str = ""
    in_points: bool = True
    level: bool = False


def arithmetic_entries(audited: Sequence[Audited], profile: str) -> tuple[LedgerEntry, ...]:
    """Every claim of the text against the paper's own numbers."""
    return tuple(
        LedgerEntry(
            key=f"arithmetic-{one.claim.key}", of=one.claim.key, table="", claim=one.claim.statement,
            source=one.claim.place, paper=one.finding.claimed, ours=one.finding.computed, data=one.claim.table_names,
            profile=profile, evidence=Evidence.ARITHMETIC, verdict=arithmetic_verdict(one.finding.agreement),
            rule=ARITHMETIC_RULE, note=_arithmetic_note(one),
        )
        for one in audited
    )  # fmt: skip


def cost_entries(
    cells: Iterable[CostRow], statements: Iterable[CostStatement], profile: str
) -> tuple[LedgerEntry, ...]:
    """What the paper prints and says of costs, by our counters."""
    common = {"table": "", "data": "our counters", "profile": profile, "evidence": Evidence.COST}
    said = [
        LedgerEntry(
            key=one.key, of=one.of, claim=one.text, source=one.source, paper=one.paper, ours=one.ours,
            verdict=cost_verdict(one.holds), rule=one.rule, note=one.note, **common,
        )
        for one in statements
    ]  # fmt: skip
    printed = [
        LedgerEntry(
            key=f"printed-{one.source}-{one.quantity}", of="", claim=f"{one.model}: {one.quantity}.", source=one.source,
            paper=one.paper, ours=f"{one.ours:.3f}", verdict=cost_verdict(one.agrees), rule=COST_RULE,
            note=one.note or ("" if one.agrees else "unexplained"), **common,
        )
        for one in cells
    ]  # fmt: skip
    return (*said, *printed)


def effect_entries(
    tables: Iterable[Table],
    results: Mapping[str, TableResult],
    profile: Profile,
    began: Callable[[Table], datetime | None] = lambda table: None,
) -> tuple[LedgerEntry, ...]:
    """The claims of all tables: as they came out, or "not run".

    Args:
        began: when the first of a table's runs did: its minimum detectable effect was stated before, or not.
    """
    found = []
    for table in tables:
        result, start = results.get(table.number), began(table)
        found += [_effect(table, claim, result, profile, start) for claim in table.claims]
    return tuple(found)


def level_entries(
    tables: Iterable[Table], results: Mapping[str, TableResult], profile: Profile
) -> tuple[LedgerEntry, ...]:
    """Every printed AP and AR that a released checkpoint, or models retrained on COCO, can decide."""
    return tuple(
        _level(result, row, cell, one, profile)
        for table in tables
        if (result := results.get(table.number))
        for row in result.rows
        for cell in row.cells
        for one in cell.levels
    )


def _level(result: TableResult, row: RowResult, cell: CellResult, one: Level, profile: Profile) -> LedgerEntry:
    of_checkpoint = one.evidence == Evidence.RELEASED
    ours = cell.released if of_checkpoint else cell.measured
    boxes = f"{result.boxes.value.replace('_', '-')} boxes"
    values = one.difference.model_dump(include={"value", "low", "high", "n_seeds", "n_images"})
    return LedgerEntry(
        key=f"{result.number}: {cell.column} of {row.key}, {one.evidence.value}", of="", table=result.number,
        claim=f"{row.label}: {cell.column} {cell.paper}.", source=cell.source, paper=cell.paper,
        ours=f"{ours.value:.1f}, {boxes}", **values, data=f"{result.data_name} {result.data_fingerprint}",
        profile=profile.name, evidence=one.evidence, verdict=one.verdict, rule=LEVEL_RULE,
        note=row.released_from if of_checkpoint else _note(result, (row.key,)), level=True,
    )  # fmt: skip


def _effect(
    table: Table, claim: ClaimTest, result: TableResult | None, profile: Profile, start: datetime | None
) -> LedgerEntry:
    one = next((one for one in result.claims if one.key == claim.key), None) if result else None
    estimate = one.effect if one else None
    own = result.evidence if result else Evidence.NONE
    values = {} if estimate is None else estimate.model_dump(include={"value", "low", "high", "n_seeds", "n_images"})
    if isinstance(estimate, Effect):
        values |= {"p": one.p, "earlier_low": estimate.earlier.low, "earlier_high": estimate.earlier.high}
    return LedgerEntry(
        key=f"{table.number}: {claim.key}", of=claim.of, table=table.number, claim=claim.text, source=claim.source,
        paper=claim.paper_words, ours=difference_words(table, claim), **values,
        data=f"{result.data_name} {result.data_fingerprint}" if estimate else "", profile=profile.name,
        evidence=(one.evidence or own) if estimate else Evidence.NONE, verdict=one.verdict if one else Verdict.NOT_RUN,
        rule=rule_text(claim), note=_note(result, claim.rows), in_points=not claim.measured,
        minimum_detectable_effect=_minimum(table, claim, result, profile, start, estimate),
    )  # fmt: skip


def _minimum(
    table: Table,
    claim: ClaimTest,
    result: TableResult | None,
    profile: Profile,
    start: datetime | None,
    found: Estimate | None,
) -> str:
    """The minimum detectable effect of a claim's study; of one that has not ended, whether it was stated before."""
    one = detectable(table, claim, profile, len(result.seeds) if result else 0, found)
    late = one.points is not None and not isinstance(found, Effect) and pilot().younger_than(start)
    return f"{one.words}, stated on {pilot().recorded_at[:10]}, after some of the runs" if late else one.words


def _note(result: TableResult | None, rows: Collection[str]) -> str:
    if result is None:
        return ""
    changes = ", ".join(f"{path} = {value}" for path, value in result.overrides.items())
    return f"{f'Run with changes: {changes}. ' if changes else ''}{result.mixed_devices_of(rows)}".strip()


def _arithmetic_note(one: Audited) -> str:
    rounding = "The rounding of the printed digits may explain it. " if one.finding.within_rounding else ""
    return f"{rounding}{one.claim.remark}".strip()


def ledger_csv(entries: Iterable[LedgerEntry]) -> str:
    """One line a line of the ledger."""
    return as_csv([one.model_dump(mode="json") for one in entries], list(LedgerEntry.model_fields))
