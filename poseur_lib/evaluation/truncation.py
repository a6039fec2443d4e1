"""People cut off at a line, as if the image ended there, and which of their keypoints lie where then.

Beyond the line the image is black, as beyond any image's border; the person's box ends at the line too, and the crop is
made of that box as always. Where the hidden keypoints are is known from the uncut image. So the crop shows the padding
of the cut box, and the further a person is cut, the more keypoints lie outside the crop altogether.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, UInt8

from poseur_lib.data.coco import Person, labels_of
from poseur_lib.data.crop import (
    CropRule,
    box_to_center_scale,
    crop_matrix,
    inside_crop,
    keypoints_to_image,
    transform_points,
)
from poseur_lib.data.dataset import read_person_image
from poseur_lib.evaluation.errors import NEAR_FROM
from poseur_lib.evaluation.oks import keypoint_similarity
from poseur_lib.keypoints import KeypointSet

Side = Literal["bottom", "right"]
AXIS: dict[Side, int] = {"right": 0, "bottom": 1}


@dataclass(frozen=True)
class Cut:
    """How much of a person's box is cut off, and from which side.

    Args:
        share: of the box's height (bottom) or width (right); at 0 nothing is cut, beyond the box neither.

    Raises:
        ValueError: the share is not in [0, 1).
    """

    side: Side
    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ValueError(f"share of a cut must be at least 0 and below 1, got {self.share}")

    def last_px(self, box: tuple[float, float, float, float]) -> int:
        """The last row (bottom) or column (right) of image pixels that is left, at least one of the box's own."""
        start, length = box[AXIS[self.side]], box[2 + AXIS[self.side]]
        return max(round(start + (1 - self.share) * length), int(start) + 1)

    def box(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """(x, y, w, h) of what is left of a box; it ends with the image, as boxes are clipped to images."""
        if not self.share:
            return box
        x, y, width, height = box
        last = float(self.last_px(box))
        return (x, y, width, last - y) if self.side == "bottom" else (x, y, last - x, height)

    def image(
        self, image: UInt8[np.ndarray, "height width 3"], box: tuple[float, float, float, float]
    ) -> UInt8[np.ndarray, "height width 3"]:
        """A copy of an image that is black from the cut of this box on."""
        image = image.copy()
        if self.share:
            rows = image if self.side == "bottom" else image.transpose(1, 0, 2)
            rows[self.last_px(box) + 1 :] = 0
        return image

    def beyond(
        self, points_image: Float[np.ndarray, "*batch 2"], box: tuple[float, float, float, float]
    ) -> Bool[np.ndarray, "*batch"]:
        """Which points (x, y), in image pixels, lie beyond the last pixel that is left."""
        along = points_image[..., AXIS[self.side]]
        return np.asarray(along > self.last_px(box)) if self.share else np.zeros(along.shape, bool)


class CutImages:
    """The images of cut people, by the paths that `cut_people` gives them; a `ReadImage`."""

    def __init__(self, people: Sequence[Person], cut: Cut) -> None:
        self.cut, self.of = cut, {_own_path(person): person for person in people}

    def __call__(self, path: Path) -> UInt8[np.ndarray, "height width 3"]:
        """The image of one person, black beyond the cut of that person's box."""
        person = self.of[path]
        return self.cut.image(read_person_image(person), person.box)


def cut_people(people: Sequence[Person], cut: Cut) -> list[Person]:
    """The people with what is left of their boxes, to be read from `CutImages`; everything else stays."""
    return [replace(person, box=cut.box(person.box), image_path=_own_path(person)) for person in people]


def _own_path(person: Person) -> Path:
    """People of one image are cut each for themselves."""
    return person.image_path.with_name(f"{person.annotation_id} of {person.image_path.name}")


@dataclass(frozen=True, eq=False)
class Places:
    """Where the labelled keypoints of cut people lie; what is not labelled is nowhere.

    Attributes:
        inside: the crop, by the rule of training.
        padding: inside the crop, and beyond the cut.
        outside: the crop.
        far: outside, and so that not even the nearest point of the crop would be correct.
    """

    inside: Bool[np.ndarray, "N K"]
    padding: Bool[np.ndarray, "N K"]
    outside: Bool[np.ndarray, "N K"]
    far: Bool[np.ndarray, "N K"]


def places(
    people: Sequence[Person], cut: Cut, keypoints: KeypointSet, input_size: tuple[int, int], rule: CropRule
) -> Places:
    """Where the keypoints of uncut people lie once these are cut.

    Args:
        input_size: (height, width) of the crop.
        rule: of the model's head, by which the crop is made of the cut box.
    """
    truth = labels_of(people)
    labelled = truth.visibility > 0
    beyond = np.stack([cut.beyond(points, one.box) for points, one in zip(truth.keypoints_image, people, strict=True)])
    crops = [box_to_center_scale(cut.box(person.box), input_size, rule) for person in people]
    points_px = np.stack([
        transform_points(points, crop_matrix(*crop, 0.0, input_size, rule))
        for points, crop in zip(truth.keypoints_image, crops, strict=True)
    ])  # fmt: skip
    inside = inside_crop(points_px, input_size) & labelled
    outside = ~inside & labelled
    last_px = np.array([input_size[1] - 1, input_size[0] - 1], np.float32)
    nearest = np.clip(points_px, 0, last_px) / rule.extent_px(input_size)
    center, box_scale = (np.stack(column) for column in zip(*crops, strict=True))
    reached = correct(keypoints_to_image(nearest, center, box_scale), people, keypoints)
    return Places(inside, inside & beyond, outside, outside & ~reached)


def correct(
    keypoints_image: Float[np.ndarray, "N K 2"], people: Sequence[Person], keypoints: KeypointSet
) -> Bool[np.ndarray, "N K"]:
    """Which predictions have a keypoint similarity of at least 0.5 to the place in the uncut image.

    That is OKS's term of one keypoint, and the border between a jitter and a miss in the taxonomy of errors. The area
    is the uncut person's, so that a cut does not change what counts as near.
    """
    truth, _, area = labels_of(people)
    return np.asarray(keypoint_similarity(keypoints_image, truth, area, keypoints.oks_sigmas) >= NEAR_FROM)
