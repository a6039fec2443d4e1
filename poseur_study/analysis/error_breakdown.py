"""Why an effect is there: two rows of a table compared keypoint by keypoint, by how hard it is, and by error type.

Computed from stored predictions, no weights needed. Errors and similarities are those of poses at ground-truth boxes,
one for one, so that scores and detector do not matter; AP by kind of person is the table's own (its boxes and scores).
Both rows are resampled alike: the intervals are those of the differences. What a run gets wrong is summed image by
image, so that images can be resampled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from poseur_lib.config.base import Frozen
from poseur_lib.data.coco import Person, labels_of
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.evaluation.errors import ErrorType, error_types
from poseur_lib.evaluation.oks import keypoint_similarity
from poseur_lib.evaluation.strata import strata, stratum_matches
from poseur_lib.keypoints import KeypointSet
from poseur_study.analysis.interval import Estimate, Sample, difference, estimate
from poseur_study.analysis.measured_values import as_csv
from poseur_study.analysis.table_data import TableData, image_weights, metric_sample
from poseur_study.experiments.experiment import ClaimTest

SHARE, SIMILARITY = "% of keypoints", "similarity × 100"


@dataclass(frozen=True, eq=False)
class PoseErrors:
    """Sums of I images for C quantities: a quantity is 100 sums / counts.

    Attributes:
        names: (part, name, measure) of each quantity.
    """

    names: tuple[tuple[str, str, str], ...]
    sums: Float[np.ndarray, "I C"]
    counts: Float[np.ndarray, "I C"]


@lru_cache(maxsize=64)
def run_errors(data: TableData, row_key: str, seed: int) -> PoseErrors:
    """The errors of a finished run on the val split."""
    val, predictions = data.dataset.val, data.predictions(row_key, seed, BoxSource.GROUND_TRUTH)
    return pose_errors(predictions, val.people(), val.keypoints, sorted(map(int, val.coco.getImgIds())))


def pose_errors(
    predictions: PredictedPeople, people: Sequence[Person], keypoints: KeypointSet, images: Sequence[int]
) -> PoseErrors:
    """Error types of all keypoints; mean similarity by keypoint (left and right together), and of seen and hidden ones.

    Args:
        predictions: for the people's own boxes, in their order.
        images: ids of all images, those without people included.
    """
    truth, visibility, area = labels_of(people)
    poses = predictions.keypoints_image()
    similarity = keypoint_similarity(poses, truth, area, keypoints.oks_sigmas)
    of_image = np.searchsorted(np.asarray(images), predictions.image_id)
    types = np.empty(visibility.shape, int)
    for image in np.unique(of_image):
        at = np.flatnonzero(of_image == image)
        types[at] = error_types(poses[at], truth[at], visibility[at] > 0, area[at], keypoints)
    names, sums, counts = [], [], []
    labelled = visibility > 0
    for kind in ErrorType:
        names.append(("error type", kind.word, SHARE))
        sums.append((types == kind).sum(1))
        counts.append(labelled.sum(1))
    for (part, name), chosen in _subsets(visibility, keypoints).items():
        names.append((part, name, SIMILARITY))
        sums.append((similarity * chosen).sum(1))
        counts.append(chosen.sum(1))
    per_image = [_by_image(np.stack(values, axis=1), of_image, len(images)) for values in (sums, counts)]
    return PoseErrors(tuple(names), *per_image)


def ratio_sample(errors: PoseErrors, number: int) -> Sample:
    """A quantity; NaN where none of its keypoints is there."""
    weights = image_weights(len(errors.sums))
    sums, counts = errors.sums[:, number], errors.counts[:, number]
    with np.errstate(invalid="ignore", divide="ignore"):
        return Sample(float(100 * sums.sum() / counts.sum()), 100 * (weights @ sums) / (weights @ counts))


def _subsets(visibility: Int[np.ndarray, "N K"], keypoints: KeypointSet) -> dict[tuple[str, str], np.ndarray]:
    """Which keypoints belong to each part of the body, and which are seen or hidden."""
    found: dict[tuple[str, str], np.ndarray] = {}
    for name in dict.fromkeys(_without_side(name) for name in keypoints.names):
        of_part = np.array([_without_side(one) == name for one in keypoints.names])
        found["keypoint", name] = (visibility > 0) & of_part
    return found | {("visibility", "seen"): visibility == 2, ("visibility", "hidden"): visibility == 1}


def _without_side(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_").replace("_", " ")


def _by_image(values: np.ndarray, of_image: Int[np.ndarray, "N"], images: int) -> Float[np.ndarray, "I C"]:
    total = np.zeros((images, values.shape[1]))
    np.add.at(total, of_image, values)
    return total


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
            "claim": claim.claim, "rows": claim.difference, "part": row.part, "name": row.name, "measure": row.measure,
            "number": row.number, "better": row.better, "than": row.than, "difference": row.difference.value,
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
    rows = _ap_rows(data, pair, seeds)
    if better != than and data.dataset.val.keypoints.oks_sigmas:
        rows = _error_rows([[run_errors(data, key, seed) for seed in seeds] for key in pair], data.n_images) + rows
    return ClaimBreakdown(
        claim=claim.key, difference=f"{labels[0]} minus {labels[1]}", same_poses=better == than, rows=tuple(rows)
    )


def _error_rows(errors: list[list[PoseErrors]], images: int) -> list[BreakdownRow]:
    """Shares of errors, and similarities by keypoint and visibility, from the runs of both rows, seed by seed."""
    rows = []
    for number, (part, name, measure) in enumerate(errors[0][0].names):
        samples = [[ratio_sample(one, number) for one in of_row] for of_row in errors]
        count = int(errors[0][0].counts[:, number].sum())
        if count:
            rows.append(_row((part, name, measure, count), samples, images))
    return [row for row in rows if row is not None]


def _ap_rows(data: TableData, pair: tuple[str, str], seeds: tuple[int, ...]) -> list[BreakdownRow]:
    by_row = [[_ap_samples(data, key, seed) for seed in seeds] for key in pair]
    rows = []
    for (part, name), (people, _) in by_row[0][0].items():
        samples = [[one[part, name][1] for one in of_row] for of_row in by_row]
        rows.append(_row((part, name, "AP", people), samples, data.n_images))
    return [row for row in rows if row is not None]


def _row(head: tuple[Part, str, str, int], samples: list[list[Sample]], images: int) -> BreakdownRow | None:
    part, name, measure, number = head
    found = estimate([difference(better, than) for better, than in zip(*samples, strict=True)], images)
    if found is None:
        return None
    means = [float(np.mean([one.value for one in of_row])) for of_row in samples]
    return BreakdownRow(
        part=part, name=name, measure=measure, number=number, better=means[0], than=means[1], difference=found
    )


@lru_cache(maxsize=64)
def _ap_samples(data: TableData, row_key: str, seed: int) -> dict[tuple[Part, str], tuple[int, Sample]]:
    """AP of each stratum, with how many people it has."""
    evaluation = data.matching(row_key, seed)
    return {
        (stratum.group, stratum.name): (
            len(stratum.annotation_ids),
            metric_sample({"all": stratum_matches(evaluation, stratum)}, "AP", AP_RESAMPLES),
        )
        for stratum in strata(evaluation)
        if stratum.group in GROUPS
    }
