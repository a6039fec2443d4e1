"""Self-attention between the keypoints of a run's model: of some people, and on average over the val split."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int

from poseur_lib.config.base import Frozen
from poseur_lib.data.coco import Person
from poseur_lib.data.crop import box_to_center_scale, keypoints_to_image
from poseur_lib.evaluation.attention import (
    chance_share,
    named_only,
    neighbours_and_partners,
    quasi_independent,
    related_share,
    weights_on_others,
)
from poseur_lib.keypoints import KeypointSet
from poseur_lib.models.poseur.head import PoseurHead
from poseur_study.analysis.measured_values import MeasuredValues, StoredSample
from poseur_study.experiments.analyses import DEFAULT_ROW, RELATED, RELATION_CLAIM, SHOULDER, SHOULDER_CLAIM
from poseur_study.measurements.measure import Measurements, measure_rows
from poseur_study.measurements.trained_models import RowModel, study_runtime, val_crops
from poseur_study.runs.evaluation_file import RESAMPLES, once_and_resampled
from poseur_study.table_study import TableStudy

PEOPLE_SHOWN = 3

Matrix = tuple[tuple[float, ...], ...]


class AttendingPerson(Frozen):
    """One person: predicted keypoints, (x, y) in [0, 1] of the crop, and the weights of every layer."""

    annotation_id: int
    keypoints: Matrix
    layers: tuple[Matrix, ...]


class AttentionRun(MeasuredValues):
    """One run's self-attention, mean over heads.

    Attributes:
        layers: mean over the people of the val split of each layer passed, rows attend to columns.
        shares: by measure, per cent of the weight on others that goes to related keypoints: of each layer, and last
            their mean.
        whoever: by measure, the same if a keypoint took of others as all do (`quasi_independent`).
        chance: by measure, the same with equal weights.
        mean_pose: mean of the predicted keypoints over the val split, in [0, 1] of the crop.
    """

    layers: tuple[Matrix, ...]
    shares: dict[str, tuple[StoredSample, ...]]
    whoever: dict[str, tuple[StoredSample, ...]]
    chance: dict[str, float]
    mean_pose: Matrix
    people: tuple[AttendingPerson, ...]

    def lines(self) -> Sequence[Mapping[str, Any]]:
        """A line a weight."""
        return [
            {"layer": number, "from": row, "to": column, "weight": weight}
            for number, layer in enumerate(self.layers, 1)
            for row, weights in enumerate(layer)
            for column, weight in enumerate(weights)
        ]


def self_attention(study: TableStudy) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Every run of a table, where there are weights or it was measured before: mean weights, shares, and some people.

    Columns of the first: row, seed, layer, from, to, weight (mean over people and heads), x and y (of `to` in the mean
    pose, in [0, 1] of the crop). Of the second: row, seed, related (which keypoints, by the claim's key), layer (their
    mean last), share (per cent of the weight on others that goes to related keypoints) and whoever (the same if a
    keypoint took of others as all do), both `StoredSample`, and equal (the same with equal weights). Of the third:
    as the first of each person (id of the annotation), x and y in pixels of its image.
    """
    found = measure_rows(study, "attention", AttentionRun, partial(measure_attention, study), {"resamples": RESAMPLES})
    names, people = study.dataset.keypoints.names, _crops(study, found)
    weight = ("layer", "from", "to", "weight", "x", "y")
    weights = found.frame(study, weight, lambda run: _weight_lines(run.layers, np.array(run.mean_pose), names))
    shares = found.frame(study, ("related", "layer", "share", "whoever", "equal"), _share_lines)
    shown = found.frame(study, ("person", *weight), lambda run: _people_lines(run, people, names))
    return weights, shares, shown


def _weight_lines(
    layers: Sequence[Matrix], points: Float[np.ndarray, "K 2"], names: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    for number, layer in enumerate(layers, 1):
        for source, row in zip(names, layer, strict=True):
            for target, weight, (x, y) in zip(names, row, points, strict=True):
                yield number, source, target, weight, float(x), float(y)


def _share_lines(run: AttentionRun) -> Iterator[tuple[Any, ...]]:
    for name, shares in run.shares.items():
        for number, (share, whoever) in enumerate(zip(shares, run.whoever[name], strict=True), 1):
            layer = "mean" if number == len(shares) else f"layer {number}"
            yield name, layer, share, whoever, run.chance[name]


def _crops(study: TableStudy, found: Measurements[AttentionRun]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Centre and scale of the crop of each person that is kept."""
    shown = {one.annotation_id for run in found.of.values() for one in run.people}
    size, rule = study.configs[DEFAULT_ROW].data.input_size, PoseurHead.crop_rule
    people = study.dataset.val.people() if shown else []
    return {one.annotation_id: box_to_center_scale(one.box, size, rule) for one in people if one.annotation_id in shown}


def _people_lines(
    run: AttentionRun, crops: Mapping[int, tuple[np.ndarray, np.ndarray]], names: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    for one in run.people:
        if one.annotation_id in crops:
            center, box_scale = crops[one.annotation_id]
            pose = keypoints_to_image(np.array([one.keypoints], np.float32), center[None], box_scale[None])[0]
            yield from ((one.annotation_id, *line) for line in _weight_lines(one.layers, pose, names))


def measures(keypoints: KeypointSet) -> dict[str, Bool[np.ndarray, "K K"]]:
    """Which keypoints are related, by the claim that says so."""
    return {
        SHOULDER_CLAIM: named_only(keypoints, {SHOULDER: RELATED}),
        RELATION_CLAIM: neighbours_and_partners(keypoints),
    }


@torch.inference_mode()
def measure_attention(study: TableStudy, of: RowModel) -> AttentionRun:
    """One pass over the val split's labelled people."""
    device = study_runtime(study).torch_device
    model = of.model.to(device).eval()
    weights, poses = [], []
    for batch in val_crops(study, of):
        explanation = model.explain(batch.images.to(device))
        layers = [layer.self_attention.mean(dim=1) for layer in explanation.layers]
        weights.append(torch.stack(layers, dim=1).float().cpu().numpy())
        poses.append(explanation.prediction.keypoints.float().cpu().numpy())
    return attention_run(study, np.concatenate(weights), np.concatenate(poses))


def attention_run(
    study: TableStudy, weights: Float[np.ndarray, "P N K K"], poses: Float[np.ndarray, "P K 2"]
) -> AttentionRun:
    """What is kept of P people's weights in N layers."""
    people, keypoints = study.dataset.val.people(), study.dataset.val.keypoints
    images = study.dataset.val.image_ids
    place = np.searchsorted(images, [person.image_id for person in people])
    related = {name: pairs for name, pairs in measures(keypoints).items() if pairs.any()}
    shown = people_shown(people)
    means = _resampled_means(weights, place, len(images))
    return AttentionRun(
        layers=tuple(matrix(layer, 5) for layer in weights.mean(axis=0)),
        shares={name: _shares(means, pairs) for name, pairs in related.items()},
        whoever={name: _shares(quasi_independent(means), pairs) for name, pairs in related.items()},
        chance={name: 100 * chance_share(pairs) for name, pairs in related.items()},
        mean_pose=matrix(poses.mean(axis=0), 4),
        people=tuple(
            AttendingPerson(
                annotation_id=people[index].annotation_id,
                keypoints=matrix(poses[index], 4),
                layers=tuple(matrix(layer, 4) for layer in weights[index]),
            )
            for index in shown
        ),
    )


def people_shown(people: Sequence[Person]) -> list[int]:
    """Some people, evenly spaced among the tenth with most visible keypoints; of those with as many, the largest."""
    rank = [((person.visibility == 2).sum(), person.area) for person in people]
    best = sorted(range(len(people)), key=lambda index: rank[index], reverse=True)
    best = sorted(best[: max(PEOPLE_SHOWN, len(people) // 10)])
    places = np.linspace(0, len(best) - 1, min(PEOPLE_SHOWN, len(best)))
    return [best[int(place)] for place in places.round()]


def matrix(values: Float[np.ndarray, "R C"], digits: int) -> Matrix:
    """Rounded, as it is stored."""
    return tuple(tuple(round(float(value), digits) for value in row) for row in values)


def _resampled_means(
    weights: Float[np.ndarray, "P N K K"], place: Int[np.ndarray, "P"], images: int
) -> Float[np.ndarray, "n N K K"]:
    """Mean over people of what keypoints take of others: on the images as they are, and on each resample of them."""
    total = np.zeros((images, *weights.shape[1:]))
    np.add.at(total, place, weights_on_others(weights.astype(np.float64)))
    number = np.bincount(place, minlength=images)
    counts = once_and_resampled(images)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.tensordot(counts, total, axes=1) / (counts @ number)[:, None, None, None]


def _shares(means: Float[np.ndarray, "n N K K"], related: Bool[np.ndarray, "K K"]) -> tuple[StoredSample, ...]:
    """Per cent of each layer, and of their mean."""
    by_layer = 100 * related_share(means, related)
    columns = np.column_stack([by_layer, by_layer.mean(axis=1)]).T
    return tuple(StoredSample.of(value, draws) for value, *draws in columns)
