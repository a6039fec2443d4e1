"""A table's results from the records of its runs: no weights, no GPU."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from poseur_study.analysis.effect import Effect, holm, p_value
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.measured_values import as_csv
from poseur_study.analysis.released_results import ReleasedColumn
from poseur_study.analysis.result_types import CellResult, ClaimResult, OnDevice, RowResult, TableResult
from poseur_study.analysis.seed_model import arm_of
from poseur_study.analysis.table_data import TableData
from poseur_study.analysis.verdict import Evidence, Verdict, level, rule_text, verdict
from poseur_study.costs.row_cost import row_cost
from poseur_study.costs.row_speed import UNITS, row_speed
from poseur_study.experiments.experiment import COSTS, MEASURED, ClaimTest, Column, EffectKind, Row, Table
from poseur_study.experiments.profiles import Profile
from poseur_study.paper.tables import Printed
from poseur_study.runs.datasets import DataSet
from poseur_study.runs.plan import row_run
from poseur_study.runs.project import below_root
from poseur_study.runs.store import ListedRun, RunState


def collect(data: TableData, measured: Mapping[str, Estimate | None] | None = None) -> TableResult:
    """The results of a table as far as its runs are there, and the released checkpoints beside them.

    Args:
        measured: by claim key, what the table's notebook has measured.
    """
    table = data.table
    ours = TableResult(
        number=table.number,
        title=table.title,
        profile=data.profile.name,
        overrides=data.overrides,
        notebook=table.notebook,
        evidence=data.evidence,
        boxes=data.boxes,
        rows=tuple(_row_result(data, row) for row in table.rows),
        claims=tuple(_claim_result(data, claim, measured or {}) for claim in table.claims),
        seeds=data.seeds,
        data_name=data.dataset.root.name,
        data_fingerprint=data.dataset.fingerprint,
        n_images=data.n_images,
    )
    result = ReleasedColumn(data).beside(ours)
    return result.model_copy(update={"claims": _decided(data, result)})


def collect_unexecuted(profile: Profile, table: Table, runs: Sequence[ListedRun]) -> TableResult | None:
    """The claims of a table without a notebook, by runs that others needed too; None where no claim has all of its own.

    Of the rows there is no column: to measure speeds and to count costs is the notebook's.

    Args:
        runs: all of the profile's folder.
    """
    if not runs:
        return None
    store, records = runs[0].store, [one.record for one in runs]
    (fingerprint, _), *_ = Counter(one.provenance.data_fingerprint for one in records).most_common()
    known = [one for one in records if one.provenance.data_fingerprint == fingerprint]
    of, seeds = known[0].provenance, tuple(sorted({one.config.seed for one in known}))
    arms = {arm_of(one.config) for one in known}
    here = {
        row.key
        for row in table.runnable
        if arm_of(row_run(profile, table, row, seeds[0], fingerprint, {}).config) in arms
    }
    if not any(here.issuperset(claim.rows) for claim in table.claims if not claim.measured):
        return None
    root = below_root("data") / of.data_name
    dataset = DataSet(root, known[0].config.data.keypoint_set, fingerprint, of.generated_data, of.n_images)
    planned = {
        (row.key, seed): row_run(profile, table, row, seed, fingerprint, {}) for row in table.runnable for seed in seeds
    }
    data = TableData(profile, replace(table, columns=()), dataset, store, seeds, planned)
    tested = [claim for claim in table.claims if not claim.measured and data.done(*claim.rows)]
    return collect(data) if tested else None


def _row_result(data: TableData, row: Row) -> RowResult:
    printed = row.printed(data.table.measure)
    known = isinstance(printed, Printed)
    of_runs = [data.store.record(data.runs[row.key, seed].run_id).provenance for seed in data.done(row.key)]
    devices = {one.computed_on for one in of_runs}
    return RowResult(
        key=row.key,
        label=row.label,
        ticks=row.ticks,
        paper_ap=printed.value if known else None,
        paper_source=printed.source if known else None,
        ap=data.estimate(row.key, data.table.measure),
        cells=tuple(_cell(data, row, column) for column in data.table.columns),
        status=_status(data, row),
        run_ids=() if row.not_run else tuple(data.runs[row.key, seed].run_id for seed in data.seeds),
        seeds=tuple(data.done(row.key)),
        computed_on=tuple(sorted(devices)),
        uncommitted=sum(one.dirty for one in of_runs),
    )


def _cell(data: TableData, row: Row, column: Column) -> CellResult:
    printed = row.printed(column)
    known = isinstance(printed, Printed)
    text, place = (printed.text, printed.source) if known else (None, None)
    cell = CellResult(column=column, paper=text, source=place)
    if row.not_run:
        return cell
    if column in MEASURED:
        measured = data.estimate(row.key, column)
        found = level(text, measured, data.evidence, bool(row.without_level))
        return cell.model_copy(update={"measured": measured, "levels": (found,) if found else ()})
    if column in COSTS:
        return cell.model_copy(update={"counted": row_cost(data.table, row, column)})
    speed = row_speed(data.table, row, data.device)
    here = OnDevice(value=speed.of[column], unit=UNITS[column], device=speed.device)
    return cell.model_copy(update={"on_device": here})


def _status(data: TableData, row: Row) -> str:
    """ "done", or what is missing and why."""
    if row.not_run:
        return f"not run: {row.not_run}"
    runs = [data.runs[row.key, seed] for seed in data.seeds]
    states = [data.store.state(run.run_id) for run in runs]
    missing = [state for state in states if not state.done]
    seeds = f"{len(data.done(row.key))} of {len(states)} seeds"
    if not missing:
        lacking = [what for seed in data.seeds if (what := data.lacks(row.key, seed))]
        if not lacking:
            return "done"
        return f"{'not run' if len(lacking) == len(states) else seeds}: {lacking[0]}"
    worst = next((state for state in missing if state.wrong), missing[0])
    words = {RunState.ABSENT: "not run", RunState.WAITING: "not run (interrupted)", RunState.RUNNING: "running"}
    what = words.get(worst, worst.value)
    if worst == RunState.PARTIAL:
        run = runs[states.index(RunState.PARTIAL)]
        what = f"partial: {data.store.partial(run.run_id).epochs} of {run.config.train.epochs} epochs"
    if len(missing) == len(states):
        return what
    return f"{seeds}, {what}" if worst.wrong else seeds


def _learnt(data: TableData) -> bool:
    """Whether the row that a table names as its yardstick has learnt enough for any comparison."""
    if data.table.least is None:
        return True
    key, enough = data.table.least
    reached = data.estimate(key, "AP")
    return reached is not None and reached.value >= enough


def _claim_result(data: TableData, claim: ClaimTest, measured: Mapping[str, Estimate | None]) -> ClaimResult:
    found = data.effect(claim) if not claim.measured else measured.get(claim.key)
    found = found if _learnt(data) else None
    effect = found if found is None or isinstance(found, Effect) else Effect.of(found)
    stated = {name: getattr(claim, name) for name in ("key", "text", "source", "metric", "paper_effect", "of", "rows")}
    words = {"kind": claim.kind.value, "difference": difference_words(data.table, claim), "rule": rule_text(claim)}
    return ClaimResult(**stated, **words, effect=effect, verdict=Verdict.NOT_RUN)


def _decided(data: TableData, result: TableResult) -> tuple[ClaimResult, ...]:
    """The claims with their verdicts: each with p adjusted in its family, where the same question counts once."""
    of, families = {claim.key: claim for claim in data.table.claims}, {}
    for one in result.claims:
        if one.effect:
            families.setdefault(_family(one, of, result), {})[_question(one)] = p_value(of[one.key], one.effect)
    seeds = {row.key: len(row.seeds) for row in result.rows}
    adjusted = {name: dict(zip(p, holm(list(p.values())), strict=True)) for name, p in families.items()}
    decided = []
    for one in result.claims:
        p = adjusted[_family(one, of, result)][_question(one)] if one.effect else None
        smoke = not (one.evidence or data.profile.evidential)
        unlike = bool(data.table.unlike_paper(of[one.key]))
        evidence = one.evidence or (Evidence.NONE if _equal_anyhow(data, of[one.key], one) else result.evidence)
        of_claim = verdict(of[one.key], one.effect, evidence, smoke, p, unlike, seeds)
        decided.append(one.model_copy(update={"p": p, "verdict": of_claim}))
    return tuple(decided)


def _equal_anyhow(data: TableData, claim: ClaimTest, one: ClaimResult) -> bool:
    """Whether an equivalence is of rows that have learnt too little to differ by more than its margin."""
    if claim.kind != EffectKind.EQUIVALENCE or claim.measured or one.effect is None:
        return False
    each = [data.estimate(key, claim.metric) for key in claim.rows]
    return all(row is not None and row.value <= claim.margin for row in each)


def _family(one: ClaimResult, of: Mapping[str, ClaimTest], result: TableResult) -> tuple[Evidence, str]:
    """What is adjusted together: one evidence's claims of a table, or those of them that are declared apart."""
    return one.evidence or result.evidence, of[one.key].family


def _question(one: ClaimResult) -> tuple[str, bool]:
    return one.difference, one.kind == EffectKind.EQUIVALENCE


def difference_words(table: Table, claim: ClaimTest) -> str:
    """`AP: with noise minus without noise`, or what is measured instead."""
    if claim.measured:
        return claim.measured
    labels = [table.row(key).label for key in claim.rows]
    if claim.trend:
        return f"{claim.metric}: rise from {labels[0]} to {labels[-1]} along the line through all {len(labels)}"
    words = f"{claim.metric}: {labels[0]} minus {labels[1]}"
    return words if claim.beyond is None else f"{words}, beyond {labels[2]} minus {labels[3]}"


OURS = ("ours", "low", "high", "seeds", "images")


def rows_csv(result: TableResult) -> str:
    """One line a row and column; empty cells are explained by `status`."""
    columns = ("table", "row", "column", "paper", *OURS, "counted", "on this device", "device")
    released = ("released", "released low", "released high")
    lines = [
        {"table": result.number, "row": row.label, "column": cell.column, "paper": cell.paper}
        | _interval(cell.measured, *OURS) | {"counted": cell.counted}
        | ({"on this device": cell.on_device.value, "device": cell.on_device.device} if cell.on_device else {})
        | (_interval(cell.released, *released) | {"released file": row.released_from} if cell.released else {})
        | {"status": cell.not_measured or row.status}
        for row in result.rows
        for cell in row.cells
    ]  # fmt: skip
    return as_csv(lines, (*columns, *released, "released file", "status"))


def claims_csv(result: TableResult) -> str:
    """One line a claim."""
    earlier = ("earlier low", "earlier high")
    columns = ("table", "claim", "text", "source", "kind", "difference", "paper", *OURS, "p", *earlier, "evidence",
               "verdict")  # fmt: skip
    lines = [
        {
            "table": result.number, "claim": claim.key, "text": claim.text, "source": claim.source, "kind": claim.kind,
            "difference": claim.difference, "paper": claim.paper_effect,
            "p": claim.p, "evidence": (claim.evidence or result.evidence).value, "verdict": claim.verdict.value,
        }
        | _interval(claim.effect, *OURS)
        | ({name: getattr(claim.effect.earlier, name[8:]) for name in earlier} if claim.effect else {})
        for claim in result.claims
    ]  # fmt: skip
    return as_csv(lines, columns)


def _interval(of: Estimate | None, *names: str) -> dict[str, float]:
    values = () if of is None else (of.value, of.low, of.high, of.n_seeds, of.n_images)
    return dict(zip(names, values, strict=False))
