"""The released checkpoints' column of a table: from the records of those that were evaluated on its data set."""

from dataclasses import dataclass
from functools import lru_cache

from poseur_lib.evaluation.ap import evaluate_predictions
from poseur_lib.evaluation.bootstrap import Scorer, bootstrap
from poseur_lib.evaluation.matches import Area, ImageMatches, image_matches
from poseur_study.analysis.bootstrap_samples import AREAS, BOOTSTRAP_SEED, RESAMPLES, Sample, Source, box_source
from poseur_study.analysis.interval import Estimate, estimate
from poseur_study.analysis.result_types import CellResult, ClaimResult, RowResult, TableResult
from poseur_study.analysis.verdict import Evidence, level, verdict
from poseur_study.experiments.experiment import METRICS, ClaimTest, Metric, Row
from poseur_study.released_checkpoints.row_match import UNKNOWN_SIZE, can_be_evaluated, is_of, paper_config, rivalled
from poseur_study.released_checkpoints.store import Evaluated, ReleasedStore

COCO_VAL_IMAGES = 5000

STRENGTH = tuple(Evidence)  # strongest first


@dataclass(frozen=True)
class Choice:
    """The evaluated checkpoint of a row, or None; `note` says which, or why there is none where some fit."""

    evaluated: Evaluated | None
    note: str = ""

    @property
    def decides(self) -> bool:
        """True if a claim may rest on it."""
        return self.evaluated is not None and self.evaluated.match.size_known


def with_released(source: Source, result: TableResult) -> TableResult:
    """A table's results with the released checkpoints' column, and claims decided by them where that is stronger."""
    if not _all_evaluated(source):
        return result
    rows = tuple(_row(source, source.table.row(row.key), row) for row in result.rows)
    claims = tuple(
        _claim(source, claim, of_claim, result.evidence)
        for claim, of_claim in zip(source.table.claims, result.claims, strict=True)
    )
    return result.model_copy(update={"rows": rows, "claims": claims, "released_evidence": released_evidence(source)})


def released_evidence(source: Source) -> Evidence:
    """What the released column is worth: it speaks of the paper on the whole of COCO val only."""
    whole = source.data.val_images >= COCO_VAL_IMAGES and not source.data.generated
    return Evidence.RELEASED if whole else Evidence.NONE


@lru_cache(maxsize=256)
def chosen(source: Source, row_key: str) -> Choice:
    """The one evaluated checkpoint that is a row's; of several, none."""
    row = source.table.row(row_key)
    if not can_be_evaluated(row):
        return Choice(None)
    config = paper_config(source.table, row)
    fitting = [one for one in _all_evaluated(source) if is_of(one.match.config, config)]
    left = [one for one in fitting if not any(rivalled(one.match, other.match) for other in fitting)]
    if len(left) == 1 and box_source(source) in left[0].predicted:
        file = left[0].match.file
        return Choice(left[0], file.name if file.size_known else f"{file.name}: {UNKNOWN_SIZE}")
    names = ", ".join(sorted(one.match.file.name for one in fitting))
    return Choice(None, f"ambiguous: {names}" if len(fitting) > 1 else "")


def released_estimate(source: Source, row: Row, metric: Metric) -> Estimate | None:
    """A metric of the row's checkpoint; its interval is that of resampled images."""
    if chosen(source, row.key).evaluated is None:
        return None
    found = released_sample(source, row.key, metric)
    return estimate([found.value], [found.draws], source.data.val_images)


def released_effect(source: Source, claim: ClaimTest) -> Estimate | None:
    """The claim's difference between checkpoints, where all of its rows have one of known input size."""
    if claim.measured or claim.metric not in METRICS or not all(chosen(source, key).decides for key in claim.rows):
        return None
    signed = list(zip((1, -1, -1, 1), claim.rows, strict=False))
    samples = [(sign, released_sample(source, key, claim.metric)) for sign, key in signed]
    value = sum(sign * one.value for sign, one in samples)
    return estimate([value], [sum(sign * one.draws for sign, one in samples)], source.data.val_images)


@lru_cache(maxsize=4096)
def released_sample(source: Source, row_key: str, metric: Metric) -> Sample:
    """A metric of the row's checkpoint, recomputed from its record."""
    matches = _matches(source, row_key)[AREAS.get(metric, "all")]
    measure = "AP" if metric in AREAS else metric
    return Sample(Scorer(matches, measure)(), bootstrap(matches, RESAMPLES, BOOTSTRAP_SEED, measure))


@lru_cache(maxsize=8)
def _all_evaluated(source: Source) -> tuple[Evaluated, ...]:
    return ReleasedStore(source.store.folder.parent).evaluated(source.data.fingerprint)


@lru_cache(maxsize=8)
def _matches(source: Source, row_key: str) -> dict[Area, ImageMatches]:
    """Scored as the row has it in the paper."""
    row, store = source.table.row(row_key), ReleasedStore(source.store.folder.parent)
    config = paper_config(source.table, row)
    loaded = store.records.load(chosen(source, row_key).evaluated.record.run_id)
    evaluation = evaluate_predictions(source.data.val, loaded.predictions[box_source(source)], config, row.scoring)
    return {area: image_matches(evaluation, area) for area in {"all", *AREAS.values()}}


def _row(source: Source, row: Row, result: RowResult) -> RowResult:
    cells = tuple(_cell(source, row, cell) if cell.column in METRICS else cell for cell in result.cells)
    found = {"released_ap": released_estimate(source, row, "AP"), "released_from": chosen(source, row.key).note}
    return result.model_copy(update={"cells": cells, **found})


def _cell(source: Source, row: Row, cell: CellResult) -> CellResult:
    found = released_estimate(source, row, cell.column)
    decided = level(cell.paper, found, released_evidence(source)) if chosen(source, row.key).decides else None
    return cell.model_copy(update={"released": found, "levels": (*cell.levels, *([decided] if decided else []))})


def _claim(source: Source, claim: ClaimTest, result: ClaimResult, own: Evidence) -> ClaimResult:
    """The claim by the stronger evidence; ours where both are alike."""
    effect, evidence = released_effect(source, claim), released_evidence(source)
    weaker = STRENGTH.index(evidence) >= STRENGTH.index(own)
    if effect is None or (result.effect is not None and weaker):
        return result
    decided = verdict(claim, effect, evidence, smoke=False)
    return result.model_copy(update={"effect": effect, "verdict": decided, "evidence": evidence})
