"""How much AP and error wrong proposals cost with and without noisy reference points, which are to train for that.

`ShiftedModel` moves the coarse proposals of a trained model by a known length, `measure_shifts` says what AP and error
a run has for each length, `shifted` has that of a table's runs.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from poseur_lib.data.dataset import PoseBatch
from poseur_lib.evaluation.ap import evaluate_predictions
from poseur_lib.evaluation.bootstrap import Scorer, bootstrap
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.matches import image_matches
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.poses import PosePrediction
from poseur_study.analysis.measured_values import MeasuredValues, StoredSample
from poseur_study.experiments.analyses import SHIFTS
from poseur_study.measurements.measure import measure_rows
from poseur_study.measurements.trained_models import RowModel, study_runtime, val_crops
from poseur_study.runs.evaluation_file import BOOTSTRAP_SEED, RESAMPLES, image_weights
from poseur_study.runs.predictions import as_stored
from poseur_study.table_study import TableStudy


class ShiftedModel(PoseModel):
    """A Poseur model whose queries start beside their proposals, each by `length` in a random direction of its own.

    Directions follow from the seed and the order of the images alone: they are the same for every model and length.
    In the flip test the mirror image's proposals are moved by the mirrored shift, to the same place of the person.

    Args:
        model: whose backbone and head are used as they are.
        length: of the shift, in fractions of the crop (of its width along x, of its height along y).
    """

    def __init__(self, model: PoseModel, length: float, seed: int) -> None:
        super().__init__(backbone=model.backbone, head=model.head, flip_index=model.flip_index)
        self.length = length
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> PosePrediction:
        """Poses that started from shifted proposals."""
        return self.head.decode(self._started_beside(images, self._shift(images)))

    def predict_flipped(self, images: Float[Tensor, "B 3 H W"]) -> PosePrediction:
        """Flip test of such poses."""
        shift = self._shift(images)
        flip_index = torch.tensor(self.flip_index, device=images.device)
        mirrored = shift[:, flip_index] * torch.tensor([-1.0, 1.0], device=images.device)
        outputs = self._started_beside(images, shift), self._started_beside(images.flip(3), mirrored)
        return self.head.decode(self.head.merge_flipped(*outputs, flip_index))

    def _started_beside(self, images: Tensor, shift: Tensor) -> PosePrediction:
        return self.head.as_prediction(*self.head.forward_stages(self.backbone(images), shift=shift))

    def _shift(self, images: Tensor) -> Float[Tensor, "B K 2"]:
        directions = random_directions(len(images), len(self.flip_index), self.generator)
        return (self.length * directions).to(images.device)


def random_directions(count: int, num_keypoints: int, generator: torch.Generator) -> Float[Tensor, "B K 2"]:
    """Unit vectors, uniform over the circle."""
    angle = 2 * math.pi * torch.rand(count, num_keypoints, generator=generator)
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


SHIFT_SEED = 0


class ShiftedRun(MeasuredValues):
    """One run under shifted proposals.

    Attributes:
        shifts: in fractions of the crop.
        ap: for each shift, with the table's boxes and the run's own evaluation.
        stages: `start`, the shifted proposals, and decoder layers, in order.
        errors: for each shift and stage, mean distance of keypoints from their labels, per cent of the crop, at
            ground-truth boxes and in one pass without flip test.
    """

    shifts: tuple[float, ...]
    ap: tuple[StoredSample, ...]
    stages: tuple[str, ...]
    errors: tuple[tuple[StoredSample, ...], ...]

    def lines(self) -> Sequence[Mapping[str, Any]]:
        """A line a shift."""
        return [
            {"shift": shift, "AP": ap.value}
            | {f"error {stage} %": error.value for stage, error in zip(self.stages, errors, strict=True)}
            for shift, ap, errors in zip(self.shifts, self.ap, self.errors, strict=True)
        ]


def measure_shifts(study: TableStudy, of: RowModel, shifts: Sequence[float]) -> ShiftedRun:
    """Predict the val split again for every shift."""
    stages, errors = stage_errors(study, of, shifts)
    ap = []
    for shift in shifts:
        predictions = shifted_predictions(study, of, shift)
        evaluation = evaluate_predictions(study.dataset.val, predictions, of.run.config, of.row.scoring)
        matches = image_matches(evaluation)
        ap.append(StoredSample.of(Scorer(matches)(), bootstrap(matches, RESAMPLES, BOOTSTRAP_SEED)))
    return ShiftedRun(shifts=tuple(shifts), ap=tuple(ap), stages=stages, errors=errors)


def shifted_predictions(study: TableStudy, of: RowModel, shift: float) -> PredictedPeople:
    """What a run predicts from shifted proposals for the table's boxes, as its record would have it."""
    val = study.dataset.val
    people = val.people() if study.data.boxes == BoxSource.GROUND_TRUTH else val.detections()
    model = ShiftedModel(of.model, shift, SHIFT_SEED)
    return as_stored(predict_people(model, people, of.run.config, study_runtime(study)))


def stage_errors(
    study: TableStudy, of: RowModel, shifts: Sequence[float]
) -> tuple[tuple[str, ...], tuple[tuple[StoredSample, ...], ...]]:
    """Names of the stages, and for each shift and stage the mean error of labelled keypoints inside their crops."""
    images = study.dataset.val.image_ids
    place = np.searchsorted(images, [person.image_id for person in study.dataset.val.people()])
    distances, inside = stage_distances(of.model, val_crops(study, of), shifts, study_runtime(study).torch_device)
    number = np.bincount(place, weights=inside.sum(axis=1), minlength=len(images))
    weights = image_weights(len(images))

    def sample(distance: Float[np.ndarray, "P K"]) -> StoredSample:
        total = 100 * np.bincount(place, weights=(distance * inside).sum(axis=1), minlength=len(images))
        with np.errstate(invalid="ignore", divide="ignore"):
            return StoredSample.of(total.sum() / number.sum(), (weights @ total) / (weights @ number))

    stages = ("start", *(f"layer {layer}" for layer in range(1, distances.shape[1])))
    return stages, tuple(tuple(sample(stage) for stage in of_shift) for of_shift in distances)


@torch.inference_mode()
def stage_distances(
    model: PoseModel, crops: Iterable[PoseBatch], shifts: Sequence[float], device: torch.device
) -> tuple[Float[np.ndarray, "S T P K"], Bool[np.ndarray, "P K"]]:
    """Distance of every keypoint from its label, in fractions of the crop, for S shifts and T stages of P people.

    Stage 0 is the shifted proposal. The second result says which keypoints are labelled and inside their crop.
    """
    model.to(device).eval()
    generator = torch.Generator().manual_seed(SHIFT_SEED)
    parts, inside = [], []
    for batch in crops:
        features = model.backbone(batch.images.to(device))
        directions = random_directions(*batch.keypoints.shape[:2], generator).to(device)
        truth = batch.keypoints.to(device)
        of_batch = []
        for length in shifts:
            coarse, layers = model.head.forward_stages(features, shift=length * directions)
            points = [coarse.keypoints + length * directions, *(layer.keypoints for layer in layers)]
            of_batch.append(torch.stack([(one - truth).norm(dim=-1) for one in points]))
        parts.append(torch.stack(of_batch).cpu().numpy())
        inside.append(batch.inside.numpy())
    return np.concatenate(parts, axis=2), np.concatenate(inside)


def shifted(study: TableStudy) -> pd.DataFrame:
    """Every run of a table under every shift, where there are weights or it was measured before.

    Columns: row, seed, shift, measure (AP, or the stage whose error it is: `start`, `layer 1` onwards), value (AP, or
    per cent of the crop), sample (the same with its resamples, a `StoredSample`).
    """
    settings = {"shifts": list(SHIFTS), "seed": SHIFT_SEED, "resamples": RESAMPLES}
    found = measure_rows(study, "shifts", ShiftedRun, partial(measure_shifts, study, shifts=SHIFTS), settings)
    frame = found.frame(study, ("shift", "measure", "sample"), _lines)
    return frame.assign(value=[one.value for one in frame["sample"]]).astype({"shift": float, "value": float})


def _lines(of: ShiftedRun) -> Iterator[tuple[float, str, StoredSample]]:
    for shift, ap, errors in zip(of.shifts, of.ap, of.errors, strict=True):
        yield shift, "AP", ap
        yield from ((shift, stage, error) for stage, error in zip(of.stages, errors, strict=True))
