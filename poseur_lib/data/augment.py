"""Top-down augmentation, in the released code's order: flip, half body, scale, rotation; then the colours.

Everything is drawn from one generator that `augmentation_rng` makes from (seed, epoch, index), so that what happens to
a sample depends neither on workers nor on what was drawn for other samples.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from poseur_lib.config.data import AugmentConfig
from poseur_lib.data.crop import PIXELS_PER_SCALE, fit_aspect
from poseur_lib.keypoints import KeypointSet

Center = Float[np.ndarray, "2"]
Keypoints = Float[np.ndarray, "K 2"]
Visibility = Int[np.ndarray, "K"]
Image = UInt8[np.ndarray, "H W 3"]

BRIGHTNESS = 32.0  # released code: added to all channels, of 255
CONTRAST = (0.5, 1.5)
SATURATION = (0.5, 1.5)
HUE = 18  # in OpenCV's half degrees: +-36 degrees of the colour circle
CUTOUT_RADIUS = 0.2  # of the crop's width, times 1 to 2


class Placement(NamedTuple):
    """Which region of the image a training crop shows.

    Attributes:
        center: (x, y) in image pixels; of the mirrored image if `mirrored`.
        box_scale: (w, h) in units of 200 px.
        rotation_degrees: as `crop_matrix` takes it.
        mirrored: whether the image is mirrored first.
    """

    center: Center
    box_scale: Center
    rotation_degrees: float
    mirrored: bool


def augmentation_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The generator of one sample in one epoch: a pure function of the three numbers."""
    return np.random.default_rng([seed, epoch, index])


def mirror_keypoints(
    keypoints_image: Keypoints, visibility: Visibility, image_width: int, keypoints: KeypointSet
) -> tuple[Keypoints, Visibility]:
    """A person in the mirrored image: x -> width - 1 - x, left and right exchanged; not labelled stays (0, 0)."""
    swap = np.array(keypoints.flip_index)
    mirrored = keypoints_image[swap] * np.array([-1, 1], np.float32) + np.array([image_width - 1, 0], np.float32)
    return np.where(visibility[swap, None] > 0, mirrored, np.float32(0)), visibility[swap]


def place_crop(
    rng: np.random.Generator,
    center: Center,
    box_scale: Center,
    keypoints_image: Keypoints,
    visibility: Visibility,
    image_width: int,
    keypoints: KeypointSet,
    input_size: tuple[int, int],
    config: AugmentConfig,
) -> tuple[Placement, Keypoints, Visibility]:
    """The geometric half of augmentation.

    Returns:
        The region, and the person's keypoints and visibility, in pixels of the (possibly mirrored) image.
    """
    mirrored = bool(rng.random() < config.flip_probability)
    if mirrored:
        center = np.array([image_width - 1 - center[0], center[1]], np.float32)
        keypoints_image, visibility = mirror_keypoints(keypoints_image, visibility, image_width, keypoints)
    if (visibility > 0).sum() > config.half_body_min_keypoints and rng.random() < config.half_body_probability:
        chosen = half_body(rng, visibility, keypoints)
        if len(chosen) >= 2:
            center, box_scale = region_of(keypoints_image[chosen], input_size, config.half_body_padding)
    factor = np.clip(1 + config.scale_factor * rng.standard_normal(), 1 - config.scale_factor, 1 + config.scale_factor)
    rotation = random_rotation(rng, config)
    placement = Placement(center, (box_scale * np.float32(factor)).astype(np.float32), rotation, mirrored)
    return placement, keypoints_image, visibility


def half_body(rng: np.random.Generator, visibility: Visibility, keypoints: KeypointSet) -> list[int]:
    """The labelled keypoints of one body half.

    The upper half if a standard normal is below 0.5 (so in 69 % of cases) and it has more than 2 keypoints; else the
    lower one if that has more than 2; else the upper one.
    """
    upper = [index for index in keypoints.upper_body if visibility[index] > 0]
    lower = [index for index in keypoints.lower_body if visibility[index] > 0]
    if rng.standard_normal() < 0.5 and len(upper) > 2:
        return upper
    return lower if len(lower) > 2 else upper


def region_of(
    points_image: Float[np.ndarray, "N 2"], input_size: tuple[int, int], padding: float
) -> tuple[Center, Center]:
    """Centre (the mean of the points) and box scale (their extent at the input's aspect ratio, padded)."""
    width, height = np.ptp(points_image, axis=0)
    size = np.array(fit_aspect(float(width), float(height), input_size), np.float32)
    size = np.maximum(size, np.float32(1))  # points that coincide would leave nothing to crop
    center = points_image.mean(axis=0).astype(np.float32)
    return center, (size / np.float32(PIXELS_PER_SCALE) * np.float32(padding)).astype(np.float32)


def random_rotation(rng: np.random.Generator, config: AugmentConfig) -> float:
    """Degrees: normal with deviation r, clipped to +-2r, with the configured probability; else 0."""
    limit = 2 * config.rotation_degrees
    degrees = float(np.clip(config.rotation_degrees * rng.standard_normal(), -limit, limit))
    return degrees if rng.random() <= config.rotation_probability else 0.0


def photometric_distortion(rng: np.random.Generator, image: Image) -> Image:
    """Brightness, contrast, saturation, hue and channel order, each with probability 0.5.

    Contrast comes before or after the two colour steps, at random. Results are rounded and clipped to 0..255 after
    every step.
    """
    if rng.random() < 0.5:
        image = _linear(image, 1.0, rng.uniform(-BRIGHTNESS, BRIGHTNESS))
    contrast_first = rng.random() < 0.5
    contrast = rng.uniform(*CONTRAST) if rng.random() < 0.5 else 1.0
    if contrast_first:
        image = _linear(image, contrast, 0.0)
    saturation = rng.uniform(*SATURATION) if rng.random() < 0.5 else 1.0
    hue = int(rng.integers(-HUE, HUE + 1)) if rng.random() < 0.5 else 0
    if saturation != 1.0 or hue != 0:
        image = _shift_colours(image, saturation, hue)
    if not contrast_first:
        image = _linear(image, contrast, 0.0)
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[..., rng.permutation(3)])
    return image


def _linear(image: Image, factor: float, offset: float) -> Image:
    if factor == 1.0 and offset == 0.0:
        return image
    return cv2.LUT(image, np.clip(np.rint(np.arange(256) * factor + offset), 0, 255).astype(np.uint8))


def _shift_colours(image: Image, saturation: float, hue: int) -> Image:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + hue) % 180
    hsv[..., 1] = np.clip(np.rint(hsv[..., 1] * saturation), 0, 255)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def cutout(rng: np.random.Generator, image: Image) -> Image:
    """One black ellipse: centre uniform over the crop, radii 0.2 (1 + U(0, 1)) crop widths each.

    Released code: the turn of the ellipse is not recorded. Here: uniform.
    """
    height, width = image.shape[:2]
    center = (math.floor(rng.random() * width), math.floor(rng.random() * height))
    radii = CUTOUT_RADIUS * width * (1 + rng.random(2))
    axes = (round(float(radii[0])), round(float(radii[1])))
    return cv2.ellipse(image.copy(), center, axes, float(rng.uniform(0, 360)), 0, 360, (0, 0, 0), -1)


def augment_colours(rng: np.random.Generator, image: Image, config: AugmentConfig) -> Image:
    """What is done to the crop's pixels after the warp; nothing unless the configuration asks for it."""
    if config.photometric:
        image = photometric_distortion(rng, image)
    return cutout(rng, image) if config.cutout else image
