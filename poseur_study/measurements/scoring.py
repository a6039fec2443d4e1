"""What makes a score that ranks people, and what makes one the probability that Sec. 3.3 says it is?

Of Poseur's runs and of evaluated checkpoints, from their predictions, no weights needed. Ranking is judged on detector
boxes, as AP by Eq. 5; being a probability on keypoints at ground-truth boxes, by their expected calibration error
(per cent). A constant can pass that, which says the share of keypoints within a of all of them alike: Brier's skill
score says how much more than the constant a score knows (1 at best, 0 for as little). What is fitted (one factor on
sigma, and the constant) is fitted on half of the images and judged on the other, both ways round, so that every
keypoint is judged by a fit that has not seen it.

With the flip test, all scores here are of the mean sigma of the two passes, whereas a head averages the two passes'
scores: a keypoint's Eq. 8 differs by up to 0.068 (`poseur_lib.scoring.uncertainty`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from pycocotools import mask

from poseur_lib.config import ExperimentConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.evaluation.ap import TABLE_1C_RULE, evaluate_predictions
from poseur_lib.evaluation.bootstrap import Scorer
from poseur_lib.evaluation.calibration import (
    KeypointErrors,
    binned,
    calibration_error,
    equal_mass_edges,
    keypoint_errors,
    skill,
)
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.evaluation.matches import ImageMatches, image_matches
from poseur_lib.scoring.instance import Scoring, instance_scores
from poseur_lib.scoring.uncertainty import density_scores, laplace_factor, laplace_scores
from poseur_study.analysis.interval import difference
from poseur_study.analysis.measured_values import sample_series
from poseur_study.analysis.released_results import ReleasedColumn
from poseur_study.analysis.table_data import TableData, metric_sample
from poseur_study.experiments.analyses import POSEUR
from poseur_study.measurements.calibration import BINS, measured_bins
from poseur_study.runs.evaluation_file import RunEvaluation, in_order_of_images
from poseur_study.runs.evaluation_of_predictions import run_evaluation
from poseur_study.runs.predictions import Predictions
from poseur_study.runs.store import RunStore

SPLITS = 10
RADII = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
BACKGROUND_IOU = 0.3
"""A box that overlaps every annotated person less is on the background: so the generator draws its false boxes."""
FOUND_OKS = 0.5


class Score(StrEnum):
    """What a keypoint is scored by; a person's score is the box's times their mean (Eq. 5)."""

    EQ8 = "Eq. 8"
    RESCALED = "Eq. 8, σ rescaled"
    FLOW = "Eq. 6"


class BoxKind(StrEnum):
    """What a detector's box is on; a person's first box is the one that overlaps most."""

    BACKGROUND = "background"
    SECOND = "second box of a person"
    FIRST = "first box of a person"


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """A run of Poseur, or a released checkpoint, with its predictions and what they get wrong on I images.

    Attributes:
        images: ids of all images, in ascending order; `errors` count them by place.
        boxes: those that people are ranked on.
    """

    label: str
    seed: int
    config: ExperimentConfig
    predictions: Predictions
    evaluation: RunEvaluation
    errors: KeypointErrors
    images: Int[np.ndarray, " I"]
    boxes: BoxSource

    def scores(
        self, source: BoxSource, score: Score, radius: float, factors: Float[np.ndarray, " I"]
    ) -> Float[np.ndarray, "N K"]:
        """A score of every keypoint that was predicted; `factors`, an image each, act where sigma is rescaled."""
        of, head = self.predictions[source], self.config.model.head
        if score == Score.FLOW:
            return density_scores(of.sigma, of.flow_masses, radius, log_sigma_count=head.loss.log_sigma_count)
        times = factors[np.searchsorted(self.images, of.image_id)] if score == Score.RESCALED else np.ones(len(of))
        return laplace_scores(torch.from_numpy(of.sigma * times[:, None, None]), radius).numpy()

    @property
    def known_scores(self) -> tuple[Score, ...]:
        """All but Eq. 6 where the record holds no table of the flow's masses."""
        known = self.predictions[BoxSource.GROUND_TRUTH].flow_masses is not None
        return tuple(score for score in Score if known or score != Score.FLOW)

    def image_factors(self, split: int = 0) -> Float[np.ndarray, " I"]:
        """Of each image, the factor that was fitted on the half of the images that it is not in.

        Args:
            split: seed of the halves.
        """
        sigma = self.predictions[BoxSource.GROUND_TRUTH].sigma[self.errors.chosen].astype(np.float64)
        return self._fitted(lambda of: laplace_factor(self.errors.error[of], sigma[of]), split)

    def image_shares(self, radius: float, split: int = 0) -> Float[np.ndarray, " I"]:
        """Of each image, the share of keypoints within the radius on the half of the images that it is not in."""
        within = self.errors.larger <= radius
        return self._fitted(lambda of: float(within[of].mean()), split)

    def _fitted(self, fit: Callable[[Bool[np.ndarray, " E"]], float], split: int) -> Float[np.ndarray, " I"]:
        """By image, what is fitted to the keypoints of the half of the images that it is not in."""
        half = np.random.default_rng(split).permutation(len(self.images)) % 2
        return np.array([fit(half[self.errors.image] != one) for one in (0, 1)])[half]

    def matches(self, keypoint_scores: Float[np.ndarray, "N K"]) -> tuple[ImageMatches, Float[np.ndarray, " D"]]:
        """Which detections found a person where people are ranked by Eq. 5, and their scores, best first."""
        of = self.predictions[self.boxes]
        people = instance_scores(of.bbox_scores, keypoint_scores, TABLE_1C_RULE)
        evaluation = self.evaluation.matching(self.boxes, people[in_order_of_images(of)])
        limit = evaluation.params.maxDets[-1]
        found = [one["dtScores"][:limit] for one in evaluation.evalImgs[: len(self.images)] if one is not None]
        return image_matches(evaluation), -np.sort(-np.concatenate([np.zeros(0), *found]))


def scored_runs(data: TableData) -> tuple[ScoredRun, ...]:
    """Poseur's finished runs, and the released checkpoints that were evaluated on the data set, by file name."""
    column = ReleasedColumn(data)
    found: list[tuple[str, int, RunStore, str]] = [
        (data.table.row(POSEUR).method, seed, data.store, data.runs[POSEUR, seed].run_id) for seed in data.done(POSEUR)
    ]
    found += [
        (one.match.file.name, 0, column.store.records, one.record.run_id)
        for one in column.evaluated
        if one.match.size_known
    ]
    return tuple(_scored(data, *one) for one in found)


def _scored(data: TableData, label: str, seed: int, store: RunStore, run_id: str) -> ScoredRun:
    loaded, val = store.load(run_id), data.dataset.val
    predictions, config = loaded.predictions, loaded.record.config
    images = val.image_ids
    errors = keypoint_errors(predictions[BoxSource.GROUND_TRUTH], val.people(), val.keypoints, images)
    evaluation = store.evaluation(run_id) or run_evaluation(val, predictions, config)
    boxes = data.boxes if data.boxes in predictions else BoxSource.GROUND_TRUTH
    return ScoredRun(label, seed, config, predictions, evaluation, errors, np.array(images), boxes)


def promised(runs: Sequence[ScoredRun], radii: Sequence[float]) -> pd.DataFrame:
    """Keypoints by each of their scores: row, seed, image (its place), score, radius, value, within, constant (%).

    `constant` is the share within the radius on the half of the images that the keypoint is not in.
    """
    columns = ["row", "seed", "image", "score", "radius", "value", "within", "constant"]
    found = [
        pd.DataFrame({"row": run.label, "seed": run.seed, "image": run.errors.image, "score": score.value,
                      "radius": radius, "value": value, "within": within,
                      "constant": 100 * run.image_shares(radius)[run.errors.image]})
        for run in runs
        for score, radius, value, within in _promises(run, radii, run.image_factors())
    ]  # fmt: skip
    kinds = {"radius": float, "value": float, "within": float, "constant": float}
    return (pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)).astype(kinds)


def brier_skill(keypoints: pd.DataFrame, images: int) -> pd.DataFrame:
    """How much more each score knows of a keypoint than the constant, with intervals, by row, score and radius.

    1 - (mean squared error of the score) / (that of the constant): Brier's skill score.

    Args:
        keypoints: of `promised`.
    """
    squared = {name: (keypoints[name] / 100 - keypoints["within"] / 100) ** 2 for name in ("value", "constant")}
    return measured_bins(keypoints.assign(**squared), ["row", "score", "radius"], "value", "constant", images, skill)


def splits(runs: Sequence[ScoredRun], radii: Sequence[float]) -> pd.DataFrame:
    """How much the halves matter: row, seed, split, factor (mean of both halves'), score, radius, ECE, constant (%).

    `constant` is the ECE of the share within the radius on the other half, said of every keypoint alike.
    """
    lines = [
        (run.label, run.seed, split, factors.mean(), score.value, radius, _ece(value, within),
         _ece(100 * run.image_shares(radius, split)[run.errors.image], within))
        for run in runs
        for split in range(SPLITS)
        for factors in [run.image_factors(split)]
        for score, radius, value, within in _promises(run, radii, factors)
        if score == Score.RESCALED
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=["row", "seed", "split", "factor", "score", "radius", "ECE", "constant"])


def sweep(runs: Sequence[ScoredRun], radii: Sequence[float] = RADII) -> pd.DataFrame:
    """Both questions by radius: row, seed, score, radius, AP, ECE (%)."""
    lines = []
    for run in runs:
        factors = run.image_factors()
        for score, radius, value, within in _promises(run, radii, factors):
            matches, _ = run.matches(run.scores(run.boxes, score, radius, factors))
            lines.append((run.label, run.seed, score.value, radius, Scorer(matches)(), _ece(value, within)))
    return pd.DataFrame(lines, columns=["row", "seed", "score", "radius", "AP", "ECE"])


def _promises(
    run: ScoredRun, radii: Sequence[float], factors: Float[np.ndarray, " I"]
) -> Iterator[tuple[Score, float, Float[np.ndarray, " E"], Float[np.ndarray, " E"]]]:
    """Each score at each radius: what it says of the keypoints inside their crops and what came of it, in %."""
    for radius in radii:
        within = 100.0 * (run.errors.larger <= radius)
        for score in run.known_scores:
            value = run.scores(BoxSource.GROUND_TRUTH, score, radius, factors)[run.errors.chosen]
            yield score, radius, 100 * value.astype(np.float64), within


def _ece(value: Float[np.ndarray, " E"], within: Float[np.ndarray, " E"]) -> float:
    sums = binned(value, within, np.zeros(len(value), np.int64), 1, equal_mass_edges([value], BINS))
    return float(calibration_error(sums, np.ones((1, 1)))[0])


def ap_samples(runs: Sequence[ScoredRun], radii: Sequence[float]) -> pd.Series:
    """The AP of people ranked by each score, as `Sample`, by row, score, radius and seed."""
    found = {
        (run.label, score.value, radius, run.seed): metric_sample({"all": run.matches(scores)[0]}, "AP")
        for run in runs
        for score in run.known_scores
        for radius in radii
        for scores in [run.scores(run.boxes, score, radius, run.image_factors())]
    }
    return sample_series(found, ["row", "score", "radius"])


def box_kinds(people: CocoPeople) -> list[BoxKind]:
    """What each of the detector's boxes is on, in the order of the file; crowds count as people."""
    kinds: list[BoxKind] = []
    best: dict[int, tuple[float, int]] = {}
    for place, one in enumerate(people.detections()):
        entries = people.coco.imgToAnns[one.image_id]
        boxes, crowds = np.array([entry["bbox"] for entry in entries], float), [entry["iscrowd"] for entry in entries]
        overlaps = mask.iou(np.array([one.box]), boxes, crowds)[0] if entries else np.zeros(1)
        on_person = overlaps.max() >= BACKGROUND_IOU
        kinds.append(BoxKind.SECOND if on_person else BoxKind.BACKGROUND)
        if on_person:
            person = entries[int(overlaps.argmax())]["id"]
            best[person] = max(best.get(person, (0.0, 0)), (float(overlaps.max()), place))
    for _, place in best.values():
        kinds[place] = BoxKind.FIRST
    return kinds


def precision_at_recall(data: TableData, recalls: Sequence[float]) -> pd.DataFrame:
    """COCO's precision (%) at an OKS of 0.75, where every pose that finds nobody at it is a false positive.

    Of each finished row, as the table scores it: row, seed, recall (%), precision, the best at that recall or beyond.
    """
    lines = []
    for row in data.table.runnable:
        for seed in data.done(row.key):
            matches = data.matches(row.key, seed)["all"]
            (curve,) = Scorer(matches, "AP75").precision()
            places = [int(np.argmin(np.abs(matches.recall_thresholds - one))) for one in recalls]
            lines += [
                (row.label, seed, round(100 * one, 6), 100 * curve[at]) for one, at in zip(recalls, places, strict=True)
            ]
    frame = pd.DataFrame(lines, columns=["row", "seed", "recall, %", "precision"])
    return frame.assign(row=pd.Categorical(frame["row"], [row.label for row in data.table.runnable]))


LEFT_OUT = {
    "all boxes": (),
    "without background": (BoxKind.BACKGROUND,),
    "first box of a person alone": (BoxKind.BACKGROUND, BoxKind.SECOND),
}


def gain_samples(runs: Sequence[ScoredRun], people: CocoPeople) -> pd.Series:
    """AP by the box's score and by Eq. 8, and the gain, as `Sample`, by row, boxes that are left, score and seed.

    Nothing of runs without detector boxes.
    """
    ranked = [run for run in runs if run.boxes == BoxSource.DETECTOR]
    kinds = np.array(box_kinds(people)) if ranked else np.zeros(0)
    found = {}
    for run in ranked:
        for boxes, out in LEFT_OUT.items():
            kept = run.predictions[run.boxes].select(~np.isin(kinds, out))
            matches = [image_matches(evaluate_predictions(people, kept, run.config, scoring))
                       for scoring in (Scoring.EQ8_SIGMA, Scoring.BOX)]  # fmt: skip
            eq8, box = (metric_sample({"all": of}, "AP") for of in matches)
            of_boxes = {"box": box, "Eq. 8": eq8, "gain": difference(eq8, box)}
            found |= {(run.label, boxes, name, run.seed): sample for name, sample in of_boxes.items()}
    return sample_series(found, ["row", "boxes", "score"])


def thresholds(
    runs: Sequence[ScoredRun], by: Sequence[tuple[Score | None, float]], at: Sequence[float]
) -> pd.DataFrame:
    """What a threshold on a person's score does: row, seed, score, radius, threshold, precision and recall (%).

    A person is found by a pose with an OKS of 0.5; where nobody is kept, there is no precision.

    Args:
        by: scores with their radii; None: the box's alone.
        at: thresholds.
    """
    lines = []
    for run in runs:
        factors, of = run.image_factors(), run.predictions[run.boxes]
        for score, radius in by:
            values = (
                np.ones_like(of.keypoint_scores) if score is None else run.scores(run.boxes, score, radius, factors)
            )
            matches, scores = run.matches(values)
            row = int(np.flatnonzero(np.isclose(matches.oks_thresholds, FOUND_OKS))[0])
            counted = ~matches.ignored[row]
            for threshold in at:
                kept = counted & (scores >= threshold)
                hits = int((matches.matched[row] & kept).sum())
                precision = 100 * hits / int(kept.sum()) if kept.any() else np.nan
                recall = 100 * hits / max(int(matches.people.sum()), 1)
                name = "box" if score is None else score.value
                lines.append((run.label, run.seed, name, radius, threshold, precision, recall))
    return pd.DataFrame(lines, columns=["row", "seed", "score", "radius", "threshold", "precision", "recall"])
