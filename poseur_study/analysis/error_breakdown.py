"""Why an effect is there: two rows of a table compared keypoint by keypoint, by how hard it is, and by error type.

Computed from stored predictions, no weights needed. Errors and similarities are those of poses at ground-truth boxes,
one for one, so that scores and detector do not matter; AP by kind of person is the table's own (its boxes and scores).
Both rows are resampled alike: the intervals are those of the differences.
"""

import csv
import io
from functools import lru_cache
from typing import Literal

import numpy as np

from poseur_lib.config.base import Frozen
from poseur_lib.evaluation.bootstrap import Scorer, bootstrap
from poseur_lib.evaluation.rescore import match, scored
from poseur_lib.evaluation.strata import strata, stratum_matches
from poseur_study.analysis.bootstrap_samples import BOOTSTRAP_SEED, Sample, Source, predictions_of
from poseur_study.analysis.interval import Estimate, estimate
from poseur_study.analysis.pose_errors import PoseErrors, ratio_draws, run_errors
from poseur_study.experiments.experiment import Claim

AP_RESAMPLES = 300
GROUPS = ("hidden", "size")
BREAKDOWN_FILE, BREAKDOWN_CSV = "breakdown.json", "breakdown.csv"
METHOD = (
    "Errors and similarities: poses at ground-truth boxes, so that neither scores nor a detector matter. AP by kind of "
    f"person: the table's own boxes and scores. 95 % intervals: 1,000 ({AP_RESAMPLES} for AP) resamples of the images, "
    "both rows on the same ones; Student's t over seeds, where there are several, in quadrature."
)

Part = Literal["error type", "keypoint", "visibility", "hidden", "size"]


class BreakdownRow(Frozen):
    """One line of a comparison.

    Attributes:
        measure: of the two rows: share of keypoints (error type), mean keypoint similarity x 100, or AP.
        number: keypoints (AP: people) that it is about.
    """

    part: Part
    name: str
    measure: str
    number: int
    better: float
    than: float
    difference: Estimate


class ClaimBreakdown(Frozen):
    """A claim's two rows compared; `same_poses`: they differ in their scores alone."""

    claim: str
    difference: str
    same_poses: bool
    rows: tuple[BreakdownRow, ...]


class Breakdown(Frozen):
    """All claims of a table of which both rows were run."""

    claims: tuple[ClaimBreakdown, ...]


def breakdown(source: Source) -> Breakdown:
    """The comparisons of a table as far as its runs are there, each pair of rows once."""
    found: dict[tuple[str, str], ClaimBreakdown] = {}
    for claim in source.table.claims:
        pair = (claim.better, claim.than)
        if claim.better != claim.than and pair not in found and (seeds := _common_seeds(source, claim)):
            found[pair] = _compare(source, claim, seeds)
    return Breakdown(claims=tuple(found.values()))


def breakdown_csv(of: Breakdown) -> str:
    """One line a comparison and part."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = ("claim", "rows", "part", "name", "measure", "number", "better", "than", "difference", "low", "high")
    writer.writerow((*header, "seeds", "images"))
    for claim in of.claims:
        for row in claim.rows:
            values = (row.better, row.than, row.difference.value, row.difference.low, row.difference.high)
            numbers = [f"{value:.3f}" for value in values]
            counts = (row.difference.n_seeds, row.difference.n_images)
            who = (claim.claim, claim.difference, row.part, row.name, row.measure, row.number)
            writer.writerow((*who, *numbers, *counts))
    return text.getvalue()


def _common_seeds(source: Source, claim: Claim) -> tuple[int, ...]:
    done = [set(source.done(source.table.row(key))) for key in (claim.better, claim.than)]
    return tuple(sorted(set.intersection(*done)))


def _compare(source: Source, claim: Claim, seeds: tuple[int, ...]) -> ClaimBreakdown:
    better, than = ([source.runs[key, seed] for seed in seeds] for key in (claim.better, claim.than))
    same = [run.run_id for run in better] == [run.run_id for run in than]
    rows: list[BreakdownRow] = []
    if not same and source.data.val.keypoints.oks_sigmas:
        errors = [[run_errors(source, run.run_id) for run in runs] for runs in (better, than)]
        rows += _error_rows(errors, source.data.val_images)
    labels = [source.table.row(key).label for key in (claim.better, claim.than)]
    rows += _ap_rows(source, claim, seeds)
    return ClaimBreakdown(
        claim=claim.key, difference=f"{labels[0]} minus {labels[1]}", same_poses=same, rows=tuple(rows)
    )


def _error_rows(errors: list[list[PoseErrors]], images: int) -> list[BreakdownRow]:
    """Shares of errors, and similarities by keypoint and visibility, from the runs of both rows, seed by seed."""
    rows = []
    for number, (part, name, measure) in enumerate(errors[0][0].names):
        samples = [[Sample(*ratio_draws(one, number)) for one in of_row] for of_row in errors]
        count = int(errors[0][0].counts[:, number].sum())
        if count:
            rows.append(_row((part, name, measure, count), samples, images))
    return [row for row in rows if row is not None]


def _ap_rows(source: Source, claim: Claim, seeds: tuple[int, ...]) -> list[BreakdownRow]:
    by_row = [[_ap_samples(source, key, seed) for seed in seeds] for key in (claim.better, claim.than)]
    rows = []
    for (part, name), (people, _) in by_row[0][0].items():
        samples = [[one[part, name][1] for one in of_row] for of_row in by_row]
        rows.append(_row((part, name, "AP", people), samples, source.data.val_images))
    return [row for row in rows if row is not None]


def _row(head: tuple[Part, str, str, int], samples: list[list[Sample]], images: int) -> BreakdownRow | None:
    part, name, measure, number = head
    pairs = list(zip(*samples, strict=True))
    difference = estimate([a.value - b.value for a, b in pairs], [a.draws - b.draws for a, b in pairs], images)
    if difference is None:
        return None
    means = [float(np.mean([one.value for one in of_row])) for of_row in samples]
    return BreakdownRow(
        part=part, name=name, measure=measure, number=number, better=means[0], than=means[1], difference=difference
    )


@lru_cache(maxsize=64)
def _ap_samples(source: Source, row_key: str, seed: int) -> dict[tuple[Part, str], tuple[int, Sample]]:
    """AP of each stratum, with how many people it has."""
    row, config = source.table.row(row_key), source.runs[row_key, seed].config
    evaluation = match(source.data.val, scored(predictions_of(source, row_key, seed), config, row.scoring), config)
    found = {}
    for stratum in strata(evaluation):
        if stratum.group in GROUPS:
            matches = stratum_matches(evaluation, stratum)
            draws = bootstrap(matches, AP_RESAMPLES, BOOTSTRAP_SEED)
            sample = Sample(Scorer(matches)(), draws)
            found[stratum.group, stratum.name] = (len(stratum.annotation_ids), sample)
    return found
