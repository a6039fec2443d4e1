"""How far keypoints are from their labels after the coarse stage and after each decoder layer, by how wrong it began.

Weights are needed; what was measured stays in the table's folder. Poses at ground-truth boxes, one pass without flip
test, labelled keypoints inside their crops.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from poseur_study.analysis.measured_values import MeasuredValues
from poseur_study.measurements.measure import measure_rows
from poseur_study.measurements.trained_models import RowModel, study_runtime, val_crops
from poseur_study.table_study import TableStudy

EDGES = (0.0, 2.0, 5.0, 10.0, 100.0)
"""Of the bins of the first stage's error, per cent of the crop."""
BINS = ("below 2 %", "2 to 5 %", "5 to 10 %", "over 10 %")


class LayerErrors(MeasuredValues):
    """One run's mean distances, per cent of the crop.

    Attributes:
        stages: `coarse` (where the head has that stage) and `layer 1` onwards, in order.
        keypoints: in each bin of the first stage's error.
        distance: of each stage and bin.
        nearer: per cent of the keypoints of each stage and bin that are nearer to their label than after the first.
    """

    stages: tuple[str, ...]
    keypoints: tuple[int, ...]
    distance: tuple[tuple[float, ...], ...]
    nearer: tuple[tuple[float, ...], ...]

    def lines(self) -> Sequence[Mapping[str, Any]]:
        """A line a stage and bin that has keypoints."""
        return [
            {"stage": stage, "began": began, "keypoints": self.keypoints[column],
             "distance": self.distance[row][column], "nearer": self.nearer[row][column]}
            for row, stage in enumerate(self.stages)
            for column, began in enumerate(BINS)
            if self.keypoints[column]
        ]  # fmt: skip


def layer_errors(study: TableStudy) -> pd.DataFrame:
    """What was measured of a table's rows: row, seed, stage, began, keypoints, distance, nearer.

    `began` is the bin of the first stage's error, `distance` the mean distance from the label (% of the crop), `nearer`
    the share of keypoints (%) that are nearer to it than after the first stage. `attrs["missing"]` says which runs were
    not measured, and why.
    """
    found = measure_rows(study, "layer_errors", LayerErrors, partial(measure_layers, study))
    columns = ("stage", "began", "keypoints", "distance", "nearer")
    frame = found.frame(study, columns, lambda values: [tuple(line.values()) for line in values.lines()])
    frame["began"] = pd.Categorical(frame["began"], BINS)
    return frame.astype({"distance": float, "nearer": float})


@torch.inference_mode()
def measure_layers(study: TableStudy, of: RowModel) -> LayerErrors:
    """Predict the val split once, every stage looked at."""
    device = study_runtime(study).torch_device
    model, parts = of.model.to(device).eval(), []
    for batch in val_crops(study, of):
        coarse, layers = model.head.forward_stages(model.backbone(batch.images.to(device)))
        stages = [*([] if coarse is None else [coarse]), *layers]
        distance = torch.stack([(one.keypoints - batch.keypoints.to(device)).norm(dim=-1) for one in stages]).cpu()
        parts.append(100 * distance[:, batch.inside].numpy())
    distance = np.concatenate(parts, axis=1)
    first = np.digitize(distance[0], EDGES[1:-1])
    chosen = [first == column for column in range(len(BINS))]
    names = ("coarse", *(f"layer {number}" for number in range(1, len(distance) + 1)))
    nearer = distance < distance[0]
    return LayerErrors(
        stages=names[: len(distance)] if coarse is not None else names[1:],
        keypoints=tuple(int(one.sum()) for one in chosen),
        distance=tuple(tuple(_mean(stage[one]) for one in chosen) for stage in distance),
        nearer=tuple(tuple(100 * _mean(stage[one]) for one in chosen) for stage in nearer),
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
