"""Which method's keypoint scores order keypoints best by the errors made; no score has to be a probability for that.

Per cent of pairs (AUROC) or of correlation (Spearman), from the records of a table's runs, at ground-truth boxes.
`write_calibration` writes them and the bins of `calibration` beside the table's other results.
"""

from collections.abc import Sequence

import numpy as np

from poseur_lib.config.base import Frozen
from poseur_lib.config.heads import PoseurConfig
from poseur_lib.evaluation.bootstrap import resamples
from poseur_lib.evaluation.calibration import Ranks, auroc, spearman
from poseur_lib.files import write_atomically
from poseur_study.analysis.interval import Estimate, Sample, estimate
from poseur_study.analysis.measured_values import as_csv
from poseur_study.analysis.table_data import BOOTSTRAP_SEED, TableData
from poseur_study.measurements.calibration import (
    SMALL_RADII,
    KeypointScore,
    Reliability,
    RunErrors,
    ScaleCalibration,
    calibration_lines,
    probabilities,
    runs_of,
)
from poseur_study.runs.project import results_folder
from poseur_study.table_study import TableStudy

RANK_RESAMPLES = 300
NEAR_SIMILARITY = 0.5
SIMILAR = f"OKS term ≥ {NEAR_SIMILARITY}"
ERROR = "error"


class Ranking(Frozen):
    """How a row's score ranks.

    Attributes:
        against: what the score is held against: a condition (then it is AUROC, 50 by chance, 100 at best), or the
            error (then it is Spearman's correlation, -100 at best).
        value: None where every keypoint, or none, meets the condition.
    """

    row: str
    label: str
    score: KeypointScore
    against: str
    value: Estimate | None


def rankings(data: TableData, radius: float) -> tuple[Ranking, ...]:
    """Every score of every row that was run, against everything.

    Args:
        radius: a of Eq. 8.
    """
    found = []
    for row in data.table.rows:
        by_run = [_run_rankings(run, radius, data.n_images) for run in runs_of(data, row)]
        for score, against in by_run[0] if by_run else ():
            value = estimate([one[score, against] for one in by_run], data.n_images)
            found.append(Ranking(row=row.key, label=row.label, score=score, against=against, value=value))
    return tuple(found)


def within(radius: float) -> str:
    """`within 0.2`."""
    return f"within {radius:g}"


def _run_rankings(run: RunErrors, radius: float, images: int) -> dict[tuple[KeypointScore, str], Sample]:
    """By score and what it is held against."""
    errors = run.errors
    scores = {KeypointScore.OWN: run.predictions.keypoint_scores}
    if isinstance(run.config.model.head, PoseurConfig):
        scores |= probabilities(run.predictions, run.config, radius)
    hits = {within(a): errors.larger <= a for a in (radius, *SMALL_RADII)}
    if errors.similarity is not None:
        hits[SIMILAR] = errors.similarity >= NEAR_SIMILARITY
    error_ranks, ranks = Ranks(errors.larger), {name: Ranks(of[errors.chosen]) for name, of in scores.items()}
    found: dict[tuple[KeypointScore, str], list[float]] = {
        (name, against): [] for name in ranks for against in (*hits, ERROR)
    }
    for counts in (np.ones(images, int), *resamples(images, RANK_RESAMPLES, BOOTSTRAP_SEED)):
        weights = counts.astype(np.float64)[errors.image]
        for name, of in ranks.items():
            for against, hit in hits.items():
                found[name, against].append(100 * auroc(of, hit, weights))
            found[name, ERROR].append(100 * spearman(of, error_ranks, weights))
    return {key: Sample.of(np.array(values)) for key, values in found.items()}


def write_calibration(
    study: TableStudy, scales: Sequence[ScaleCalibration], scores: Sequence[Reliability], ranks: Sequence[Ranking]
) -> None:
    """Every bin as `calibration.csv`, every rank correlation as `ranking.csv`; nothing where there is none."""
    folder = results_folder(study.store.table_folder(study.table.number))
    ranking = [
        {"row": one.label, "score": one.score, "against": one.against}
        | {end: one.value and getattr(one.value, end) for end in ("value", "low", "high")}
        for one in ranks
    ]
    for name, lines in (("calibration", calibration_lines(scales, scores)), ("ranking", ranking)):
        if lines:
            write_atomically(folder / f"{name}.csv", as_csv(lines, digits=".5g").encode())
