"""Keypoints outside the boxes that end-to-end models found (supp. Fig. 1), of runs whose predictions are here."""

import numpy as np
import pandas as pd

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.evaluation.outside_boxes import outside_boxes
from poseur_study.analysis.interval import Estimate, Sample, difference, estimate
from poseur_study.runs.evaluation import image_weights
from poseur_study.table_study import TableStudy

COLUMNS = ("row", "seed", "people", "outside", "placed outside, %", "near enough, %", "both, %", "sample")
POSEUR, HEATMAP = "poseur_resnet101", "mask_rcnn_resnet101"


def end_to_end(study: TableStudy) -> TableStudy:
    """Table 3 as far as it was run, of the same profile, seeds, data and folder of runs."""
    asked = study.settings
    return TableStudy("3", profile=asked.profile, seeds=asked.seeds, data=asked.data, runs=asked.runs, workers=0)


def outside_keypoints(study: TableStudy) -> pd.DataFrame:
    """A line a run of Table 3, with `COLUMNS`: people whose box was found, their labelled keypoints outside it, and
    what becomes of these; `sample` is the share of both, resampled by image.
    """
    found = []
    for key, label, seed in study.finished:
        if study.store.has_predictions(study.data.runs[key, seed].run_id):
            of = outside_boxes(study.data.predictions(key, seed, BoxSource.DETECTOR), study.dataset.val)
            weights = np.vstack([np.ones(len(of.people)), image_weights(len(of.people))])
            with np.errstate(invalid="ignore"):
                sample = Sample.of(100 * (weights @ of.found) / (weights @ of.labelled))
            outside = of.labelled.sum()
            shares = [100 * one.sum() / outside if outside else np.nan for one in (of.placed, of.near)]
            found.append((label, seed, of.people.sum(), outside, *shares, sample.value, sample))
    return pd.DataFrame(found, columns=list(COLUMNS))


def outside_difference(study: TableStudy, keypoints: pd.DataFrame) -> Estimate | None:
    """Poseur's share less the heatmaps', on the seeds that both have; None where there is none, or no head has learnt.

    Args:
        study: Table 3, which compares nothing before its detector finds people.
        keypoints: of `outside_keypoints`.
    """
    if not any(claim.effect for claim in study.result.claims):
        return None
    labels = [study.table.row(key).label for key in (POSEUR, HEATMAP)]
    samples = keypoints.pivot(index="seed", columns="row", values="sample").reindex(columns=labels).dropna()
    pairs = [difference(one, other) for one, other in samples.itertuples(index=False, name=None)]
    return estimate(pairs, study.data.n_images)
