"""Keypoints outside the boxes that end-to-end models found (supp. Fig. 1), of runs whose predictions are here."""

import numpy as np
import pandas as pd

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.evaluation.outside_boxes import outside_boxes
from poseur_study.analysis.effect import Effect
from poseur_study.analysis.interval import Estimate, Sample, difference, estimate
from poseur_study.runs.evaluation_file import once_and_resampled
from poseur_study.table_study import TableStudy

SHOWN = ("people", "outside", "placed outside, %", "near enough, %", "both, %")
COLUMNS = ("row", "seed", *SHOWN, "near sample", "both sample")
POSEUR, HEATMAP = "poseur_resnet101", "mask_rcnn_resnet101"


def end_to_end(study: TableStudy) -> TableStudy:
    """Table 3 as far as it was run, of the same profile, seeds, data and folder of runs."""
    asked = study.settings
    return TableStudy("3", profile=asked.profile, seeds=asked.seeds, data=asked.data, runs=asked.runs, workers=0)


def outside_keypoints(study: TableStudy) -> pd.DataFrame:
    """A line a run of Table 3, with `COLUMNS`: people whose box was found, their labelled keypoints outside it, and
    what becomes of these; the samples are the last two shares, resampled by image.
    """
    found = []
    for key, label, seed in study.finished:
        if study.store.has_predictions(study.data.runs[key, seed].run_id):
            of = outside_boxes(study.data.predictions(key, seed, BoxSource.DETECTOR), study.dataset.val)
            weights = once_and_resampled(len(of.people))
            with np.errstate(invalid="ignore"):
                placed, near, both = (
                    Sample.of(100 * (weights @ one) / (weights @ of.labelled)) for one in (of.placed, of.near, of.found)
                )
            shares = (placed.value, near.value, both.value)
            found.append((label, seed, of.people.sum(), of.labelled.sum(), *shares, near, both))
    return pd.DataFrame(found, columns=list(COLUMNS))


def outside_difference(study: TableStudy, keypoints: pd.DataFrame, share: str = "both") -> Estimate | None:
    """Poseur's share less the heatmaps', on the seeds that both have; None where there is none, or no head has learnt.

    Heatmaps place nothing outside a box, so that they cannot win by `both`. Each model is judged by its own boxes: the
    keypoints outside them are not the same.

    Args:
        study: Table 3, which compares nothing before its detector finds people.
        keypoints: of `outside_keypoints`.
        share: `both` (placed outside the box and near enough) or `near` (near enough, from wherever).
    """
    if not any(claim.effect for claim in study.result.claims):
        return None
    labels = [study.table.row(key).label for key in (POSEUR, HEATMAP)]
    samples = keypoints.pivot(index="seed", columns="row", values=f"{share} sample").reindex(columns=labels).dropna()
    pairs = [difference(one, other) for one, other in samples.itertuples(index=False, name=None)]
    return estimate(pairs, study.data.n_images)


def outside_differences(study: TableStudy, keypoints: pd.DataFrame) -> pd.DataFrame:
    """`outside_difference` by either share, with the interval that decides claims: value, low and high."""
    shares = {"placed outside and near enough": "both", "near enough, from wherever": "near"}
    found = {words: outside_difference(study, keypoints, share) for words, share in shares.items()}
    effects = {words: Effect.of(one) for words, one in found.items() if one is not None}
    lines = {words: (one.value, one.low, one.high) for words, one in effects.items()}
    frame = pd.DataFrame.from_dict(lines, orient="index", columns=["value", "low", "high"], dtype=float)
    return frame.rename_axis("Poseur minus heatmaps, points")
