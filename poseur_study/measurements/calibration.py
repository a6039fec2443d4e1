"""Is a keypoint score the probability that Sec. 3.3 says it is, and sigma the size of the error?

From the records of a table's runs, no weights needed: poses at ground-truth boxes, one for one, so that no detector
matters. All numbers are per cent: of the crop side, or of keypoints.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float

from poseur_lib.config import ExperimentConfig, PoseurConfig
from poseur_lib.config.base import Frozen
from poseur_lib.evaluation import calibration as of_errors
from poseur_lib.evaluation.calibration import Bins, KeypointErrors, binned, equal_mass_edges, means
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.losses.rle import laplace_scale
from poseur_lib.scoring.uncertainty import density_scores, laplace_scores
from poseur_study.analysis.interval import Estimate, Sample, estimate
from poseur_study.analysis.table_data import TableData
from poseur_study.experiments.analyses import SCORE_CLAIM
from poseur_study.experiments.experiment import Row
from poseur_study.runs.evaluation import image_weights

SIGMA_BINS, SCORE_BINS = 10, 10
AXES = ("x", "y")
SMALL_RADII = (0.05, 0.02)
"""Beside a of the configuration, whose score may be near 1 for almost every keypoint."""


class KeypointScore(StrEnum):
    """What a keypoint is scored by; EQ8_SIGMA and FLOW are those that `Scoring` makes a person's score of.

    All but OWN are, by what Sec. 3.3 says of them, the probability to be within a radius on both axes. Eq. 8 with sigma
    in the place of b is the paper's and the released code's; with b of the loss it is what Eq. 7 says; Eq. 6 is the
    flow's density by quadrature.
    """

    EQ8_SIGMA = "Eq. 8 with σ"
    EQ8_B = "Eq. 8 with b"
    FLOW = "Eq. 6"
    OWN = "its own score"


PROBABILITIES = (KeypointScore.EQ8_SIGMA, KeypointScore.EQ8_B, KeypointScore.FLOW)


def laplace_per_sigma(config: ExperimentConfig) -> float:
    """b / sigma of the Laplace factor that the loss of a run of Poseur or RLE fits: 2 sqrt(2) as released."""
    head = config.model.head
    count = head.loss.log_sigma_count if isinstance(head, PoseurConfig) else head.log_sigma_count
    return float(laplace_scale(torch.ones(()), log_sigma_count=count))


def probabilities(
    predictions: PredictedPeople, config: ExperimentConfig, radius: float
) -> Mapping[KeypointScore, Float[np.ndarray, "N K"]]:
    """Poseur's scores that claim to be probabilities; Eq. 6 is left out where the record holds no table of masses."""
    sigma = torch.from_numpy(predictions.sigma)
    count = config.model.head.loss.log_sigma_count
    scores = {
        KeypointScore.EQ8_SIGMA: laplace_scores(sigma, radius).numpy(),
        KeypointScore.EQ8_B: laplace_scores(laplace_scale(sigma, log_sigma_count=count), radius).numpy(),
    }
    if predictions.flow_masses is not None:
        masses = predictions.flow_masses
        scores[KeypointScore.FLOW] = density_scores(predictions.sigma, masses, radius, log_sigma_count=count)
    return scores


Measure = Callable[[Bins, Float[np.ndarray, "_n _I"]], Float[np.ndarray, "_n"]]


class CalibrationBin(Frozen):
    """Keypoints of which alike was predicted: the mean of that, what came of it, and their part of all keypoints."""

    predicted: float
    observed: Estimate
    part: float


class ScaleCalibration(Frozen):
    """Predicted sigma against the error made on one axis, both per cent of the crop side.

    Attributes:
        factor: mean error over mean sigma.
        laplace_per_sigma: b / sigma by the run's loss (`losses.rle.laplace_scale`).
    """

    row: str
    label: str
    axis: str
    bins: tuple[CalibrationBin, ...]
    factor: Estimate
    laplace_per_sigma: float


class Reliability(Frozen):
    """A score that claims to be a probability against the share of keypoints within the radius on both axes."""

    row: str
    label: str
    score: KeypointScore
    radius: float
    bins: tuple[CalibrationBin, ...]
    whole: CalibrationBin
    calibration_error: Estimate

    @property
    def error_of_certainty(self) -> float:
        """Calibration error of a score that says 100 % of every keypoint: what any useful score has to be below."""
        return 100 - self.whole.observed.value


@dataclass(frozen=True, eq=False)
class RunErrors:
    """A finished run's predictions at ground-truth boxes, and their errors."""

    config: ExperimentConfig
    predictions: PredictedPeople
    errors: KeypointErrors


@lru_cache(maxsize=16)
def run_errors(data: TableData, row_key: str, seed: int) -> RunErrors:
    """What a finished run got wrong on the val split."""
    val, predictions = data.dataset.val, data.predictions(row_key, seed, BoxSource.GROUND_TRUTH)
    images = sorted(int(image) for image in val.coco.getImgIds())
    errors = of_errors.keypoint_errors(predictions, val.people(), val.keypoints, images)
    return RunErrors(data.runs[row_key, seed].config, predictions, errors)


def runs_of(data: TableData, row: Row) -> list[RunErrors]:
    """What a row's finished runs got wrong, seed by seed."""
    return [run_errors(data, row.key, seed) for seed in data.done(row.key)]


def scale_calibrations(data: TableData) -> tuple[ScaleCalibration, ...]:
    """Of every row that was run and has a sigma, for both axes."""
    found = []
    for row in data.table.rows:
        runs = [run for run in runs_of(data, row) if run.predictions.sigma is not None]
        found += [_scale(data, row, runs, axis) for axis in AXES if runs]
    return tuple(found)


def reliabilities(data: TableData, row_key: str) -> tuple[Reliability, ...]:
    """Of the scores of a row that claim to be probabilities, at the configuration's radius and at smaller ones."""
    row = data.table.row(row_key)
    runs = runs_of(data, row)
    if not runs:
        return ()
    found = []
    for radius in (runs[0].config.model.head.score_radius, *SMALL_RADII):
        scores = [probabilities(run.predictions, run.config, radius) for run in runs]
        names = [name for name in scores[0] if all(name in one for one in scores)]
        found += [_reliability(data, row, name, radius, runs, [one[name] for one in scores]) for name in names]
    return tuple(found)


def claimed(of: Sequence[Reliability]) -> Reliability | None:
    """Eq. 8 as the paper has it, at the configuration's radius."""
    return next(iter(as_claimed(of)), None)


def as_claimed(of: Sequence[Reliability]) -> list[Reliability]:
    """Eq. 8 as the paper has it, at the configuration's radius and then at the smaller ones."""
    return [one for one in of if one.score == KeypointScore.EQ8_SIGMA]


def claim_effects(of: Sequence[Reliability]) -> Mapping[str, Estimate | None]:
    """What the table's claim rests on."""
    asked = claimed(of)
    return {} if asked is None else {SCORE_CLAIM: asked.calibration_error}


def calibration_lines(scales: Sequence[ScaleCalibration], scores: Sequence[Reliability]) -> list[Mapping[str, object]]:
    """Every bin as a line of a CSV file."""
    heads = [{"row": one.label, "predicted": f"sigma on {one.axis}", "radius": None} for one in scales]
    heads += [{"row": one.label, "predicted": one.score, "radius": one.radius} for one in scores]
    return [
        {
            **head, "bin": number, "mean": bin_.predicted, "observed": bin_.observed.value, "low": bin_.observed.low,
            "high": bin_.observed.high, "part": bin_.part,
        }
        for head, of in zip(heads, (*scales, *scores), strict=True)
        for number, bin_ in enumerate(of.bins)
    ]  # fmt: skip


def _scale(data: TableData, row: Row, runs: Sequence[RunErrors], axis: str) -> ScaleCalibration:
    number, images = AXES.index(axis), data.n_images
    sigmas = [run.predictions.sigma[run.errors.chosen][:, number].astype(np.float64) for run in runs]
    edges = equal_mass_edges(sigmas, SIGMA_BINS)
    sums = [
        binned(100 * sigma, 100 * run.errors.error[:, number], run.errors.image, images, 100 * edges)
        for sigma, run in zip(sigmas, runs, strict=True)
    ]
    return ScaleCalibration(
        row=row.key,
        label=row.label,
        axis=axis,
        bins=_bins(sums),
        factor=_estimate(sums, of_errors.error_factor),
        laplace_per_sigma=laplace_per_sigma(runs[0].config),
    )


def _reliability(
    data: TableData,
    row: Row,
    name: KeypointScore,
    radius: float,
    runs: Sequence[RunErrors],
    scores: Sequence[Float[np.ndarray, "_N _K"]],
) -> Reliability:
    predicted = [100 * of[run.errors.chosen].astype(np.float64) for run, of in zip(runs, scores, strict=True)]
    edges = equal_mass_edges(predicted, SCORE_BINS)
    sums = [
        binned(of, 100.0 * (run.errors.larger <= radius), run.errors.image, data.n_images, edges)
        for run, of in zip(runs, predicted, strict=True)
    ]
    (whole,) = _bins([of_errors.merged(one) for one in sums])
    return Reliability(
        row=row.key,
        label=row.label,
        score=name,
        radius=radius,
        bins=_bins(sums),
        whole=whole,
        calibration_error=_estimate(sums, of_errors.calibration_error),
    )


def _bins(sums: Sequence[Bins]) -> tuple[CalibrationBin, ...]:
    """The bins that no seed leaves empty."""
    total = sum(one.number.sum() for one in sums)
    found = []
    for column in range(sums[0].number.shape[1]):
        observed = _estimate(sums, lambda of, weights, c=column: means(of, weights)[1][:, c])
        if observed is not None:
            once = np.ones((1, len(sums[0].number)))
            predicted = float(np.mean([means(one, once)[0][0, column] for one in sums]))
            part = 100 * sum(one.number[:, column].sum() for one in sums) / total
            found.append(CalibrationBin(predicted=predicted, observed=observed, part=float(part)))
    return tuple(found)


def _estimate(sums: Sequence[Bins], measure: Measure) -> Estimate | None:
    """A measure of each seed's sums, with its interval."""
    images = len(sums[0].number)
    once = [float(measure(one, np.ones((1, images)))[0]) for one in sums]
    weights = image_weights(images)
    return estimate([Sample(value, measure(one, weights)) for value, one in zip(once, sums, strict=True)], images)
