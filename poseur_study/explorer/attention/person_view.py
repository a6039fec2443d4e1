"""One person as one model sees them: the crop, the explanation and the label, computed once and drawn many times."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from poseur_lib.data.coco import Person
from poseur_lib.data.crop import CropRule, box_to_center_scale, crop_image, crop_matrix, transform_points
from poseur_lib.data.dataset import normalise
from poseur_lib.losses.rle import laplace_scale
from poseur_lib.poses import Explanation, LayerExplanation
from poseur_study.explorer.attention.open_model import OpenModel


@dataclass(frozen=True, eq=False)
class Crop:
    """Where a crop lies in its image.

    Attributes:
        image: the whole image, RGB.
        matrix: from image pixels to crop pixels.
        input_size: (height, width) of the crop.
        extent_px: crop pixels (x, y) that make up [0, 1] of the crop.
    """

    image: UInt8[np.ndarray, "height width 3"]
    matrix: Float[np.ndarray, "2 3"]
    input_size: tuple[int, int]
    extent_px: Float[np.ndarray, "2"]


@dataclass(frozen=True, eq=False)
class Stages:
    """What the coarse stage, where there is one, and the decoder layers say of every keypoint, in crop pixels.

    Attributes:
        keypoints_px: (x, y).
        sigma_px: the network's own sigma of each axis.
        laplace_px: the scale b of the Laplace part that sigma stands for under the model's loss.
        expected_px: the mean distance on each axis under the whole learned density, flow included.
    """

    keypoints_px: Float[np.ndarray, "S K 2"]
    sigma_px: Float[np.ndarray, "S K 2"]
    laplace_px: Float[np.ndarray, "S K 2"]
    expected_px: Float[np.ndarray, "S K 2"]


@dataclass(frozen=True, eq=False)
class Seen:
    """A person seen by a model.

    Attributes:
        who: what captions call the person.
        explanation: of this one person.
        truth_px: labelled keypoints in crop pixels; NaN without a label, as for an image of one's own.
    """

    model: OpenModel
    who: str
    crop: Crop
    explanation: Explanation
    truth_px: Float[np.ndarray, "K 2"]

    @cached_property
    def stages(self) -> Stages:
        """Of all stages, in the order of the model's names of them."""
        prediction = self.explanation.prediction
        stages = [stage for stage in (prediction.coarse, *prediction.layers) if stage is not None]
        keypoints, sigma = (torch.stack([getattr(one, name)[0] for one in stages]) for name in ("keypoints", "sigma"))
        laplace = laplace_scale(sigma, log_sigma_count=self.model.head.loss.log_sigma_count)
        distances = np.array([density.mean_distance for density in self.model.densities], np.float32)
        expected = sigma.numpy() * distances[:, None]
        return Stages(*map(self.to_px, (keypoints.numpy(), sigma.numpy(), laplace.numpy(), expected)))

    @property
    def labelled(self) -> Bool[np.ndarray, "K"]:
        """Which keypoints have a label."""
        return ~np.isnan(self.truth_px[:, 0])

    @property
    def keypoints_px(self) -> Float[np.ndarray, "K 2"]:
        """The pose that the model ends with, in crop pixels."""
        return self.stages.keypoints_px[-1]

    @property
    def layers(self) -> tuple[LayerExplanation, ...]:
        """What was attended to, one a decoder layer passed."""
        return self.explanation.layers

    def spoken(self, keypoint: int) -> str:
        """A keypoint's name as prose has it."""
        return spoken(self.model.keypoints.names[keypoint])

    def subject(self, keypoint: int) -> str:
        """What captions begin with: the keypoint, whose it is, and who sees it."""
        name = self.spoken(keypoint)
        return f"{name[:1].upper()}{name[1:]} of {self.who}, {self.model.name}"

    def to_px(self, points: Float[np.ndarray, "*shape 2"]) -> Float[np.ndarray, "*shape 2"]:
        """Points or lengths in [0, 1] of the crop, in crop pixels."""
        return points * self.crop.extent_px

    def nearest(self, x_px: float, y_px: float) -> int:
        """The keypoint whose prediction is nearest to a place of the crop."""
        return int(np.argmin(np.square(self.keypoints_px - (x_px, y_px)).sum(axis=1)))


def crop_around(
    person: Person, image: UInt8[np.ndarray, "height width 3"], size: tuple[int, int], rule: CropRule
) -> Crop:
    """Where a person's crop of (height, width) lies in their image."""
    center, box_scale = box_to_center_scale(person.box, size, rule)
    return Crop(image, crop_matrix(center, box_scale, 0.0, size, rule), size, rule.extent_px(size))


@torch.no_grad()
def see(model: OpenModel, image: UInt8[np.ndarray, "height width 3"], person: Person, who: str) -> Seen:
    """One forward pass on a person's crop, without flip test.

    Args:
        image: the whole image, RGB.
        person: whose box is cropped; labels are used where there are any of the model's keypoint set.
        who: what captions call the person.
    """
    crop = crop_around(person, image, model.config.data.input_size, model.model.head.crop_rule)
    pixels = normalise(crop_image(image, crop.matrix, crop.input_size))
    truth = np.full((model.keypoints.num_keypoints, 2), np.nan)
    if person.keypoints_image is not None:
        labelled = person.visibility > 0
        truth[labelled] = transform_points(person.keypoints_image[labelled], crop.matrix)
    return Seen(model, who, crop, model.model.explain(torch.from_numpy(pixels)[None]), truth)


def spoken(name: str) -> str:
    """A keypoint's name as prose has it."""
    return name.replace("_", " ")
