"""Keypoints outside their own box: where people are labelled there, and where a model places them (supp. Fig. 1)."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torchvision.ops import box_iou

from poseur_lib.data.coco import CocoPeople, labels_of
from poseur_lib.data.crop import PIXELS_PER_SCALE
from poseur_lib.data.whole_images import PIXEL_CENTRE
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.errors import NEAR_FROM
from poseur_lib.evaluation.oks import keypoint_similarity

LEAST_IOU = 0.5


class OutsideBoxes(NamedTuple):
    """Numbers by image, of people whose box was found, at IoU 0.5, by a model with boxes of its own.

    Attributes:
        people: of whom there is a box.
        labelled: labelled keypoints of theirs that lie outside that box.
        placed: of those, how many the model places outside it, too.
        near: of those, how many it places near enough: a keypoint similarity of at least 0.5.
        found: of those, how many it places outside and near enough.
    """

    people: Int[np.ndarray, " I"]
    labelled: Int[np.ndarray, " I"]
    placed: Int[np.ndarray, " I"]
    near: Int[np.ndarray, " I"]
    found: Int[np.ndarray, " I"]


def outside_boxes(own: PredictedPeople, people: CocoPeople) -> OutsideBoxes:
    """What becomes of keypoints outside the boxes that a model found, by the split's images in their order.

    Each person has the box of largest IoU in its image; two people may share one. The model's `pixel_centre` is taken
    to be the default.

    Args:
        own: predictions in the model's own boxes, whose "crop" is the box (`poseur_lib.evaluation.whole_images`).
    """
    labelled_people = people.people()
    truth, pose = labels_of(labelled_people), own.keypoints_image()
    half = own.box_scale * PIXELS_PER_SCALE / 2
    boxes = np.concatenate([own.center - half, own.center + half], axis=1)  # in COCO's pixels, as keypoints are
    line_of = {image_id: line for line, image_id in enumerate(people.coco.getImgIds())}
    counts = np.zeros((len(OutsideBoxes._fields), len(line_of)), int)
    for row, person in enumerate(labelled_people):
        (candidates,) = np.nonzero(own.image_id == person.image_id)
        x, y, width, height = person.box
        box = torch.tensor([[x, y, x + width, y + height]], dtype=torch.float64) - PIXEL_CENTRE
        overlap = box_iou(box, torch.from_numpy(boxes[candidates]).double())[0].numpy()
        if not len(overlap) or overlap.max() < LEAST_IOU:
            continue
        found = candidates[overlap.argmax()]
        outside = (truth.visibility[row] > 0) & _beyond(truth.keypoints_image[row], boxes[found])
        near = keypoint_similarity(
            pose[found], truth.keypoints_image[row], np.asarray(truth.area[row]), people.keypoints.oks_sigmas
        )
        placed, correct = outside & _beyond(pose[found], boxes[found]), outside & (near >= NEAR_FROM)
        of_person = [1, outside.sum(), placed.sum(), correct.sum(), (placed & correct).sum()]
        counts[:, line_of[person.image_id]] += of_person
    return OutsideBoxes(*counts)


def _beyond(points: Float[np.ndarray, "K 2"], box: Float[np.ndarray, "4"]) -> Bool[np.ndarray, "K"]:
    return np.asarray(((points < box[:2]) | (points > box[2:])).any(axis=1))
