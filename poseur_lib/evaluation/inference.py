"""From people to predictions: crops, forward passes, flip test."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.data.coco import Person
from poseur_lib.data.dataset import PoseCrops, ReadImage
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.keypoints import keypoint_set
from poseur_lib.runtime import InferenceRuntime

AUTOCAST = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}


@torch.inference_mode()
def predict_people(
    model: nn.Module,
    people: Sequence[Person],
    config: ExperimentConfig,
    runtime: InferenceRuntime,
    read: ReadImage | None = None,
) -> PredictedPeople:
    """One pose for every box of `people`, in their order; the model is left in evaluation mode on the run's device.

    Args:
        config: whose crop size, flip test and batch are used.
        read: gives the image of a person's `image_path`; None reads the files.

    Raises:
        UserError: an image cannot be read.
    """
    device = runtime.torch_device
    model.to(device).eval()
    keypoints = keypoint_set(config.data.keypoint_set)
    crops = PoseCrops(people, keypoints, config.data.input_size, model.head.crop_rule, None, seed=0, read=read)
    loader = DataLoader(
        crops,
        batch_size=config.evaluation.batch,
        num_workers=runtime.loader_workers,
        pin_memory=device.type == "cuda",
    )
    predict = model.predict_flipped if config.evaluation.flip_test else model
    parts: list[tuple[np.ndarray | None, ...]] = []
    for batch in loader:
        crop_images = batch.images.to(device, non_blocking=True)
        with torch.autocast(device.type, AUTOCAST.get(runtime.precision), enabled=runtime.precision in AUTOCAST):
            pose = predict(crop_images)
        tensors = (pose.keypoints, pose.keypoint_scores, pose.sigma, batch.center, batch.box_scale)
        parts.append(tuple(None if x is None else x.float().cpu().numpy() for x in tensors))
    count = keypoints.num_keypoints
    points, scores, sigma, center, box_scale = _joined(parts, count)
    return PredictedPeople(
        image_id=np.array([person.image_id for person in people], np.int64),
        bbox_scores=np.array([person.bbox_score for person in people], np.float32),
        center=center,
        box_scale=box_scale,
        keypoints=points,
        sigma=sigma,
        keypoint_scores=scores,
        input_size=config.data.input_size,
    )


def _joined(parts: list[tuple[np.ndarray | None, ...]], num_keypoints: int) -> tuple[np.ndarray | None, ...]:
    if not parts:
        shapes = ((0, num_keypoints, 2), (0, num_keypoints), (0, num_keypoints, 2), (0, 2), (0, 2))
        return tuple(np.zeros(shape, np.float32) for shape in shapes)
    return tuple(None if column[0] is None else np.concatenate(column) for column in zip(*parts, strict=True))
