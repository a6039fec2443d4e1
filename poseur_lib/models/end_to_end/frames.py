"""Points and boxes from one frame to another; `poseur_lib.models.end_to_end` names the frames.

Boxes are (left, top, right, bottom) everywhere.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def to_box(points: Float[Tensor, "N K 2"], boxes: Float[Tensor, "N 4"]) -> Float[Tensor, "N K 2"]:
    """Points in [0, 1] of their box, from the frame that the boxes are given in (`_px`, canvas or image)."""
    return (points - boxes[:, None, :2]) / _sides(boxes)


def from_box(points: Float[Tensor, "N K 2"], boxes: Float[Tensor, "N 4"]) -> Float[Tensor, "N K 2"]:
    """The inverse: points in [0, 1] of their box, in the frame that the boxes are given in."""
    return points * _sides(boxes) + boxes[:, None, :2]


def to_canvas(boxes_px: Float[Tensor, "N 4"], canvas: tuple[int, int]) -> Float[Tensor, "N 4"]:
    """Boxes in [0, 1] of a canvas of (height, width) pixels; with `from_box`, points of a box in the canvas frame."""
    height, width = canvas
    return boxes_px / boxes_px.new_tensor([width, height, width, height])


def mirrored(boxes: Float[Tensor, "N 4"], width: float) -> Float[Tensor, "N 4"]:
    """Boxes of the mirror image: x becomes width - x."""
    left, top, right, bottom = boxes.unbind(1)
    return torch.stack([width - right, top, width - left, bottom], dim=1)


def inside(points: Float[Tensor, "N K 2"], boxes: Float[Tensor, "N 4"]) -> Bool[Tensor, "N K"]:
    """Points in their box or on its border."""
    return ((points >= boxes[:, None, :2]) & (points <= boxes[:, None, 2:])).all(dim=2)


def _sides(boxes: Float[Tensor, "N 4"]) -> Float[Tensor, "N 1 2"]:
    return (boxes[:, None, 2:] - boxes[:, None, :2]).clamp(min=torch.finfo(boxes.dtype).tiny)
