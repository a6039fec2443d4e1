"""From a person's box to the network's input and back: pure geometry, as the released code does it.

Two frames: `_image` is pixels of the original image, `_px` of the crop. Points are (x, y), sizes (height, width).
A crop is named by its centre (image pixels) and its box scale, (width, height) of the cropped region in units of 200
image pixels, as the released code and its result files store it.

Two rules say how the region is laid on the crop, and what [0, 1] of the crop is. Both map [0, 1] to the region's sides,
so the way back to the image is one (`keypoints_to_image`).

- plain (released code): the region is W pixels wide, and [0, 1] is crop pixel 0 to W;
- unbiased (UDP: Huang et al., CVPR 2020): lengths are counted between pixel centres, so the region is W - 1
  steps wide, and [0, 1] is crop pixel 0 to W - 1. Then mirroring the crop is x -> 1 - x, exactly.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

PIXELS_PER_SCALE = 200.0  # released code: `pixel_std`


@dataclass(frozen=True)
class CropRule:
    """How a person's box becomes the cropped region.

    Args:
        padding: the box is enlarged by this factor once it has the input's aspect ratio.
        unbiased: UDP's unit-length affine map.

    Raises:
        ValueError: padding is not positive.
    """

    padding: float = 1.25
    unbiased: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.padding) and self.padding > 0):
            raise ValueError(f"padding must be positive, got {self.padding}")

    def extent_px(self, input_size: tuple[int, int]) -> Float[np.ndarray, "2"]:
        """Crop pixels (x, y) that make up [0, 1] of a crop of `input_size` (height, width)."""
        height, width = input_size
        return np.array([width - 1, height - 1] if self.unbiased else [width, height], np.float32)


PLAIN = CropRule()


def fit_aspect(width: float, height: float, input_size: tuple[int, int]) -> tuple[float, float]:
    """The smallest (width, height) that has the input's aspect ratio and holds the given one."""
    aspect = input_size[1] / input_size[0]
    return (width, width / aspect) if width > aspect * height else (height * aspect, height)


def box_to_center_scale(
    box: tuple[float, float, float, float], input_size: tuple[int, int], rule: CropRule
) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Centre (x, y) in image pixels and box scale (w, h) in units of 200 px of the region that is cropped.

    Args:
        box: (x, y, w, h) in image pixels.
        input_size: (height, width) of the crop.
    """
    x, y, width, height = box
    center = np.array([x + width * 0.5, y + height * 0.5], np.float32)
    size = np.array(fit_aspect(width, height, input_size), np.float32)
    return center, size / np.float32(PIXELS_PER_SCALE) * np.float32(rule.padding)


def crop_matrix(
    center: Float[np.ndarray, "2"],
    box_scale: Float[np.ndarray, "2"],
    rotation_degrees: float,
    input_size: tuple[int, int],
    rule: CropRule = PLAIN,
) -> Float[np.ndarray, "2 3"]:
    """The affine map from image pixels to crop pixels.

    The plain one is fixed by three points: the centre, the point half a box width above it (turned by the rotation),
    and the corner that makes a right angle there. Only the width of the box counts, so the aspect ratio is kept. The
    points are rounded to float32 before solving, as in the released code: for boxes of a few pixels that is what limits
    precision. For the unbiased one see `unbiased_matrix`.

    Args:
        center: (x, y) in image pixels.
        box_scale: (w, h) of the cropped region in units of 200 px.
        rotation_degrees: positive turns the cropped region clockwise on the screen, hence its content the other way.
        input_size: (height, width) of the crop.
    """
    if rule.unbiased:
        return unbiased_matrix(center, box_scale, rotation_degrees, rule.extent_px(input_size))
    height, width = input_size
    angle = math.radians(rotation_degrees)
    reach = float(box_scale[0] * np.float32(PIXELS_PER_SCALE)) * -0.5
    up_image = np.array([-reach * math.sin(angle), reach * math.cos(angle)])
    up_px = np.array([0.0, width * -0.5])
    source = _right_angle(center.astype(np.float32), up_image)
    target = _right_angle(np.array([width * 0.5, height * 0.5], np.float32), up_px)
    return cv2.getAffineTransform(source, target)


def unbiased_matrix(
    center: Float[np.ndarray, "2"],
    box_scale: Float[np.ndarray, "2"],
    rotation_degrees: float,
    extent_px: Float[np.ndarray, "2"],
) -> Float[np.ndarray, "2 3"]:
    """UDP's affine map: turn about the centre, scale each axis to `extent_px`, move the centre to the crop's centre.

    The axes' factors differ slightly, as (W - 1) / (H - 1) is not the region's aspect ratio. The rotation has the sense
    of `crop_matrix`; in UDP's code it has the other, which is the same augmentation.
    """
    angle = math.radians(rotation_degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    factors = extent_px.astype(np.float64) / (box_scale.astype(np.float64) * PIXELS_PER_SCALE)
    linear = factors[:, None] * turn
    return np.column_stack([linear, extent_px / 2.0 - linear @ center.astype(np.float64)])


def _right_angle(origin: Float[np.ndarray, "2"], arm: Float[np.ndarray, "2"]) -> Float[np.ndarray, "3 2"]:
    """`origin`, `origin + arm`, and the end of a second arm of the same length, turned by -90 degrees, from there."""
    points = np.zeros((3, 2), np.float32)
    points[0] = origin
    points[1] = origin + arm
    back = points[0] - points[1]
    points[2] = points[1] + np.array([-back[1], back[0]])
    return points


def mirror_matrix(image_width: int) -> Float[np.ndarray, "3 3"]:
    """x -> width - 1 - x in image pixels, homogeneous; its own inverse."""
    return np.array([[-1.0, 0.0, image_width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def crop_image(
    image: UInt8[np.ndarray, "height width *channels"],
    matrix: Float[np.ndarray, "2 3"],
    input_size: tuple[int, int],
    nearest: bool = False,
) -> UInt8[np.ndarray, "crop_height crop_width *channels"]:
    """The image under the map, bilinear (or nearest neighbour, for label maps), 0 outside the image."""
    flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return cv2.warpAffine(image, matrix, (input_size[1], input_size[0]), flags=flags)


def transform_points(
    points: Shaped[np.ndarray, "*batch 2"], matrix: Float[np.ndarray, "2 3"]
) -> Float[np.ndarray, "*batch 2"]:
    """Points (x, y) under an affine map; computed in float64, returned as float32."""
    return (points.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def inside_crop(keypoints_px: Float[np.ndarray, "*batch 2"], input_size: tuple[int, int]) -> Bool[np.ndarray, "*batch"]:
    """Which points lie on the crop: 0 <= x <= width - 1 and 0 <= y <= height - 1 (pixel centres)."""
    limit = np.array([input_size[1] - 1, input_size[0] - 1], np.float32)
    return np.asarray(((keypoints_px >= 0) & (keypoints_px <= limit)).all(axis=-1))


def keypoints_to_image(
    keypoints: Float[np.ndarray, "*batch K 2"],
    center: Float[np.ndarray, "*batch 2"],
    box_scale: Float[np.ndarray, "*batch 2"],
) -> Float[np.ndarray, "*batch K 2"]:
    """Predictions, normalised to [0, 1] of the crop, in image pixels; the inverse of the crop at rotation 0.

    Each axis is scaled by its own side of the cropped region: [0, 1] is the region by either rule, so that neither the
    rule nor the crop's size enters.
    """
    size = box_scale * PIXELS_PER_SCALE
    return (keypoints * size[..., None, :] + (center - size * 0.5)[..., None, :]).astype(np.float32)
