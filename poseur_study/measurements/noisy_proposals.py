"""AP and error of a run whose coarse proposals are moved at inference, by the length of the shift."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from poseur_lib.data.dataset import PoseBatch
from poseur_lib.evaluation.bootstrap import Scorer, bootstrap, resamples
from poseur_lib.evaluation.dataset_predictions import PosePredictions
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.matches import image_matches
from poseur_lib.evaluation.rescore import match, scored
from poseur_lib.models.pose_model import PoseModel
from poseur_study.analysis.bootstrap_samples import BOOTSTRAP_SEED, RESAMPLES, box_source
from poseur_study.analysis.measured_values import MeasuredValues, StoredSample
from poseur_study.measurements.shifted import ShiftedModel, random_directions
from poseur_study.measurements.trained_models import RowModel, study_runtime, val_crops
from poseur_study.runs.predictions import BoxSource, as_stored
from poseur_study.table_study import TableStudy

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
        scored_predictions = scored(predictions, of.run.config, of.row.scoring)
        matches = image_matches(match(study.data.val, scored_predictions, of.run.config))
        ap.append(StoredSample.of(Scorer(matches)(), bootstrap(matches, RESAMPLES, BOOTSTRAP_SEED)))
    return ShiftedRun(shifts=tuple(shifts), ap=tuple(ap), stages=stages, errors=errors)


def shifted_predictions(study: TableStudy, of: RowModel, shift: float) -> PosePredictions:
    """What a run predicts from shifted proposals for the table's boxes, as its record would have it."""
    val = study.data.val
    people = val.people() if box_source(study.source) == BoxSource.GROUND_TRUTH else val.detections()
    model = ShiftedModel(of.model, shift, SHIFT_SEED)
    return as_stored(predict_people(model, people, of.run.config, study_runtime(study)))


def stage_errors(
    study: TableStudy, of: RowModel, shifts: Sequence[float]
) -> tuple[tuple[str, ...], tuple[tuple[StoredSample, ...], ...]]:
    """Names of the stages, and for each shift and stage the mean error of labelled keypoints inside their crops."""
    images = sorted(int(image) for image in study.data.val.coco.getImgIds())
    place = np.searchsorted(images, [person.image_id for person in study.data.val.people()])
    distances, inside = stage_distances(of.model, val_crops(study, of), shifts, study_runtime(study).torch_device)
    number = np.bincount(place, weights=inside.sum(axis=1), minlength=len(images))
    weights = np.stack(list(resamples(len(images), RESAMPLES, BOOTSTRAP_SEED)))

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
            coarse, layers = model.head.stages(features, shift=length * directions)
            points = [coarse.keypoints + length * directions, *(layer.keypoints for layer in layers)]
            of_batch.append(torch.stack([(one - truth).norm(dim=-1) for one in points]))
        parts.append(torch.stack(of_batch).cpu().numpy())
        inside.append(batch.inside.numpy())
    return np.concatenate(parts, axis=2), np.concatenate(inside)
