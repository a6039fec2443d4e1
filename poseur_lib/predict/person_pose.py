"""What the predictor gives: the people of an image, in its pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from poseur_lib.evaluation.metrics import coco_result

KEYPOINT_THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class PersonPose:
    """One person.

    Attributes:
        keypoints_image: (x, y) in image pixels, in the order of the keypoint set; they may lie outside the image.
        keypoint_scores: confidence, on the scale of the method and its keypoint score (Poseur's: 0 to 1).
        score: of the person, by which people are ranked; its scale is that of the rule ("released": up to 3, "paper"
            and "classic": up to 1).
        box: (x, y, w, h) in image pixels, as given.
        box_score: the detector's; 1 for a given box.
        sigma_image: the network's scale output per axis, in image pixels; None where a method has none.
    """

    keypoints_image: Float[np.ndarray, "K 2"]
    keypoint_scores: Float[np.ndarray, "K"]
    score: float
    box: tuple[float, float, float, float]
    box_score: float = 1.0
    sigma_image: Float[np.ndarray, "K 2"] | None = None

    def to_coco(self, image_id: int = 1, category_id: int = 1) -> dict[str, Any]:
        """In COCO's results format: keypoints as (x, y, score) in image pixels."""
        points = np.column_stack([self.keypoints_image, self.keypoint_scores])
        return coco_result(image_id, points, self.score, category_id)
