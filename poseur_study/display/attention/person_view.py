"""One person as one model sees them: the crop, the explanation and the label, computed once and drawn many times."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from poseur_lib.data.coco import Person
from poseur_lib.data.crop import crop_image
from poseur_lib.data.dataset import normalise, view_person
from poseur_lib.losses.rle import laplace_scale
from poseur_lib.poses import Explanation, LayerExplanation, StagePrediction
from poseur_study.display.attention.density_grid import FlowGrid
from poseur_study.display.attention.open_model import OpenModel


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
class Stage:
    """What the coarse stage or a decoder layer says of every keypoint.

    Attributes:
        keypoints_px: (x, y) in crop pixels.
        sigma_px: the network's own sigma of each axis, in crop pixels.
        laplace_px: the scale b of the Laplace part that sigma stands for under the model's loss, in crop pixels.
        expected_px: the mean distance on each axis under the whole learned density, flow included, in crop pixels.
        density: that density.
    """

    name: str
    keypoints_px: Float[np.ndarray, "K 2"]
    sigma_px: Float[np.ndarray, "K 2"]
    laplace_px: Float[np.ndarray, "K 2"]
    expected_px: Float[np.ndarray, "K 2"]
    density: FlowGrid


@dataclass(frozen=True, eq=False)
class Seen:
    """A person seen by a model.

    Attributes:
        who: what captions call the person.
        explanation: of this one person.
        truth_px: labelled keypoints in crop pixels.
        labelled: which of them are labelled; none for an image of one's own.
    """

    model: OpenModel
    who: str
    crop: Crop
    explanation: Explanation
    truth_px: Float[np.ndarray, "K 2"]
    labelled: Bool[np.ndarray, "K"]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Coarse stage, where there is one, and decoder layers, in order."""
        prediction, model = self.explanation.prediction, self.model
        named = [] if prediction.coarse is None else [("coarse", prediction.coarse, model.coarse_density)]
        layers = enumerate(prediction.layers, 1)
        named += [(f"layer {number}", layer, model.decoder_density) for number, layer in layers]
        return tuple(self._stage(*one) for one in named)

    def _stage(self, name: str, layer: StagePrediction, density: FlowGrid) -> Stage:
        sigma = layer.sigma[0]
        laplace = laplace_scale(sigma, log_sigma_count=self.model.head.loss.log_sigma_count)
        expected = sigma.numpy() * density.mean_distance.astype(np.float32)
        lengths = (layer.keypoints[0].numpy(), sigma.numpy(), laplace.numpy(), expected)
        return Stage(name, *map(self.to_px, lengths), density=density)

    @property
    def keypoints_px(self) -> Float[np.ndarray, "K 2"]:
        """The pose that the model ends with, in crop pixels."""
        return self.to_px(self.explanation.prediction.keypoints[0].numpy())

    @property
    def layers(self) -> tuple[LayerExplanation, ...]:
        """What was attended to, one a decoder layer passed."""
        return self.explanation.layers

    def spoken(self, keypoint: int) -> str:
        """A keypoint's name as prose has it."""
        return spoken(self.model.keypoints.names[keypoint])

    def to_px(self, points: Float[np.ndarray, "*shape 2"]) -> Float[np.ndarray, "*shape 2"]:
        """Points or lengths in [0, 1] of the crop, in crop pixels."""
        return points * self.crop.extent_px

    def nearest(self, x_px: float, y_px: float) -> int:
        """The keypoint whose prediction is nearest to a place of the crop."""
        return int(np.argmin(np.square(self.keypoints_px - (x_px, y_px)).sum(axis=1)))


@torch.no_grad()
def see(model: OpenModel, image: UInt8[np.ndarray, "height width 3"], person: Person, who: str) -> Seen:
    """One forward pass on a person's crop, without flip test.

    Args:
        image: the whole image, RGB.
        person: whose box is cropped; labels are used where there are any of the model's keypoint set.
        who: what captions call the person.
    """
    rule, input_size = model.model.head.crop_rule, model.config.data.input_size
    view = view_person(person, image.shape[1], model.keypoints, input_size, rule, None, (0, 0, 0))
    explanation = model.model.explain(torch.from_numpy(normalise(crop_image(image, view.matrix, input_size)))[None])
    crop = Crop(image, view.matrix, input_size, rule.extent_px(input_size))
    return Seen(model, who, crop, explanation, view.keypoints_px, labelled=view.visibility > 0)


def spoken(name: str) -> str:
    """A keypoint's name as prose has it."""
    return name.replace("_", " ")
