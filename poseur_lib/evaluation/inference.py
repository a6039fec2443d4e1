"""From people to predictions: crops, forward passes, flip test."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.cuda_graph import cuda_graph
from poseur_lib.data.batches import Loader, people_batches, reading
from poseur_lib.data.coco import Person
from poseur_lib.data.crop import CropRule
from poseur_lib.data.dataset import PoseCrops, ReadImage
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.recorded_inference import RecordedInference, filled_up, plain_pass, recordings_of
from poseur_lib.keypoints import keypoint_set
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.runtime import AUTOCAST, InferenceRuntime, keep_freed_memory


def recordings(model: PoseModel, runtime: InferenceRuntime) -> RecordedInference | None:
    """Where passes are recorded; None where the network runs step by step.

    Its weights have to be where they stay.
    """
    on_gpu = runtime.torch_device.type == "cuda"
    return recordings_of(model, cuda_graph) if runtime.way == "graph" and on_gpu and model.recordable else None


def inference_batches(
    people: Sequence[Person],
    config: ExperimentConfig,
    rule: CropRule,
    runtime: InferenceRuntime,
    read: ReadImage | None = None,
    cache_bytes: int = 0,
) -> Loader:
    """The crops of `people` in batches, without augmentation; they can be gone through many times.

    Args:
        cache_bytes: decoded images that each reading process keeps, where they are not kept on the device.

    Raises:
        UserError: the images are asked for on the device and do not fit, or one cannot be read.
    """
    keypoints = keypoint_set(config.data.keypoint_set)
    crops = PoseCrops(people, keypoints, config.data.input_size, rule, None, 0, cache_bytes, read)
    return people_batches(crops, config.evaluation.batch, runtime)


@torch.no_grad()  # in inference mode, autocast casts a weight each time that it is used
def predict_people(
    model: PoseModel,
    people: Sequence[Person],
    config: ExperimentConfig,
    runtime: InferenceRuntime,
    read: ReadImage | None = None,
    batches: Loader | None = None,
) -> PredictedPeople:
    """One pose for every box of `people`, in their order; the model is left in evaluation mode on the run's device.

    Args:
        config: whose crop size, flip test and batch are used.
        read: gives the image of a person's `image_path`; None reads the files, or keeps them on the device.
        batches: those of `people`, where they were made before; None makes them (`inference_batches`).

    Raises:
        UserError: an image cannot be read.
    """
    if batches is None:
        with reading(inference_batches(people, config, model.head.crop_rule, runtime, read)) as own:
            return predict_people(model, people, config, runtime, read, own)
    device = runtime.torch_device
    keep_freed_memory(device.type)
    model.to(device).eval()
    keypoints = keypoint_set(config.data.keypoint_set)
    predict = model.predict_flipped if config.evaluation.flip_test else model
    count = keypoints.num_keypoints
    empty = {"keypoints": (0, count, 2), "keypoint_scores": (0, count), "center": (0, 2), "box_scale": (0, 2)}
    found = {name: [np.zeros(shape, np.float32)] for name, shape in empty.items()}
    dtype = AUTOCAST.get(runtime.precision, torch.float32)
    recorded = recordings(model, runtime)
    with runtime.on_device():
        for batch in batches:
            images = batch.images.to(device, non_blocking=True)
            if recorded is not None:
                pose = recorded(predict, images, dtype)
            elif runtime.way == "inductor":  # torch compiles for each size anew
                pose = plain_pass(predict, filled_up(images), dtype).first(len(images))
            else:
                pose = plain_pass(predict, images, dtype)
            values = {"keypoints": pose.keypoints, "keypoint_scores": pose.keypoint_scores, "sigma": pose.sigma,
                      "center": batch.center, "box_scale": batch.box_scale}  # fmt: skip
            for name, value in values.items():
                if value is not None:
                    found.setdefault(name, []).append(value.float().cpu().numpy())
    joined: dict[str, Any] = {name: np.concatenate(parts) for name, parts in found.items()}
    return PredictedPeople(
        image_id=np.array([person.image_id for person in people], np.int64),
        bbox_scores=np.array([person.bbox_score for person in people], np.float32),
        input_size=config.data.input_size,
        **({"sigma": None} | joined),
    )
