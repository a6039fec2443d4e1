"""Why an effect is there: two rows of a table compared keypoint by keypoint, by how hard it is, and by error type.

Computed from the runs' evaluations, no weights needed. Errors and similarities are those of poses at ground-truth
boxes, one for one, so that scores and detector do not matter; AP by kind of person is the table's own (its boxes and
scores). Both rows are resampled alike: the intervals are those of the differences.
"""

from functools import lru_cache
from typing import Literal

import numpy as np

from poseur_lib.config.base import Frozen
from poseur_lib.evaluation.strata import strata, stratum_matches
from poseur_study.analysis.interval import Estimate, Sample, difference, estimate
from poseur_study.analysis.measured_values import as_csv
from poseur_study.analysis.table_data import TableData, metric_sample
from poseur_study.experiments.experiment import ClaimTest
from poseur_study.runs.evaluation_file import PoseErrors

SHARE, SIMILARITY = "% of keypoints", "similarity × 100"
AP_RESAMPLES = 300
GROUPS = ("hidden", "size")
BREAKDOWN_CSV = "breakdown.csv"

METHOD = (
    "Errors and similarities: poses at ground-truth boxes, so that neither scores nor a detector matter. AP by kind of "
    f"person: the table's own boxes and scores. 95 % intervals: 1,000 ({AP_RESAMPLES} for AP) resamples of the images, "
    "both rows on the same ones; Student's t over seeds, where there are several, in quadrature."
)

Part = Literal["error type", "keypoint", "visibility", "hidden", "size"]
Quantities = dict[tuple[Part, str, str], tuple[int, Sample]]
"""By part, name and measure: how many keypoints (AP: people) a quantity is about, and its values."""


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


def breakdown(data: TableData) -> Breakdown:
    """The comparisons of a table as far as its runs are there, each pair of rows once."""
    found: dict[tuple[str, str], ClaimBreakdown] = {}
    for claim in data.table.claims:
        pair = (claim.better, claim.than)
        if claim.better != claim.than and pair not in found and (seeds := data.done(*pair)):
            found[pair] = _compare(data, claim, seeds)
    return Breakdown(claims=tuple(found.values()))


def breakdown_csv(of: Breakdown) -> str:
    """One line a comparison and part."""
    columns = ("claim", "rows", "part", "name", "measure", "number", "better", "than", "difference", "low", "high")
    lines = [
        {
            **row.model_dump(), "claim": claim.claim, "rows": claim.difference, "difference": row.difference.value,
            "low": row.difference.low, "high": row.difference.high, "seeds": row.difference.n_seeds,
            "images": row.difference.n_images,
        }
        for claim in of.claims
        for row in claim.rows
    ]  # fmt: skip
    return as_csv(lines, (*columns, "seeds", "images"))


def _compare(data: TableData, claim: ClaimTest, seeds: tuple[int, ...]) -> ClaimBreakdown:
    pair = (claim.better, claim.than)
    better, than = ([data.runs[key, seed].run_id for seed in seeds] for key in pair)
    labels = [data.table.row(key).label for key in pair]
    rows = _rows([[_ap_samples(data, key, seed) for seed in seeds] for key in pair], data.n_images)
    if better != than:
        errors = [[_error_samples(data.evaluation(key, seed).errors) for seed in seeds] for key in pair]
        rows = _rows(errors, data.n_images) + rows
    return ClaimBreakdown(
        claim=claim.key, difference=f"{labels[0]} minus {labels[1]}", same_poses=better == than, rows=tuple(rows)
    )


def _rows(by_row: list[list[Quantities]], images: int) -> list[BreakdownRow]:
    """Each quantity of both rows, seed by seed, where it is defined."""
    rows = []
    for head, (number, _) in by_row[0][0].items():
        samples = [[of_run[head][1] for of_run in of_row] for of_row in by_row]
        found = estimate([difference(better, than) for better, than in zip(*samples, strict=True)], images)
        if number and found is not None:
            (part, name, measure), (better, than) = head, ([one.value for one in of_row] for of_row in samples)
            of_rows = {"better": float(np.mean(better)), "than": float(np.mean(than)), "difference": found}
            rows.append(BreakdownRow(part=part, name=name, measure=measure, number=number, **of_rows))
    return rows


def _error_samples(errors: PoseErrors) -> Quantities:
    """Shares of errors, and similarities by keypoint and visibility."""
    found = {
        ("error type", name, SHARE): (number, Sample(share, draws)) for name, number, share, draws in errors.shares()
    }
    for part, name, number, mean, draws in errors.similarities():
        found[part, name, SIMILARITY] = number, Sample(mean, draws)
    return found


@lru_cache(maxsize=64)
def _ap_samples(data: TableData, row_key: str, seed: int) -> Quantities:
    """AP of each stratum."""
    evaluation = data.matching(row_key, seed)
    return {
        (stratum.group, stratum.name, "AP"): (
            len(stratum.annotation_ids),
            metric_sample({"all": stratum_matches(evaluation, stratum)}, "AP", AP_RESAMPLES),
        )
        for stratum in strata(evaluation)
        if stratum.group in GROUPS
    }
