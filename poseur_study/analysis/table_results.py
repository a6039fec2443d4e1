"""A table's results from the records of its runs: no weights, no GPU."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from poseur_lib.evaluation.ap import evaluate_predictions
from poseur_lib.evaluation.bootstrap import Scorer
from poseur_lib.evaluation.matches import image_matches
from poseur_lib.scoring.instance import InstanceRule
from poseur_study.analysis.bootstrap_samples import Source, box_source, predictions_of, sample
from poseur_study.analysis.interval import Estimate, estimate
from poseur_study.analysis.released_results import COCO_VAL_IMAGES, with_released
from poseur_study.analysis.result_types import CellResult, ClaimResult, OnDevice, RowResult, TableResult
from poseur_study.analysis.verdict import Evidence, level, rule_text, verdict
from poseur_study.costs.row_cost import row_cost
from poseur_study.costs.row_speed import UNITS, row_speed
from poseur_study.experiments.experiment import COSTS, METRICS, UNMEASURED, ClaimTest, Column, Metric, Row, Table
from poseur_study.paper.tables import Printed
from poseur_study.runs.provenance import Provenance
from poseur_study.runs.store import RunState


def collect(source: Source, measured: Mapping[str, Estimate | None] | None = None) -> TableResult:
    """The results of a table as far as its runs are there, and the released checkpoints beside them.

    Args:
        measured: by claim key, what the table's notebook has measured.
    """
    table = source.table
    ours = TableResult(
        number=table.number,
        title=table.title,
        profile=source.profile.name,
        overrides=source.overrides,
        notebook=table.notebook,
        evidence=evidence_class(source),
        boxes=box_source(source),
        rows=tuple(_row_result(source, row) for row in table.rows),
        claims=tuple(_claim_result(source, claim, measured or {}) for claim in table.claims),
        seeds=source.seeds,
        data_name=source.data.root.name,
        data_fingerprint=source.data.fingerprint,
        n_images=source.data.val_images,
    )
    return with_released(source, ours)


@lru_cache(maxsize=8)
def evidence_class(source: Source) -> Evidence:
    """What a table's results are worth.

    COCO counts only as a whole validation set, and with the paper's recipe: at a profile's full size, as declared.
    """
    if not source.profile.evidential:
        return Evidence.NONE
    if source.data.generated:
        return Evidence.GENERATED
    whole = source.data.val_images >= COCO_VAL_IMAGES
    full_size = source.profile.scaling is None
    return Evidence.RETRAINED if whole and full_size and as_declared(source) else Evidence.NONE


def as_declared(source: Source) -> bool:
    """True if every run is what profile and table declare: nothing was overridden."""
    declared = {
        (key, seed): source.profile.experiment(seed, declared_changes(source, source.table.row(key)))
        for key, seed in source.runs
    }
    return all(run.config == declared[key] for key, run in source.runs.items())


def declared_changes(source: Source, row: Row) -> dict[str, Any]:
    """What profile and table make of a row, without the study's own changes."""
    return source.profile.of_table(source.table.number, source.table.changes(row))


def effect(source: Source, claim: ClaimTest) -> Estimate | None:
    """The claim's difference over the seeds that all of its rows have."""
    done = [set(source.done(source.table.row(key))) for key in claim.rows]
    values, draws = [], []
    for seed in sorted(set.intersection(*done)):
        signed = list(zip((1, -1, -1, 1), claim.rows, strict=False))
        samples = [(sign, sample(source, key, seed, claim.metric)) for sign, key in signed]
        values.append(sum(sign * one.value for sign, one in samples))
        draws.append(sum(sign * one.draws for sign, one in samples))
    return estimate(values, draws, source.data.val_images)


def _row_result(source: Source, row: Row) -> RowResult:
    printed = row.printed("AP")
    known = isinstance(printed, Printed)
    return RowResult(
        key=row.key,
        label=row.label,
        ticks=row.ticks,
        paper_ap=printed.value if known else None,
        paper_source=printed.source if known else None,
        ap=_row_estimate(source, row, "AP"),
        cells=tuple(_cell(source, row, column) for column in source.table.columns),
        status=_status(source, row),
        run_ids=() if row.not_run else tuple(source.runs[row.key, seed].run_id for seed in source.seeds),
        computed_on=_computed_on(source, row),
    )


def _computed_on(source: Source, row: Row) -> tuple[str, ...]:
    runs = [source.runs[row.key, seed] for seed in source.done(row)]
    found = [source.store.record(run.run_id).provenance for run in runs]
    return tuple(sorted({f"{one.device} with torch {one.versions.get('torch', '?')}" for one in found}))


def _cell(source: Source, row: Row, column: Column) -> CellResult:
    printed = row.printed(column)
    known = isinstance(printed, Printed)
    text, place = (printed.text, printed.source) if known else (None, None)
    cell = CellResult(column=column, paper=text, source=place, not_measured=UNMEASURED.get(column, ""))
    if row.not_run or column in UNMEASURED:
        return cell
    if column in METRICS:
        measured = _row_estimate(source, row, column)
        found = level(text, measured, evidence_class(source))
        return cell.model_copy(update={"measured": measured, "levels": (found,) if found else ()})
    if column in COSTS:
        return cell.model_copy(update={"counted": row_cost(source.table, row, column)})
    speed = row_speed(source.table, row, source.device)
    here = OnDevice(value=speed.of(column), unit=UNITS[column], device=speed.device)
    return cell.model_copy(update={"on_device": here})


def _row_estimate(source: Source, row: Row, metric: Metric) -> Estimate | None:
    samples = [sample(source, row.key, seed, metric) for seed in source.done(row)]
    return estimate([one.value for one in samples], [one.draws for one in samples], source.data.val_images)


def _status(source: Source, row: Row) -> str:
    """ "done", or what is missing and why."""
    if row.not_run:
        return f"not run: {row.not_run}"
    runs = [source.runs[row.key, seed] for seed in source.seeds]
    states = [source.store.state(run.run_id) for run in runs]
    missing = [state for state in states if not state.done]
    seeds = f"{len(source.done(row))} of {len(states)} seeds"
    if not missing:
        lacking = [what for seed in source.seeds if (what := source.lacks(row, seed))]
        if not lacking:
            return "done"
        return f"{'not run' if len(lacking) == len(states) else seeds}: {lacking[0]}"
    worst = next((state for state in missing if state.wrong), missing[0])
    words = {RunState.ABSENT: "not run", RunState.WAITING: "not run (interrupted)", RunState.RUNNING: "running"}
    what = words.get(worst, worst.value)
    if worst == RunState.PARTIAL:
        run = runs[states.index(RunState.PARTIAL)]
        what = f"partial: {source.store.partial(run.run_id).epochs} of {run.config.train.epochs} epochs"
    if len(missing) == len(states):
        return what
    return f"{seeds}, {what}" if worst.wrong else seeds


def _claim_result(source: Source, claim: ClaimTest, measured: Mapping[str, Estimate | None]) -> ClaimResult:
    found = measured.get(claim.key) if claim.measured else effect(source, claim)
    evidence = evidence_class(source)
    return ClaimResult(
        key=claim.key,
        text=claim.text,
        source=claim.source,
        kind=claim.kind.value,
        metric=claim.metric,
        difference=difference_words(source.table, claim),
        paper_effect=claim.paper_effect,
        effect=found,
        verdict=verdict(claim, found, evidence, smoke=not source.profile.evidential),
        rule=rule_text(claim),
        of=claim.of,
        rows=claim.rows,
    )


def difference_words(table: Table, claim: ClaimTest) -> str:
    """`AP: with noise minus without noise`, or what is measured instead."""
    if claim.measured:
        return claim.measured
    labels = [table.row(key).label for key in claim.rows]
    words = f"{claim.metric}: {labels[0]} minus {labels[1]}"
    return words if claim.beyond is None else f"{words}, beyond {labels[2]} minus {labels[3]}"


def ap_under_rule(source: Source, row: Row, rule: InstanceRule) -> float | None:
    """A row's AP, mean over its seeds, with another rule for the score of a person."""
    values = []
    for seed in source.done(row):
        run = source.runs[row.key, seed]
        predictions = predictions_of(source, row.key, seed)
        evaluation = evaluate_predictions(source.data.val, predictions, run.config, row.scoring, rule)
        values.append(Scorer(image_matches(evaluation))())
    return float(np.mean(values)) if values else None


def provenances(source: Source) -> dict[str, Provenance]:
    """Where each finished run comes from."""
    runs = [source.runs[row.key, seed].run_id for row in source.table.runnable for seed in source.done(row)]
    return {run_id: source.store.record(run_id).provenance for run_id in runs}
