"""What a table's results are computed from: its runs' evaluations, matched and resampled; no weights, no GPU.

Rows with other scores than those of their runs ask for full predictions too, and so does calibration.

Resampled metrics are remembered below the folder of runs, because a thousand bootstraps take minutes and to read them
again a second. They follow from what is in their key: the run and the digest of its predictions (which the verified
record has), box source, scoring, metric, resampling, and the code that computes them.
"""

import contextlib
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from pycocotools.cocoeval import COCOeval

from poseur_lib.checkpoints.checkpoint import trained_model
from poseur_lib.config.evaluation import InstanceRule
from poseur_lib.data.coco import detection_path
from poseur_lib.errors import UserError
from poseur_lib.evaluation.ap import rank_people
from poseur_lib.evaluation.bootstrap import Scorer, bootstrap
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.evaluation.matches import Area, ImageMatches, image_matches
from poseur_lib.files import MODEL_FILE, write_atomically
from poseur_lib.keypoints import LSP_14, MPII_16
from poseur_lib.scoring.instance import Scoring
from poseur_study.analysis.effect import Effect
from poseur_study.analysis.interval import Estimate, Sample, estimate, weighted
from poseur_study.analysis.seed_model import ALIKE, Spread, pooled, trainings
from poseur_study.analysis.verdict import Evidence
from poseur_study.experiments.experiment import PCKH, ClaimTest, MeasuredColumn, Metric, Table
from poseur_study.experiments.profiles import COCO_VAL_IMAGES, LSP_VAL_IMAGES, MPII_VAL_PEOPLE, Profile
from poseur_study.runs.datasets import DataSet
from poseur_study.runs.evaluation_file import (
    BOOTSTRAP_SEED,
    RESAMPLES,
    RunEvaluation,
    image_weights,
    in_order_of_images,
)
from poseur_study.runs.evaluation_of_predictions import run_evaluation
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.provenance import source_digest
from poseur_study.runs.store import RunStore

AREAS: dict[str, Area] = {"AP_M": "medium", "AP_L": "large"}
NO_PREDICTIONS = "other scores ask for the full predictions, which are not here"
NO_DENSITY = "the flow's density is not in the record, and the weights are gone"

MEMORY = ".samples"
COMPUTED_BY = (
    "poseur_lib/evaluation", "poseur_lib/scoring", "poseur_lib/keypoints.py", "poseur_lib/data/annotations.py",
    "poseur_lib/data/coco.py", "poseur_lib/data/annotation_file.py", "poseur_lib/data/crop.py",
    "poseur_study/analysis/interval.py", "poseur_study/analysis/table_data.py", "poseur_study/runs/predictions.py",
    "poseur_study/runs/evaluation_of_predictions.py", "poseur_study/runs/evaluation_file.py",
)  # fmt: skip


def metric_sample(matches: Mapping[Area, ImageMatches], metric: Metric, n: int = RESAMPLES) -> Sample:
    """A metric on the images as they are, and on n resamples of them."""
    measure = "AP" if metric in AREAS else metric
    of_area = matches[AREAS.get(metric, "all")]
    return Sample(Scorer(of_area, measure)(), bootstrap(of_area, n, BOOTSTRAP_SEED, measure))


def pckh_sample(evaluation: RunEvaluation) -> Sample:
    """PCKh@0.5, joints weighted by their number, on the images as they are, and on the same resamples as AP.

    Raises:
        UserError: the run's people have no head boxes.
    """
    if evaluation.pckh is None:
        raise UserError("people without head boxes have no PCKh")
    hits = evaluation.pckh
    return Sample(float(hits.weighted()[0]), hits.weighted(image_weights(hits.labelled.shape[-1])))


def all_matches(evaluation: COCOeval) -> dict[Area, ImageMatches]:
    """The matches of an evaluation in every area range that a metric asks for."""
    return {area: image_matches(evaluation, area) for area in ("all", *AREAS.values())}


@dataclass(frozen=True, eq=False)
class TableData:
    """The rows of a table with what their runs have left: evaluations, matches, metrics, provenance.

    Attributes:
        runs: by row key and seed.
        overrides: the study's own changes to every row.
        device: where speeds are measured.
    """

    profile: Profile
    table: Table
    dataset: DataSet
    store: RunStore
    seeds: tuple[int, ...]
    runs: dict[tuple[str, int], PlannedRun]
    overrides: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"

    @property
    def n_images(self) -> int:
        """Images of the val split."""
        return self.dataset.val_images

    def run(self, row: str, seed: int) -> PlannedRun:
        """The run of a row, by its key or label, and a seed.

        Raises:
            UserError: there is no such row or it cannot be run, or the seed is none of the study's.
        """
        found = self.table.row(row)
        if found.not_run:
            raise UserError(f"row {row!r} of {self.table.name} is not run: {found.not_run}")
        if seed not in self.seeds:
            raise UserError(f"seed {seed} is none of this study's: {', '.join(map(str, self.seeds))}")
        return self.runs[found.key, seed]

    @cached_property
    def boxes(self) -> BoxSource:
        """The table's box source, or ground truth where neither data set nor records have detections."""
        there = detection_path(self.dataset.root, "val").exists() or any(
            self.store.record(run.run_id).of(self.table.boxes)
            for (key, seed), run in self.runs.items()
            if self._recorded(key, seed)
        )
        return self.table.boxes if there else BoxSource.GROUND_TRUTH

    @cached_property
    def evidence(self) -> Evidence:
        """What the results are worth.

        COCO, MPII and LSP count only as whole validation sets, and the first two with the paper's recipe and boxes: at
        a profile's full size, as declared, in the boxes that the table's figures are of.
        """
        if not self.profile.evidential:
            return Evidence.NONE
        if self.dataset.generated:
            return Evidence.GENERATED
        if self.dataset.keypoints_name == LSP_14.name:
            return Evidence.LSP if self.n_images >= LSP_VAL_IMAGES else Evidence.NONE
        if self.dataset.keypoints_name == MPII_16.name:
            complete = len(self.dataset.val.people()) == MPII_VAL_PEOPLE
        else:
            complete = self.n_images >= COCO_VAL_IMAGES
        whole = complete and self.profile.scaling is None and self.boxes == self.table.boxes
        return Evidence.RETRAINED if whole and self.as_declared else Evidence.NONE

    @property
    def as_declared(self) -> bool:
        """True if every run is what profile and table declare: nothing was overridden."""
        number, table, profile = self.table.number, self.table, self.profile
        return all(
            run.config == profile.experiment(seed, profile.of_table(number, table.changes(table.row(key))))
            for (key, seed), run in self.runs.items()
        )

    def done(self, *row_keys: str) -> tuple[int, ...]:
        """Seeds of which all these rows' runs are finished and hold what their scoring needs."""
        each = [(key, seed) for key in row_keys for seed in self.seeds]
        missing = {seed for key, seed in each if not self._recorded(key, seed) or self.lacks(key, seed)}
        return tuple(seed for seed in self.seeds if seed not in missing)

    def lacks(self, row_key: str, seed: int) -> str:
        """What a finished run does not hold that the row needs; "" if nothing."""
        scoring = self.table.row(row_key).scoring
        if scoring is None or not self._recorded(row_key, seed):
            return ""
        if not self.store.has_predictions(self.runs[row_key, seed].run_id):
            return NO_PREDICTIONS
        lacking = scoring == Scoring.FLOW and self.predictions(row_key, seed, self.boxes).flow_masses is None
        return NO_DENSITY if lacking else ""

    def _recorded(self, row_key: str, seed: int) -> bool:
        run = self.runs.get((row_key, seed))
        return run is not None and self.store.recorded_state(run.run_id).done

    @lru_cache(maxsize=64)  # noqa: B019 a table's data lives as long as its notebook
    def evaluation(self, row_key: str, seed: int) -> RunEvaluation:
        """What a row's run is judged by; of a run that was recorded without, it is made of its predictions."""
        run_id = self.runs[row_key, seed].run_id
        found = self.store.evaluation(run_id)
        if found is None:
            loaded = self.store.load(run_id)
            found = run_evaluation(self.dataset.val, loaded.predictions, loaded.record.config)
        return found

    @lru_cache(maxsize=8)  # noqa: B019
    def predictions(self, row_key: str, seed: int, boxes: BoxSource) -> PredictedPeople:
        """What a row's run has predicted; the flow's density comes from its weights where the record has none."""
        run = self.runs[row_key, seed]
        predictions = self.store.load(run.run_id).predictions[boxes]
        folder = self.store.path(run.run_id)
        needed = self.table.row(row_key).scoring == Scoring.FLOW and predictions.flow_masses is None
        if needed and (folder / MODEL_FILE).exists():
            return replace(predictions, flow_masses=trained_model(folder, run.config).head.flow_masses())
        return predictions

    @lru_cache(maxsize=2)  # noqa: B019
    def matching(self, row_key: str, seed: int, rule: InstanceRule | None = None) -> COCOeval:
        """pycocotools' matching of a row's run, by the table's boxes and the row's scores, not yet accumulated.

        Args:
            rule: for the score of a person; None: as the row has it.
        """
        scoring, scores = self.table.row(row_key).scoring, None
        if scoring is not None or rule is not None:
            predictions, config = self.predictions(row_key, seed, self.boxes), self.runs[row_key, seed].config
            ranked = rank_people(predictions, config, self.dataset.keypoints, scoring, rule, nms=False)
            scores = ranked.instance_scores[in_order_of_images(predictions)]
        return self.evaluation(row_key, seed).matching(self.boxes, scores)

    @lru_cache(maxsize=8)  # noqa: B019
    def matches(self, row_key: str, seed: int) -> dict[Area, ImageMatches]:
        """Which detections of a row's run found a person, by area range."""
        return all_matches(self.matching(row_key, seed))

    @lru_cache(maxsize=4096)  # noqa: B019
    def sample(self, row_key: str, seed: int, metric: MeasuredColumn) -> Sample:
        """A metric of a row's run, recomputed from its record, or as it was computed before from the same one."""
        if metric == PCKH:
            return pckh_sample(self.evaluation(row_key, seed))
        row, run = self.table.row(row_key), self.runs[row_key, seed]
        if row.scoring == Scoring.FLOW:  # may follow from the weights, of which the record has no digest
            return metric_sample(self.matches(row_key, seed), metric)
        key = {
            "run": run.run_id,
            "predictions": self.store.record(run.run_id).predictions_sha256,
            "data": self.dataset.fingerprint,
            "boxes": self.boxes,
            "scoring": row.scoring,
            "metric": metric,
            "resamples": [RESAMPLES, BOOTSTRAP_SEED],
        }
        return Sample.of(
            remembered(self.store.folder, key, lambda: metric_sample(self.matches(row_key, seed), metric).array)
        )

    def estimate(self, row_key: str, metric: MeasuredColumn) -> Estimate | None:
        """A row's metric, mean over its seeds; None where it was not run."""
        return estimate([self.sample(row_key, seed, metric) for seed in self.done(row_key)], self.n_images)

    def effect(self, claim: ClaimTest) -> Effect | None:
        """The claim's difference, or rise, over the seeds that all of its rows have."""
        weights, seeds = claim.weights, self.done(*claim.rows)
        each = [[self.sample(key, seed, claim.metric) for key in weights] for seed in seeds]
        found = estimate([weighted(weights.values(), samples) for samples in each], self.n_images)
        if found is None:
            return None
        return Effect.of(found, self.spreads(claim, seeds[0]))

    def spreads(self, claim: ClaimTest, seed: int) -> list[tuple[float, Spread]]:
        """How far trainings as long as the claim's are apart over seeds, by what they were trained on.

        All arms of the profile with as many epochs of as many people are pooled, on crops of one size or on whole
        images; the claim's rows alone where arms do not spread alike, or are too few. With each comes the sum of
        squared weights of the claim's trainings there. Nothing where no training is apart from another, or there is
        one seed. The records hold the runs' own scores: of rows that are scored in another way it is taken to be
        theirs.

        Args:
            seed: whose runs stand for the claim's arms.
        """
        every, found = self.trainings, []
        weights = claim.seeds_weights(lambda key: self.runs[key, seed].run_id)
        own = every[every["run_id"].isin(weights)]
        for _, arms in own.groupby(ALIKE, sort=False):
            like, alone = every[ALIKE].isin(arms[ALIKE].to_dict("list")).all(axis=1), every["arm"].isin(arms["arm"])
            spread = pooled(every[like], claim.metric)
            if spread is None or spread.unequal:
                spread = pooled(every[alone], claim.metric)
                if spread is not None and spread.arms < len(arms):
                    spread = None
            whole = sum(weights[run_id] for run_id in arms["run_id"])
            parts = self._unpaired(claim, arms, weights) if spread is None else {spread: whole}
            if not parts:
                return []
            found += [(weight, spread) for spread, weight in parts.items()]
        return found

    def _unpaired(self, claim: ClaimTest, arms: pd.DataFrame, weights: Mapping[str, float]) -> Mapping[Spread, float]:
        """Each row's own spread, as Welch has it; a row that ends at one number with every seed takes the widest."""
        every, found = self.trainings, Counter[Spread]()
        own = [pooled(every[every["arm"] == arm], claim.metric, seed_is_factor=False) for arm in arms["arm"]]
        widest = max((one for one in own if one), key=lambda one: one.deviation, default=None)
        for run_id, one in zip(arms["run_id"], own, strict=True):
            if widest is not None:
                found[one or widest] += weights[run_id]
        return found

    @cached_property
    def trainings(self) -> pd.DataFrame:
        """All trainings that the profile's folder has of this data set."""
        return trainings(self.store, self.dataset.fingerprint, self.boxes)

    def ap_under_rule(self, row_key: str, rule: InstanceRule) -> float | None:
        """A row's AP, mean over its seeds, with another rule for the score of a person."""
        evaluations = [self.matching(row_key, seed, rule) for seed in self.done(row_key)]
        values = [Scorer(image_matches(one))() for one in evaluations]
        return float(np.mean(values)) if values else None

    def scores(self) -> pd.DataFrame:
        """Every detection of every finished run after OKS-NMS, a line each.

        Columns: row, seed, image (id), person (id of the annotation that the pose fits best; none where it has OKS of
        0.1 with nobody), OKS with that person, 0 to 1 (to a thousandth, 0 without one), and score, by which detections
        are ranked (only the order of a run's own scores is kept: 0 is the lowest).
        """
        columns = ["row", "seed", "image", "person", "OKS", "score"]
        lines = [
            (row.key, seed, *line)
            for row in self.table.runnable
            for seed in self.done(row.key)
            for line in _detections(self.matching(row.key, seed))
        ]
        return pd.DataFrame(lines, columns=columns).astype({"person": "Int64"})


def _detections(evaluation: COCOeval) -> Iterator[tuple[int, int | None, float, float]]:
    """Image, person, OKS and score of each detection."""
    (category,) = evaluation.params.catIds
    for image in evaluation.params.imgIds:
        people = [person["id"] for person in evaluation._gts[image, category]]
        found = sorted(evaluation._dts[image, category], key=lambda one: -one["score"])
        for place, one in enumerate(found[: evaluation.params.maxDets[-1]]):
            oks = evaluation.ious[image, category][place] if people else np.zeros(0)
            best = int(np.argmax(oks)) if np.any(oks) else None
            yield int(image), *((None, 0.0) if best is None else (people[best], float(oks[best]))), float(one["score"])


def remembered(
    runs: Path, key: Mapping[str, Any], compute: Callable[[], Float[np.ndarray, " n"]]
) -> Float[np.ndarray, " n"]:
    """The array of a key: read where it was computed before, else computed and kept.

    A file that cannot be read counts as none; a folder that cannot be written to goes without.
    """
    text = json.dumps({**key, "code": source_digest(*COMPUTED_BY)}, sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:24]
    file = runs / MEMORY / name[:2] / f"{name}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):
        return np.load(file, allow_pickle=False)
    array, content = compute(), io.BytesIO()
    np.save(content, array, allow_pickle=False)
    with contextlib.suppress(OSError):
        write_atomically(file, content.getvalue())
    return array
