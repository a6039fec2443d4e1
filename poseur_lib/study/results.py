"""A table's results from the records of its runs: no weights, no GPU."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from poseur_lib.evaluation.bootstrap import Scorer, bootstrap
from poseur_lib.evaluation.matches import Area, image_matches
from poseur_lib.paper.printed import Printed
from poseur_lib.scoring.instance import InstanceRule
from poseur_lib.study.datasets import DataSet
from poseur_lib.study.declaration import METRICS, Claim, Column, Metric, Row, Table
from poseur_lib.study.estimate import Estimate, estimate
from poseur_lib.study.plan import PlannedRun
from poseur_lib.study.predictions_file import BoxSource
from poseur_lib.study.profiles import Profile
from poseur_lib.study.provenance import Provenance
from poseur_lib.study.row_cost import row_cost
from poseur_lib.study.scored import match, scored
from poseur_lib.study.store import RunState, RunStore
from poseur_lib.study.table_result import CellResult, ClaimResult, RowResult, TableResult
from poseur_lib.study.verdict import Evidence, rule_text, verdict

RESAMPLES = 1000
BOOTSTRAP_SEED = 0
COCO_VAL_IMAGES = 5000
AREAS: dict[str, Area] = {"AP_M": "medium", "AP_L": "large"}


@dataclass(frozen=True, eq=False)
class Sample:
    """One metric of one row and seed: on the images as they are, and on each resample."""

    value: float
    draws: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Source:
    """Where a table's results come from."""

    profile: Profile
    table: Table
    data: DataSet
    store: RunStore
    seeds: tuple[int, ...]
    runs: dict[tuple[str, int], PlannedRun]
    overrides: dict[str, Any] = field(default_factory=dict)

    def done(self, row: Row) -> tuple[int, ...]:
        """Seeds of which the row's run is finished."""
        if row.not_run:
            return ()
        return tuple(seed for seed in self.seeds if self.store.recorded_state(self.runs[row.key, seed].run_id).done)


def collect(source: Source) -> TableResult:
    """The results of a table as far as its runs are there."""
    table = source.table
    return TableResult(
        number=table.number,
        title=table.title,
        profile=source.profile.name,
        overrides=source.overrides,
        notebook=table.notebook,
        evidence=evidence_class(source),
        boxes=box_source(source),
        rows=tuple(_row_result(source, row) for row in table.rows),
        claims=tuple(_claim_result(source, claim) for claim in table.claims),
        seeds=source.seeds,
        data_name=source.data.root.name,
        data_fingerprint=source.data.fingerprint,
        n_images=source.data.val_images,
    )


def evidence_class(source: Source) -> Evidence:
    """What a table's results are worth: COCO counts only as a whole validation set and with the declared recipe."""
    if not source.profile.evidential:
        return Evidence.NONE
    if source.data.generated:
        return Evidence.GENERATED
    whole = source.data.val_images >= COCO_VAL_IMAGES
    return Evidence.RETRAINED if whole and as_declared(source) else Evidence.NONE


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


def box_source(source: Source) -> BoxSource:
    """The table's box source, or ground truth where the data set has no detector file."""
    file = source.data.root / "annotations" / "person_detections_val2017.json"
    return source.table.boxes if file.exists() else BoxSource.GROUND_TRUTH


@lru_cache(maxsize=256)
def sample(source: Source, row_key: str, seed: int, metric: Metric) -> Sample:
    """A metric of a row's run, recomputed from its record."""
    row, run = source.table.row(row_key), source.runs[row_key, seed]
    predictions = source.store.load(run.run_id).predictions[box_source(source)]
    evaluation = match(source.data.val, scored(predictions, run.config, row.scoring), run.config)
    matches = image_matches(evaluation, AREAS.get(metric, "all"))
    measure = "AP" if metric in AREAS else metric
    return Sample(Scorer(matches, measure)(), bootstrap(matches, RESAMPLES, BOOTSTRAP_SEED, measure))


def effect(source: Source, claim: Claim) -> Estimate | None:
    """The claim's difference over the seeds that both of its rows have."""
    better, than = source.table.row(claim.better), source.table.row(claim.than)
    seeds = [seed for seed in source.done(better) if seed in source.done(than)]
    a, b = ([sample(source, row.key, seed, claim.metric) for seed in seeds] for row in (better, than))
    values = [one.value - other.value for one, other in zip(a, b, strict=True)]
    draws = [one.draws - other.draws for one, other in zip(a, b, strict=True)]
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
    )


def _cell(source: Source, row: Row, column: Column) -> CellResult:
    printed = row.printed(column)
    known = isinstance(printed, Printed)
    text, place = (printed.text, printed.source) if known else (None, None)
    if column in METRICS:
        return CellResult(column=column, paper=text, source=place, measured=_row_estimate(source, row, column))
    counted = None if row.not_run else row_cost(source.table, row, column, place)
    return CellResult(column=column, paper=text, source=place, counted=counted)


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
    if not missing:
        return "done"
    words = {RunState.ABSENT: "not run", RunState.WAITING: "not run (interrupted)", RunState.RUNNING: "running"}
    what = words.get(missing[0], missing[0].value)
    if missing[0] == RunState.PARTIAL:
        run = runs[states.index(RunState.PARTIAL)]
        what = f"partial: {source.store.partial(run.run_id).epochs} of {run.config.train.epochs} epochs"
    return what if len(missing) == len(states) else f"{len(states) - len(missing)} of {len(states)} seeds"


def _claim_result(source: Source, claim: Claim) -> ClaimResult:
    found = effect(source, claim)
    labels = [source.table.row(key).label for key in (claim.better, claim.than)]
    evidence = evidence_class(source)
    return ClaimResult(
        key=claim.key,
        text=claim.text,
        source=claim.source,
        kind=claim.kind.value,
        metric=claim.metric,
        difference=f"{claim.metric}: {labels[0]} minus {labels[1]}",
        paper_effect=claim.paper_effect,
        effect=found,
        verdict=verdict(claim, found, evidence, smoke=not source.profile.evidential),
        rule=rule_text(claim),
    )


def ap_under_rule(source: Source, row: Row, rule: InstanceRule) -> float | None:
    """A row's AP, mean over its seeds, with another rule for the score of a person."""
    values = []
    for seed in source.done(row):
        run = source.runs[row.key, seed]
        predictions = source.store.load(run.run_id).predictions[box_source(source)]
        evaluation = match(source.data.val, scored(predictions, run.config, row.scoring, rule), run.config)
        values.append(Scorer(image_matches(evaluation))())
    return float(np.mean(values)) if values else None


def provenances(source: Source) -> dict[str, Provenance]:
    """Where each finished run comes from."""
    runs = [source.runs[row.key, seed].run_id for row in source.table.runnable for seed in source.done(row)]
    return {run_id: source.store.record(run_id).provenance for run_id in runs}
