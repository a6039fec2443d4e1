"""From whole images to poses, by a model that finds the people itself, or in boxes that are given."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from poseur_lib.config.data import DataConfig
from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.data.coco import CocoPeople, Person
from poseur_lib.data.crop import PIXELS_PER_SCALE
from poseur_lib.data.dataset import ReadImage, image_reader, normalise, require_size
from poseur_lib.data.images import read_labelled_image
from poseur_lib.data.whole_images import (
    PIXEL_CENTRE,
    Shown,
    by_short_side,
    labelled_images,
    shown_image,
)
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.models.build import Network
from poseur_lib.models.end_to_end.model import EndToEndModel, View
from poseur_lib.poses import PosePrediction
from poseur_lib.runtime import AUTOCAST, InferenceRuntime, keep_freed_memory

Pixels = UInt8[np.ndarray, "height width 3"]


class FoundPeople(NamedTuple):
    """The people of one image.

    Attributes:
        boxes: (left, top, right, bottom) in pixels of the image, continuous.
        bbox_scores: the detector's; 1 for boxes that were given.
        poses: in [0, 1] of the boxes.
    """

    boxes: Float[np.ndarray, "N 4"]
    bbox_scores: Float[np.ndarray, " N"]
    poses: PosePrediction


@torch.inference_mode()
def people_of_image(
    model: EndToEndModel,
    image: Pixels,
    config: ExperimentConfig,
    runtime: InferenceRuntime,
    boxes: Float[np.ndarray, "N 4"] | None = None,
) -> FoundPeople:
    """The people of an image of RGB pixels, the surest first; the model is left in evaluation mode on the device.

    Args:
        config: whose `data.whole_image` says how large the image is shown, and whose `evaluation.flip_test` whether its
            mirror image is shown, too. All of that is averaged in the boxes, of which the surest are kept.
        boxes: (left, top, right, bottom) in image pixels: poses in these, in their order; None finds people.
    """
    device = runtime.torch_device
    keep_freed_memory(device.type)
    model.to(device).eval()
    with torch.autocast(device.type, AUTOCAST.get(runtime.precision), enabled=runtime.precision in AUTOCAST):
        views = list(views_of(model, image, config, device))
        if boxes is None:
            found, scores = model.find_in_all(views)
        else:
            found = torch.from_numpy(np.asarray(boxes, np.float32)).to(device)
            scores = torch.ones(len(found), device=device)
        poses = model.poses(views, found)
    return FoundPeople(found.cpu().numpy(), scores.float().cpu().numpy(), poses)


def views_of(model: EndToEndModel, image: Pixels, config: ExperimentConfig, device: torch.device) -> Iterator[View]:
    """The passes over an image that the configuration asks for.

    Raises:
        ValueError: the configuration is of crops.
    """
    whole = config.data.whole_image
    if whole is None:
        raise ValueError("data.whole_image is None: the configuration is of crops")
    height, width = image.shape[:2]
    for side in whole.test_sides:
        resized = by_short_side((height, width), side, whole.longest_side)
        pixels = torch.from_numpy(normalise(shown_image(image, Shown(resized, (0, 0), resized)))).to(device)
        scale = (resized[1] / width, resized[0] / height)
        yield model.view(pixels, scale)
        if config.evaluation.flip_test:
            yield model.view(pixels, scale, flipped=True)


def predictions_in_boxes(
    model: Network,
    people: Sequence[Person],
    config: ExperimentConfig,
    runtime: InferenceRuntime,
    read: ReadImage | None = None,
) -> PredictedPeople:
    """One pose for every box of `people`, in their order, by a model of whichever kind; arguments as they have them."""
    if isinstance(model, EndToEndModel):
        return poses_in_boxes(model, people, config, runtime, read)
    return predict_people(model, people, config, runtime, read)


def find_people(
    model: EndToEndModel,
    people: CocoPeople,
    config: ExperimentConfig,
    runtime: InferenceRuntime,
) -> PredictedPeople:
    """Poses in the model's own boxes, on all images of a split; an image may have nobody.

    Raises:
        UserError: an image cannot be read, or has not the size that the annotation file says.
    """
    found = []
    for labelled in labelled_images(people):
        image = read_labelled_image(labelled.path, people.label_frame)
        require_size(labelled.path, labelled.image_id, labelled.size, image.shape[:2])
        found.append((labelled.image_id, people_of_image(model, image, config, runtime)))
    return joined(found, people.keypoints.num_keypoints, config.data)


def poses_in_boxes(
    model: EndToEndModel,
    people: Sequence[Person],
    config: ExperimentConfig,
    runtime: InferenceRuntime,
    read: ReadImage | None = None,
) -> PredictedPeople:
    """One pose for every box of `people`, in their order, as `predict_people` gives it for models of crops.

    Raises:
        UserError: an image cannot be read, or has not the size that the annotation file says.
    """
    read = read or image_reader(people)
    rows: dict[int, list[int]] = {}
    for row, person in enumerate(people):
        rows.setdefault(person.image_id, []).append(row)
    found = []
    for image_id, of_image in rows.items():
        first = people[of_image[0]]
        image = read(first.image_path)
        require_size(first.image_path, image_id, first.image_size, image.shape[:2])
        x, y, width, height = np.array([people[row].box for row in of_image], np.float32).T
        boxes = np.stack([x, y, x + width, y + height], axis=1)
        scores = np.array([people[row].bbox_score for row in of_image], np.float32)
        poses = people_of_image(model, image, config, runtime, boxes)
        found.append((image_id, poses._replace(bbox_scores=scores)))
    predictions = joined(found, len(model.flip_index), config.data)
    order = np.argsort([row for of_image in rows.values() for row in of_image])
    return predictions.select(order)


def joined(found: Sequence[tuple[int, FoundPeople]], num_keypoints: int, data: DataConfig) -> PredictedPeople:
    """People of several images, each with its id, in the form of all predictions: the "crop" is the box.

    The box's centre is moved, so that keypoints come out as COCO has them: continuous less `pixel_centre`.
    """
    whole = data.whole_image
    centre = PIXEL_CENTRE if whole is None else whole.pixel_centre

    def stacked(values: Sequence[Tensor], *shape: int) -> Float[np.ndarray, "N *shape"]:
        return np.concatenate([np.zeros((0, *shape), np.float32), *(one.float().cpu().numpy() for one in values)])

    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(one.boxes for _, one in found)])
    ids: Int[np.ndarray, " N"] = np.repeat([image for image, _ in found], [len(one.boxes) for _, one in found])
    sigma = [one.poses.sigma for _, one in found if one.poses.sigma is not None]
    return PredictedPeople(
        image_id=ids.astype(np.int64),
        bbox_scores=np.concatenate([np.zeros(0, np.float32), *(one.bbox_scores for _, one in found)]),
        center=(boxes[:, :2] + boxes[:, 2:]) / 2 - np.float32(centre),
        box_scale=(boxes[:, 2:] - boxes[:, :2]) / np.float32(PIXELS_PER_SCALE),
        keypoints=stacked([one.poses.keypoints for _, one in found], num_keypoints, 2),
        sigma=stacked(sigma, num_keypoints, 2) if sigma else None,
        keypoint_scores=stacked([one.poses.keypoint_scores for _, one in found], num_keypoints),
        input_size=data.input_size,
    )
