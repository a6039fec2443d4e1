"""Is a keypoint score the probability that Sec. 3.3 says it is, and sigma the size of the error?

From the predictions of a table's runs, no weights needed: poses at ground-truth boxes, one for one, so that no detector
matters. Labelled keypoints inside their crops; all numbers are per cent, of the crop side or of keypoints. Intervals
resample images: what is binned is kept as sums an image and bin, what is ranked is ranked again in every resample.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from poseur_lib.config import ExperimentConfig, PoseurConfig
from poseur_lib.evaluation.bootstrap import resamples
from poseur_lib.evaluation.calibration import (
    Bins,
    KeypointErrors,
    Ranks,
    auroc,
    binned,
    equal_mass_edges,
    keypoint_errors,
    means,
    spearman,
)
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.losses.rle import laplace_scale
from poseur_lib.scoring.uncertainty import density_scores, laplace_scores
from poseur_study.analysis.interval import Sample
from poseur_study.analysis.measured_values import over_seeds, sample_series
from poseur_study.analysis.table_data import BOOTSTRAP_SEED, TableData
from poseur_study.runs.evaluation_file import once_and_resampled

BINS = 10
RANK_RESAMPLES = 300
NEAR_SIMILARITY = 0.5
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


@dataclass(frozen=True, eq=False)
class RunErrors:
    """A finished run's predictions at ground-truth boxes, and their errors."""

    label: str
    seed: int
    config: ExperimentConfig
    predictions: PredictedPeople
    errors: KeypointErrors

    def frame(self, **columns: object) -> pd.DataFrame:
        """A line a keypoint: row, seed, image (its place among all), and columns given as scalars or arrays of all."""
        of = {name: one[self.errors.chosen] if isinstance(one, np.ndarray) else one for name, one in columns.items()}
        return pd.DataFrame({"row": self.label, "seed": self.seed, "image": self.errors.image, **of})


@lru_cache(maxsize=16)
def run_errors(data: TableData, row_key: str, seed: int) -> RunErrors:
    """What a finished run got wrong on the val split."""
    val, predictions = data.dataset.val, data.predictions(row_key, seed, BoxSource.GROUND_TRUTH)
    images = val.image_ids
    errors = keypoint_errors(predictions, val.people(), val.keypoints, images)
    return RunErrors(data.table.row(row_key).label, seed, data.runs[row_key, seed].config, predictions, errors)


def _runs(data: TableData) -> Iterator[RunErrors]:
    for row in data.table.runnable:
        for seed in data.done(row.key):
            if data.store.has_predictions(data.runs[row.key, seed].run_id):
                yield run_errors(data, row.key, seed)


def laplace_per_sigma(config: ExperimentConfig) -> float:
    """b / sigma of the Laplace factor that the loss of a run of Poseur or RLE fits: 2 sqrt(2) as released."""
    head = config.model.head
    count = head.loss.log_sigma_count if isinstance(head, PoseurConfig) else head.log_sigma_count
    return float(laplace_scale(torch.ones(()), log_sigma_count=count))


def scales(data: TableData) -> pd.DataFrame:
    """Keypoints of the runs that predict a scale, a line an axis: row, seed, image, axis, sigma, b, error.

    Sigma, the Laplace scale b that the run's loss makes of it, and |prediction - label|: per cent of the crop side.
    """
    found = []
    for run in _runs(data):
        for number, axis in enumerate("xy" if run.predictions.sigma is not None else ""):
            frame = run.frame(axis=axis, sigma=100 * run.predictions.sigma[..., number].astype(np.float64))
            b = laplace_per_sigma(run.config) * frame["sigma"]
            found.append(frame.assign(b=b, error=100 * run.errors.error[:, number]))
    return _joined(data, found, ["row", "seed", "image", "axis", "sigma", "b", "error"])


def scored_keypoints(data: TableData, radii: Sequence[float]) -> pd.DataFrame:
    """Keypoints by each of their scores: row, seed, image, score, radius, value, error, similarity.

    `score` is a `KeypointScore`, `radius` that of a score which is the probability to be within it on both axes, none
    for the method's own score; `value` is what is scored (x 100), `error` that of the worse axis (% of the crop side),
    `similarity` OKS's term, none where the keypoints have no OKS.
    """
    found = []
    for run in _runs(data):
        errors = {"error": 100 * run.errors.larger, "similarity": run.errors.similarity}
        own = run.predictions.keypoint_scores.astype(np.float64)
        found.append(run.frame(score=KeypointScore.OWN, radius=np.nan, value=100 * own).assign(**errors))
        for radius in radii if isinstance(run.config.model.head, PoseurConfig) else ():
            for name, of in probabilities(run.predictions, run.config, radius).items():
                frame = run.frame(score=name, radius=radius, value=100 * of.astype(np.float64))
                found.append(frame.assign(**errors))
    return _joined(data, found, ["row", "seed", "image", "score", "radius", "value", "error", "similarity"])


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


def _joined(data: TableData, found: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    frame = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)
    return frame.assign(row=pd.Categorical(frame["row"], [row.label for row in data.table.runnable]))[columns]


Measure = Callable[[Bins, Float[np.ndarray, "_n _I"]], Float[np.ndarray, "_n"]]


def measured_bins(
    frame: pd.DataFrame, by: Sequence[str], predicted: str, observed: str, images: int, measure: Measure
) -> pd.DataFrame:
    """A measure of binned keypoints (`error_factor`, `calibration_error`) with its interval, a line of `by`.

    Args:
        frame: a line a keypoint, with `seed` and `image`.
        predicted: the column by which keypoints are binned, equally many of all seeds together in each bin.
    """
    weights = once_and_resampled(images)
    samples = {
        (*key, seed): Sample.of(measure(one, weights))
        for key, sums in _binned(frame, by, predicted, observed, images)
        for seed, one in sums.items()
    }
    return over_seeds(sample_series(samples, by), images)


def bins(frame: pd.DataFrame, by: Sequence[str], predicted: str, observed: str, images: int) -> pd.DataFrame:
    """The bins that no seed leaves empty: of each line of `by` and `bin` the interval of what was observed.

    Columns: predicted (its mean), value, low, high, seeds, estimate, and part (per cent of the keypoints).
    """
    weights, samples, beside = once_and_resampled(images), {}, {}
    for key, sums in _binned(frame, by, predicted, observed, images):
        found = {seed: means(one, weights) for seed, one in sums.items()}
        total = sum(one.number.sum() for one in sums.values())
        for number in range(next(iter(found.values()))[0].shape[1]):
            samples |= {(*key, number, seed): Sample.of(of[:, number]) for seed, (_, of) in found.items()}
            mean = float(np.mean([of[0, number] for of, _ in found.values()]))
            beside[*key, number] = mean, 100 * sum(one.number[:, number].sum() for one in sums.values()) / total
    frame = over_seeds(sample_series(samples, [*by, "bin"]), images)
    mean, part = zip(*beside.values(), strict=True) if beside else ((), ())
    return frame.assign(predicted=np.array(mean, float), part=np.array(part, float)).dropna(subset="value")


def _binned(
    frame: pd.DataFrame, by: Sequence[str], predicted: str, observed: str, images: int
) -> Iterator[tuple[tuple[object, ...], dict[int, Bins]]]:
    for key, of in frame.groupby(list(by), observed=True, sort=False):
        edges = equal_mass_edges([of[predicted].to_numpy()], BINS)
        yield key, {
            seed: binned(*(one[name].to_numpy() for name in (predicted, observed, "image")), images, edges)
            for seed, one in of.groupby("seed")
        }  # fmt: skip


def rankings(
    scored: pd.DataFrame, hits: Mapping[str, Callable[[pd.DataFrame], pd.Series]], images: int
) -> pd.DataFrame:
    """How the scores of each row order its keypoints, with intervals, by row, score and against.

    `against` is a condition (then it is AUROC x 100: 50 by chance, 100 at best; not defined where all keypoints, or
    none, meet it), or `error` (then it is Spearman's correlation x 100, -100 at best).

    Args:
        scored: of `scored_keypoints`, one radius a score.
        hits: conditions by name.
    """
    samples: dict[tuple[object, ...], Sample] = {}
    for (row, score, seed), of in scored.groupby(["row", "score", "seed"], observed=True, sort=False):
        ranks, errors, image = Ranks(of["value"].to_numpy()), Ranks(of["error"].to_numpy()), of["image"].to_numpy()
        met = {name: condition(of).to_numpy(bool) for name, condition in hits.items()}
        found: dict[str, list[float]] = {name: [] for name in (*met, "error")}
        for counts in (np.ones(images, int), *resamples(images, RANK_RESAMPLES, BOOTSTRAP_SEED)):
            weights = counts.astype(np.float64)[image]
            for name, hit in met.items():
                found[name].append(100 * auroc(ranks, hit, weights))
            found["error"].append(100 * spearman(ranks, errors, weights))
        samples |= {(row, score, name, seed): Sample.of(np.array(values)) for name, values in found.items()}
    return over_seeds(sample_series(samples, ["row", "score", "against"]), images)
