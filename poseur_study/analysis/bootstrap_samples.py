"""What a table's results are computed from: the predictions of its rows' runs, scored, matched and resampled.

Resampled metrics that were computed before: a thousand bootstraps take minutes, to read them again a second.

A metric's resamples follow from what is in the key: the run and the digest of its predictions (which the verified
record has), box source, scoring, metric, resampling, and the version of the code that computes them.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from poseur_lib.checkpoints.checkpoint import trained_model
from poseur_lib.evaluation.ap import evaluate_predictions
from poseur_lib.evaluation.bootstrap import Scorer, bootstrap
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.evaluation.matches import Area, ImageMatches, image_matches
from poseur_lib.files import MODEL_FILE, write_atomically
from poseur_lib.scoring.instance import Scoring
from poseur_lib.scoring.uncertainty import masses_of
from poseur_study.experiments.experiment import Metric, Row, Table
from poseur_study.experiments.profiles import Profile
from poseur_study.runs.datasets import DataSet
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.provenance import source_digest
from poseur_study.runs.store import RunStore

FOLDER = ".samples"

COMPUTED_BY = (
    "poseur_lib/evaluation", "poseur_lib/scoring", "poseur_lib/keypoints.py", "poseur_lib/data/annotations.py",
    "poseur_lib/data/coco.py", "poseur_lib/data/crop.py", "poseur_study/analysis", "poseur_study/runs/predictions.py",
)  # fmt: skip


def remembered(
    runs: Path, key: Mapping[str, Any], compute: Callable[[], Float[np.ndarray, " n"]]
) -> Float[np.ndarray, " n"]:
    """The array of a key: read where it was computed before, else computed and kept.

    A file that cannot be read counts as none; a folder that cannot be written to goes without.
    """
    file = _file(runs, key)
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        pass
    array = compute()
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    try:
        write_atomically(file, content.getvalue())
    except OSError:
        pass
    return array


def _file(runs: Path, key: Mapping[str, Any]) -> Path:
    text = json.dumps({**key, "code": source_digest(*COMPUTED_BY)}, sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:24]
    return runs / FOLDER / name[:2] / f"{name}.npy"


RESAMPLES = 1000

BOOTSTRAP_SEED = 0

AREAS: dict[str, Area] = {"AP_M": "medium", "AP_L": "large"}

NO_DENSITY = "the flow's density is not in the record, and the weights are gone"


@dataclass(frozen=True, eq=False)
class Sample:
    """One metric of one row and seed: on the images as they are, and on each resample."""

    value: float
    draws: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Source:
    """Where a table's results come from; speeds are measured on `device`."""

    profile: Profile
    table: Table
    data: DataSet
    store: RunStore
    seeds: tuple[int, ...]
    runs: dict[tuple[str, int], PlannedRun]
    overrides: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"

    def done(self, row: Row) -> tuple[int, ...]:
        """Seeds of which the row's run is finished and holds what its scoring needs."""
        if row.not_run:
            return ()
        return tuple(seed for seed in self.seeds if self._recorded(row, seed) and not self.lacks(row, seed))

    def lacks(self, row: Row, seed: int) -> str:
        """What a finished run does not hold that the row needs; "" if nothing."""
        if row.scoring != Scoring.FLOW or not self._recorded(row, seed):
            return ""
        return "" if predictions_of(self, row.key, seed).flow_masses is not None else NO_DENSITY

    def _recorded(self, row: Row, seed: int) -> bool:
        return self.store.recorded_state(self.runs[row.key, seed].run_id).done


def box_source(source: Source) -> BoxSource:
    """The table's box source, or ground truth where the data set has no detector file."""
    file = source.data.root / "annotations" / "person_detections_val2017.json"
    return source.table.boxes if file.exists() else BoxSource.GROUND_TRUTH


@lru_cache(maxsize=8)
def predictions_of(source: Source, row_key: str, seed: int) -> PredictedPeople:
    """What a row's run has predicted; the flow's density comes from its weights where the record has none."""
    run = source.runs[row_key, seed]
    predictions = source.store.load(run.run_id).predictions[box_source(source)]
    folder = source.store.path(run.run_id)
    needed = source.table.row(row_key).scoring == Scoring.FLOW and predictions.flow_masses is None
    if needed and (folder / MODEL_FILE).exists():
        return replace(predictions, flow_masses=masses_of(trained_model(folder, run.config)))
    return predictions


@lru_cache(maxsize=8)
def _matches(source: Source, row_key: str, seed: int) -> dict[Area, ImageMatches]:
    row, config = source.table.row(row_key), source.runs[row_key, seed].config
    evaluation = evaluate_predictions(source.data.val, predictions_of(source, row_key, seed), config, row.scoring)
    return {area: image_matches(evaluation, area) for area in {"all", *AREAS.values()}}


@lru_cache(maxsize=4096)
def sample(source: Source, row_key: str, seed: int, metric: Metric) -> Sample:
    """A metric of a row's run, recomputed from its record, or as it was computed before from the same one."""
    row, run = source.table.row(row_key), source.runs[row_key, seed]
    if row.scoring == Scoring.FLOW:  # may follow from the weights, of which the record has no digest
        return _computed(source, row_key, seed, metric)
    key = {
        "run": run.run_id,
        "predictions": source.store.record(run.run_id).predictions_sha256,
        "data": source.data.fingerprint,
        "boxes": box_source(source),
        "scoring": row.scoring,
        "metric": metric,
        "resamples": [RESAMPLES, BOOTSTRAP_SEED],
    }
    flat = remembered(source.store.folder, key, lambda: _flat(_computed(source, row_key, seed, metric)))
    return Sample(float(flat[0]), flat[1:])


def _flat(computed: Sample) -> Float[np.ndarray, " n"]:
    return np.concatenate([[computed.value], computed.draws])


def _computed(source: Source, row_key: str, seed: int, metric: Metric) -> Sample:
    matches = _matches(source, row_key, seed)[AREAS.get(metric, "all")]
    measure = "AP" if metric in AREAS else metric
    return Sample(Scorer(matches, measure)(), bootstrap(matches, RESAMPLES, BOOTSTRAP_SEED, measure))
