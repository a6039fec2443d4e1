"""The ledger: every claim of the paper, what it says, what came out here, on which evidence, and the verdict.

A claim can have several lines, one for each class of evidence: its arithmetic on the paper's own numbers, its cost by
our counters, and the effects that were measured. A line's rule was fixed before the runs, but where `after_runs` says
what of it was not.

Lines can ask the same of the same runs: two tables with a pair in common, or two claims on it. They have one number,
`effect`, and count as one where effects are counted and where p is adjusted for all of them.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from types import MappingProxyType

from poseur_lib.config.base import Frozen
from poseur_study.analysis.effect import Effect, holm, p_value
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.measured_values import as_csv
from poseur_study.analysis.power import detectable, pilot
from poseur_study.analysis.result_types import DEVICE_OFFSET, CellResult, ClaimResult, RowResult, TableResult
from poseur_study.analysis.seed_model import arm_of
from poseur_study.analysis.table_results import difference_words
from poseur_study.analysis.verdict import RULE as LEVEL_RULE
from poseur_study.analysis.verdict import Evidence, Level, Verdict, arithmetic_verdict, cost_verdict, rule_text
from poseur_study.costs.cost_claims import CostStatement
from poseur_study.costs.cost_rows import RULE as COST_RULE
from poseur_study.costs.cost_rows import CostRow
from poseur_study.experiments.analyses import (
    RELATION_CLAIM,
    RESCALED_CLAIM,
    SCORE_CLAIM,
    SHOULDER_CLAIM,
    SMALL_RADIUS_CLAIM,
)
from poseur_study.experiments.experiment import BUDGET, METRICS, ClaimTest, EffectKind, Table, signed
from poseur_study.experiments.profiles import Profile
from poseur_study.paper.audit import RULE as ARITHMETIC_RULE
from poseur_study.paper.audit import Audited
from poseur_study.runs.plan import row_run

AFTER_RUNS: Mapping[str, str] = MappingProxyType(
    {
        "1d: levels-values: levels_4 over levels_1": "the test was added",
        "1d: levels-values: trend over 4 rows": "the test was added",
        "1e: layers-grow: trend over 3 rows": "the test was added",
        "3: better-at-same-backbone: poseur_resnet101 over mask_rcnn_resnet101": "the test was added",
        "3: better-at-same-backbone: poseur_resnet101 over mask_rcnn_rle_resnet101": "the test was added",
        f"calibration: {SCORE_CLAIM}": "bins of equal number, and where a crop ends, were chosen",
        f"scoring: {RESCALED_CLAIM}": "factor, radii and halves were chosen",
        f"scoring: {SMALL_RADIUS_CLAIM}": "factor, radii and halves were chosen",
        f"figure_s2: {SHOULDER_CLAIM}": "what it is held against was chosen",
        f"figure_s2: {RELATION_CLAIM}": "what it is held against was chosen",
    }
)
"""By key of the line: what of a test was fixed when runs of `SEEN` had been looked at, as its page says too."""
SEEN = "mini"
"""The profile whose runs had been seen, of those in `AFTER_RUNS` and when the model of intervals was chosen."""
MODEL_AFTER_RUNS = "the model of the interval was chosen"
HOLM_AFTER_RUNS = "that p is adjusted for all claims of a table was chosen"
REGISTERED_LATE: Mapping[tuple[str, str], str] = MappingProxyType(
    {("real", BUDGET): "families of p and the test before pooling were chosen (after 3 runs of 4 epochs)"}
)
"""Of a profile and study that is pre-registered: what its text changed when some of its runs had been seen."""
OF_ALL_TABLES = frozenset((MODEL_AFTER_RUNS, HOLM_AFTER_RUNS))
ADJUSTED_SINCE = datetime.fromisoformat("2026-11-28T13:27:14+00:00")
"""Claims were decided one by one before: tables whose first run began later had that rule from the start."""


class LedgerEntry(Frozen):
    """A line.

    Attributes:
        of: key of the claim among the paper's; "" where it is a printed number of a table.
        paper, ours: the figures in words; `value`, `low`, `high` are those of an effect.
        data: the data set with its fingerprint; what the numbers are from where no data is needed.
        effect: number of what is tested: lines that ask the same of the same runs have the same one.
        p: adjusted by Holm for the other claims of the table, or of its family; `p_study`, for all effects of the
            ledger that were measured. Verdicts are by the first.
        after_runs: what of the rule was fixed when the runs had been seen; "" where nothing was.
        earlier_low, earlier_high: the interval by which it was decided before (`analysis.effect.CHANGED`).
        minimum_detectable_effect: in words, and whether it was stated before the runs.
        in_points: the effect is one of AP, AR or PCKh; others say their unit in `ours`.
        own: a modification of this study's own is tested, and not what the paper says.
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
    effect: int | None = None
    p: float | None = None
    p_study: float | None = None
    earlier_low: float | None = None
    earlier_high: float | None = None
    n_seeds: int | None = None
    n_images: int | None = None
    data: str
    profile: str
    evidence: Evidence
    verdict: Verdict
    rule: str
    after_runs: str = ""
    note: str = ""
    minimum_detectable_effect: str = ""
    in_points: bool = True
    own: bool = False
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
    found, questions, p = [], [], {}
    for table in tables:
        result, start, asked = results.get(table.number), began(table), _questions(table, profile)
        for claim in table.claims:
            one = next((one for one in result.claims if one.key == claim.key), None) if result else None
            found.append(_effect(table, claim, result, one, profile, start))
            questions.append(question := asked(claim, result, one))
            if one and isinstance(one.effect, Effect):
                p.setdefault(question, p_value(claim, one.effect))
    numbers = {question: number for number, question in enumerate(dict.fromkeys(questions), 1)}
    of_study = dict(zip(p, holm(list(p.values())), strict=True))
    return tuple(
        entry.model_copy(
            update={"effect": numbers[question], "p_study": None if entry.value is None else of_study.get(question)}
        )
        for entry, question in zip(found, questions, strict=True)
    )


def _questions(
    table: Table, profile: Profile
) -> Callable[[ClaimTest, TableResult | None, ClaimResult | None], Hashable]:
    """What a claim of a table asks: a weighted sum of one column over trainings and scores, or what is measured."""

    @cache
    def training(key: str) -> Hashable:
        row = table.row(key)
        if row.not_run:
            return (table.number, key)
        return (arm_of(row_run(profile, table, row, profile.seeds[0], "", {}).config), row.scoring)

    def question(claim: ClaimTest, result: TableResult | None, one: ClaimResult | None) -> Hashable:
        if claim.measured:
            return (table.number, claim.key)
        of = training
        if result and one and one.evidence == Evidence.RELEASED:
            of = {row.key: (row.released_from, table.row(row.key).scoring) for row in result.rows}.__getitem__
        changes = str(sorted(result.overrides.items())) if result else ""
        weights = frozenset((of(key), weight) for key, weight in claim.weights.items())
        return (claim.metric, table.boxes, changes, weights, claim.kind == EffectKind.EQUIVALENCE)

    return question


def level_entries(
    tables: Iterable[Table], results: Mapping[str, TableResult], profile: Profile
) -> tuple[LedgerEntry, ...]:
    """Every printed AP and AR that a released checkpoint, or models retrained on COCO, can decide."""
    return tuple(
        _level(result, row, cell, one, profile, table.row(row.key).without_level)
        for table in tables
        if (result := results.get(table.number))
        for row in result.rows
        for cell in row.cells
        for one in cell.levels
    )


def _level(
    result: TableResult, row: RowResult, cell: CellResult, one: Level, profile: Profile, unlike: str
) -> LedgerEntry:
    of_checkpoint = one.evidence == Evidence.RELEASED
    ours = cell.released if of_checkpoint else cell.measured
    boxes = f"{result.boxes.value.replace('_', '-')} boxes"
    values = one.difference.model_dump(include={"value", "low", "high", "n_seeds", "n_images"})
    return LedgerEntry(
        key=f"{result.number}: {cell.column} of {row.key}, {one.evidence.value}", of="", table=result.number,
        claim=f"{row.label}: {cell.column} {cell.paper}.", source=cell.source, paper=cell.paper,
        ours=f"{ours.value:.1f}, {boxes}", **values, data=f"{result.data_name} {result.data_fingerprint}",
        profile=profile.name, evidence=one.evidence, verdict=one.verdict, rule=LEVEL_RULE,
        note=row.released_from if of_checkpoint else f"{unlike} {_note(result, (row.key,))}".strip(), level=True,
    )  # fmt: skip


def _effect(
    table: Table,
    claim: ClaimTest,
    result: TableResult | None,
    one: ClaimResult | None,
    profile: Profile,
    start: datetime | None,
) -> LedgerEntry:
    estimate = one.effect if one else None
    own, verdict = result.evidence if result else Evidence.NONE, one.verdict if one else Verdict.NOT_RUN
    values = {} if estimate is None else estimate.model_dump(include={"value", "low", "high", "n_seeds", "n_images"})
    if isinstance(estimate, Effect):
        values |= {"p": one.p, "earlier_low": estimate.earlier.low, "earlier_high": estimate.earlier.high}
    return LedgerEntry(
        key=f"{table.number}: {claim.key}", of=claim.of, table=table.number, claim=claim.text, source=claim.source,
        paper=claim.paper_words, ours=difference_words(table, claim), **values,
        data=f"{result.data_name} {result.data_fingerprint}" if estimate else "", profile=profile.name,
        evidence=(one.evidence or own) if estimate else Evidence.NONE, verdict=verdict,
        rule=rule_text(claim), note=_note_of(table, claim, result, verdict),
        after_runs=_after_runs(table, claim, result, one, profile, start),
        in_points=not claim.measured, own=claim.own,
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


def _after_runs(
    table: Table,
    claim: ClaimTest,
    result: TableResult | None,
    one: ClaimResult | None,
    profile: Profile,
    start: datetime | None,
) -> str:
    if result is None or one is None or one.effect is None:
        return ""
    if profile.name != SEEN:
        return REGISTERED_LATE.get((profile.name, table.number), "")
    pooled = isinstance(one.effect, Effect) and bool(one.effect.spreads)
    family = {other.key for other in table.claims if other.family == claim.family}
    together = [other for other in result.claims if other.effect and other.evidence == one.evidence]
    adjusted = len({other.difference for other in together if other.key in family}) > 1 and (
        start is None or start < ADJUSTED_SINCE
    )
    said = (AFTER_RUNS.get(f"{table.number}: {claim.key}", ""), MODEL_AFTER_RUNS * pooled, HOLM_AFTER_RUNS * adjusted)
    return "; ".join(filter(None, said))


def _note_of(table: Table, claim: ClaimTest, result: TableResult | None, verdict: Verdict) -> str:
    """As `_note`, and what a reader of this claim's figures has to know."""
    stated, printed = claim.paper_effect, table.printed_difference(claim)
    devices = result.mixed_devices_of(claim.rows) if result else ""
    said = [claim.caveat, table.unlike_paper(claim) * (verdict == Verdict.UNLIKE_PAPER)]
    if stated is not None and printed is not None and signed(stated) != signed(printed):
        said.append(f"The text has {signed(stated)}, the figures printed of these rows {signed(printed)}.")
    said.append(_note(result, claim.rows))
    if devices and claim.kind == EffectKind.EQUIVALENCE and claim.metric in METRICS and not claim.measured:
        share = 100 * DEVICE_OFFSET / claim.margin
        said.append(f"That is {share:.0f} % of this claim's margin of ±{claim.margin:g}.")
    return " ".join(filter(None, said))


def _note(result: TableResult | None, rows: Collection[str]) -> str:
    if result is None:
        return ""
    changes = ", ".join(f"{path} = {value}" for path, value in result.overrides.items())
    said = (f"Run with changes: {changes}." * bool(changes), result.uncommitted_of(rows), result.mixed_devices_of(rows))
    return " ".join(filter(None, said))


def _arithmetic_note(one: Audited) -> str:
    rounding = "The rounding of the printed digits may explain it. " if one.finding.within_rounding else ""
    return f"{rounding}{one.claim.remark}".strip()


def ledger_csv(entries: Iterable[LedgerEntry]) -> str:
    """One line a line of the ledger."""
    return as_csv([one.model_dump(mode="json") for one in entries], list(LedgerEntry.model_fields))
