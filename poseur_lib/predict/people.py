"""The people of one image: the boxes that are given and what can be wrong with them, and the poses that come back."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from poseur_lib.data.annotations import MAX_SIDE
from poseur_lib.data.box_convention import box_list_problems, fraction_problems
from poseur_lib.data.coco import to_box
from poseur_lib.errors import UserError
from poseur_lib.evaluation.metrics import coco_result

BoxFormat = Literal["xywh", "xyxy"]
KEYPOINT_THRESHOLD = 0.5
BOX_THRESHOLD = 0.5
"""Of boxes that a detector or the model itself found: AP needs the doubtful ones too, a picture does not."""


@dataclass(frozen=True)
class PersonBox:
    """A person's box.

    Args:
        box: (x, y, w, h) in image pixels.
        score: a detector's confidence; 1 where nobody doubts the box.

    Raises:
        UserError: a value is not finite, or the box is empty.
    """

    box: tuple[float, float, float, float]
    score: float = 1.0

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (*self.box, self.score))):
            raise UserError(f"box {self.box} with score {self.score}: values must be finite")
        if max(map(abs, self.box)) > MAX_SIDE:
            raise UserError(f"box {self.box}: values must be in pixels, at most {MAX_SIDE}")
        if min(self.box[2:]) <= 0:
            raise UserError(f"box {self.box}: width and height must be positive")

    def require_inside(self, image_size: tuple[int, int]) -> None:
        """Check that the box has something of an image of (height, width); it may reach beyond it.

        Raises:
            UserError: all of it lies outside.
        """
        (x, y, width, height), (image_height, image_width) = self.box, image_size
        if x >= image_width or y >= image_height or x + width <= 0 or y + height <= 0:
            raise UserError(f"box {self.box} lies outside the image of {image_width} x {image_height} pixels")


@dataclass(frozen=True, eq=False)
class PersonPose:
    """What the predictor gives for one person.

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


@runtime_checkable
class BoxFinder(Protocol):
    """Where the people of an image are."""

    def boxes(self, path: Path, image: UInt8[np.ndarray, "height width 3"]) -> list[PersonBox]:
        """The boxes of one image; none where there is nobody."""


class WholeImage:
    """One person an image, who fills it."""

    def boxes(self, path: Path, image: UInt8[np.ndarray, "height width 3"]) -> list[PersonBox]:
        """The whole image as a box."""
        return [whole_image(image)]


def whole_image(image: UInt8[np.ndarray, "height width 3"]) -> PersonBox:
    """The box of an image's sides."""
    height, width = image.shape[:2]
    return PersonBox((0.0, 0.0, float(width), float(height)))


BoxesLike = Sequence[PersonBox] | Sequence[Sequence[float]] | np.ndarray | Tensor


def as_boxes(boxes: Iterable[Any], image_size: tuple[int, int], box_format: str = "xywh") -> list[PersonBox]:
    """Boxes as they are given for one image, checked.

    Args:
        boxes: `PersonBox`es, or rows of 4 numbers, or of 5 with the score as the last one; image pixels.
        image_size: (height, width).
        box_format: of rows: (x, y, width, height), or (left, top, right, bottom).

    Raises:
        UserError: rows of another length, values that are not finite, an empty box, or one outside the image; or they
            are fractions of the image, or rather corners where "xywh" is said.
    """
    if box_format not in ("xywh", "xyxy"):
        raise UserError(f"box format {box_format!r}: give 'xywh' or 'xyxy'")
    given: list[Any] = [box.detach().cpu().double().numpy() if isinstance(box, Tensor) else box for box in boxes]
    if not all(isinstance(box, PersonBox) for box in given):
        given = _from_rows(given, box_format)
        where = [f"box {position}" for position in range(len(given))]
        asked = where, [box.box for box in given], [image_size] * len(given)
        for problem in fraction_problems(*asked):
            raise UserError(problem)
        if box_format == "xywh":
            for problem in box_list_problems(*asked):
                raise UserError(f"{problem} (or box_format='xyxy')")
    for box in given:
        box.require_inside(image_size)
    return given


def _from_rows(boxes: list[Any], box_format: str) -> list[PersonBox]:
    try:
        rows = np.asarray(boxes, np.float64)
    except (TypeError, ValueError):
        raise UserError(f"boxes must be rows of 4 numbers, or 5 with the score, got {boxes!r}") from None
    if rows.ndim != 2 or rows.shape[1] not in (4, 5):
        raise UserError(f"boxes must have the shape N x 4, or N x 5 with the score, got {rows.shape}")
    sides = rows[:, 2:4] - rows[:, :2] if box_format == "xyxy" else rows[:, 2:4]
    scores = rows[:, 4] if rows.shape[1] == 5 else np.ones(len(rows))
    found = zip(np.column_stack([rows[:, :2], sides]), scores, strict=True)
    return [PersonBox(to_box(box), float(score)) for box, score in found]
