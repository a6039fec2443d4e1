"""What a model said about some boxes: everything that scores, AP and intervals are computed from."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float, Int

from poseur_lib.data.crop import PIXELS_PER_SCALE, keypoints_to_image
from poseur_lib.errors import UserError


class NotFinite(UserError):
    """A model predicted something that is no number."""


@dataclass(frozen=True, eq=False)
class PredictedPeople:
    """One pose for each of N boxes.

    Attributes:
        image_id: the image of each box.
        bbox_scores: the detector's score; 1 for ground-truth boxes.
        center: centre of the cropped region, (x, y) in image pixels.
        box_scale: (w, h) of the cropped region in units of 200 image pixels.
        keypoints: (x, y) in [0, 1] of the crop, beyond that range outside it.
        sigma: the network's scale output per axis, a fraction of the crop side; None where a method has none.
        keypoint_scores: confidence, on the method's own scale.
        input_size: (height, width) of the crop.
        flow_masses: of the model that predicted, where it has a flow: see `poseur_lib.scoring.uncertainty.box_masses`.

    Raises:
        NotFinite: a keypoint or a score is not finite; the message names the first one.
    """

    image_id: Int[np.ndarray, "N"]
    bbox_scores: Float[np.ndarray, "N"]
    center: Float[np.ndarray, "N 2"]
    box_scale: Float[np.ndarray, "N 2"]
    keypoints: Float[np.ndarray, "N K 2"]
    sigma: Float[np.ndarray, "N K 2"] | None
    keypoint_scores: Float[np.ndarray, "N K"]
    input_size: tuple[int, int]
    flow_masses: Float[np.ndarray, "M M"] | None = None

    def __post_init__(self) -> None:
        for name in ("keypoints", "keypoint_scores", "bbox_scores"):
            values = getattr(self, name)
            bad = np.argwhere(~np.isfinite(values))
            if len(bad):
                position = tuple(int(axis) for axis in bad[0])
                raise NotFinite(f"the model's predictions: {name}{list(position)} is {values[position]}")

    def __len__(self) -> int:
        return len(self.image_id)

    def keypoints_image(self) -> Float[np.ndarray, "N K 2"]:
        """The keypoints in pixels of the original image."""
        return keypoints_to_image(self.keypoints, self.center, self.box_scale)

    def box_areas(self) -> Float[np.ndarray, "N"]:
        """Area of the cropped region in square image pixels, padding included; OKS-NMS uses it, as released."""
        return np.prod(self.box_scale * np.float32(PIXELS_PER_SCALE), axis=-1)

    def select(self, chosen: Int[np.ndarray, "M"] | Bool[np.ndarray, "N"]) -> "PredictedPeople":
        """The predictions of some of the boxes."""
        of_boxes = ("image_id", "bbox_scores", "center", "box_scale", "keypoints", "sigma", "keypoint_scores")
        values = {name: getattr(self, name) for name in of_boxes}
        return replace(self, **{name: value[chosen] for name, value in values.items() if value is not None})


class BoxSource(StrEnum):
    """Whose boxes the people were cut out by."""

    GROUND_TRUTH = "ground_truth"
    DETECTOR = "detector"
