"""AP in boxes that were moved, of data sets whose boxes are made of their labels: what such boxes tell of the pose.

LSP's boxes are the extent of the labelled joints and a margin, so that the outermost joints lie at fixed places of
every crop. Here each corner is moved as the simulated detector of the generated people moves it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from poseur_lib.data.coco import Person
from poseur_lib.evaluation.ap import evaluate_predictions
from poseur_lib.evaluation.bootstrap import Scorer, bootstrap
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.matches import image_matches
from poseur_study.analysis.measured_values import MeasuredValues, StoredSample
from poseur_study.analysis.table_data import BOOTSTRAP_SEED, RESAMPLES
from poseur_study.experiments.budget import ARMS, METHODS
from poseur_study.measurements.measure import measure_rows
from poseur_study.measurements.trained_models import RowModel, study_runtime
from poseur_study.runs.predictions import as_stored
from poseur_study.table_study import TableStudy

SPREADS = (0.0, 0.03, 0.1)
"""Standard deviations of a corner's coordinates, in sides of the box; the second is the simulated detector's."""
SEED = 0


class MovedBoxes(MeasuredValues):
    """AP of one run for each of the spreads."""

    ap: tuple[StoredSample, ...]

    def lines(self) -> Sequence[Mapping[str, Any]]:
        """A line a spread."""
        return [{"spread": spread, "AP": ap.value} for spread, ap in zip(SPREADS, self.ap, strict=True)]


def moved_boxes(study: TableStudy) -> pd.DataFrame:
    """The methods of the budget study in moved boxes, where there are weights or they were measured before.

    Columns: row, seed, spread (of `SPREADS`), sample (AP with its resamples, a `StoredSample`). Empty where a
    detector's boxes are judged, which are nobody's labels.
    """
    if study.data.boxes != BoxSource.GROUND_TRUTH:
        return pd.DataFrame(columns=["row", "seed", "spread", "sample"])
    settings = {"spreads": list(SPREADS), "seed": SEED, "resamples": [RESAMPLES, BOOTSTRAP_SEED]}
    methods = [ARMS[key][0] for key in METHODS]
    rows = [row for row in study.table.rows if row.ticks[0] in methods and row.scoring is None]
    found = measure_rows(study, "moved_boxes", MovedBoxes, partial(measure_moved, study), settings, rows)
    return found.frame(study, ("spread", "sample"), _lines).astype({"spread": float})


def _lines(of: MovedBoxes) -> Iterator[tuple[float, StoredSample]]:
    return zip(SPREADS, of.ap, strict=True)


def measure_moved(study: TableStudy, of: RowModel) -> MovedBoxes:
    """Predict the val split's labelled people again for every spread; the same boxes for all models."""
    people, runtime, found = study.dataset.val.people(), study_runtime(study), []
    for spread in SPREADS:
        poses = as_stored(predict_people(of.model, move_boxes(people, spread, SEED), of.run.config, runtime))
        matches = image_matches(evaluate_predictions(study.dataset.val, poses, of.run.config, of.row.scoring))
        found.append(StoredSample.of(Scorer(matches)(), bootstrap(matches, RESAMPLES, BOOTSTRAP_SEED)))
    return MovedBoxes(ap=tuple(found))


def move_boxes(people: Sequence[Person], spread: float, seed: int) -> list[Person]:
    """People whose boxes' corners are moved by a normal deviate each.

    Args:
        spread: its standard deviation, in sides of the box.
    """
    deviates = (spread * np.random.default_rng(seed).standard_normal((len(people), 4))).tolist()
    moved = []
    for person, (left, top, right, bottom) in zip(people, deviates, strict=True):
        x, y, width, height = person.box
        corner = x + left * width, y + top * height
        moved.append(replace(person, box=(*corner, width * (1 + right - left), height * (1 + bottom - top))))
    return moved
