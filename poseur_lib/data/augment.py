"""Top-down augmentation, in the released code's order: flip, half body, scale, rotation; then the colours.

Everything is drawn from one generator that `augmentation_rng` makes from (seed, epoch, index), so that what happens to
a sample depends neither on workers nor on what was drawn for other samples. Each step is two functions: what is drawn
(`draw_placement`, `draw_colours`, `draw_cutout`, always in this order), and what that does to one person here, or to a
batch on a device in `poseur_lib.data.crop_batch`.
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
UPPER_BELOW = 0.5  # released code: of a standard normal
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


class PlacementDraws(NamedTuple):
    """What is drawn for the region of one crop.

    Attributes:
        mirrored: whether the image is mirrored first.
        half: the standard normal that chooses a body half (`half_body`); None leaves the whole body.
        size: standard normal of the size factor.
        turn: standard normal of the angle, whose deviation r is the configuration's; it is clipped to +-2r.
        turned: whether the crop is turned at all.
    """

    mirrored: bool
    half: float | None
    size: float
    turn: float
    turned: bool


class Colours(NamedTuple):
    """What happens to the colours of one crop, in this order.

    Attributes:
        brightness: added to all channels, of 255.
        contrast_before: factor of all channels before the two colour steps; 1 does nothing.
        saturation: factor of HSV's S.
        hue: added to HSV's H, in half degrees.
        contrast_after: as `contrast_before`, after them; one of the two is 1.
        order: the channels of the result, as channels of the crop.
    """

    brightness: float
    contrast_before: float
    saturation: float
    hue: int
    contrast_after: float
    order: tuple[int, int, int]


class Ellipse(NamedTuple):
    """A patch of a crop: centre (x, y) and half-axes in crop pixels, and the first axis' angle, clockwise."""

    center: tuple[int, int]
    axes: tuple[int, int]
    degrees: float


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
    draws = draw_placement(rng, int((visibility > 0).sum()), config)
    if draws.mirrored:
        center = np.array([image_width - 1 - center[0], center[1]], np.float32)
        keypoints_image, visibility = mirror_keypoints(keypoints_image, visibility, image_width, keypoints)
    if draws.half is not None:
        chosen = half_body(draws.half, visibility, keypoints)
        if len(chosen) >= 2:
            center, box_scale = region_of(keypoints_image[chosen], input_size, config.half_body_padding)
    factor = min(max(1 + config.scale_factor * draws.size, 1 - config.scale_factor), 1 + config.scale_factor)
    box_scale = (box_scale * np.float32(factor)).astype(np.float32)
    limit = 2 * config.rotation_degrees
    degrees = min(max(config.rotation_degrees * draws.turn, -limit), limit) if draws.turned else 0.0
    return Placement(center, box_scale, degrees, draws.mirrored), keypoints_image, visibility


def draw_placement(rng: np.random.Generator, num_labelled: int, config: AugmentConfig) -> PlacementDraws:
    """What is drawn for the region of a person with so many labelled keypoints."""
    mirrored = rng.random() < config.flip_probability
    half = None
    if num_labelled > config.half_body_min_keypoints and rng.random() < config.half_body_probability:
        half = rng.standard_normal()
    size, turn = rng.standard_normal(), rng.standard_normal()
    return PlacementDraws(mirrored, half, size, turn, rng.random() <= config.rotation_probability)


def half_body(normal: float, visibility: Visibility, keypoints: KeypointSet) -> list[int]:
    """The labelled keypoints of one body half.

    The upper half if the standard normal is below 0.5 (so in 69 % of cases) and it has more than 2 keypoints; else the
    lower one if that has more than 2; else the upper one.
    """
    upper = [index for index in keypoints.upper_body if visibility[index] > 0]
    lower = [index for index in keypoints.lower_body if visibility[index] > 0]
    if normal < UPPER_BELOW and len(upper) > 2:
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


def draw_colours(rng: np.random.Generator) -> Colours:
    """Brightness, contrast, saturation, hue and channel order, each with probability 0.5.

    Contrast comes before or after the two colour steps, at random.
    """
    brightness = rng.uniform(-BRIGHTNESS, BRIGHTNESS) if rng.random() < 0.5 else 0.0
    before = rng.random() < 0.5
    contrast = rng.uniform(*CONTRAST) if rng.random() < 0.5 else 1.0
    saturation = rng.uniform(*SATURATION) if rng.random() < 0.5 else 1.0
    hue = int(rng.integers(-HUE, HUE + 1)) if rng.random() < 0.5 else 0
    red, green, blue = rng.permutation(3).tolist() if rng.random() < 0.5 else (0, 1, 2)
    return Colours(
        brightness, contrast if before else 1.0, saturation, hue, 1.0 if before else contrast, (red, green, blue)
    )


def distort_colours(image: Image, colours: Colours) -> Image:
    """The crop with its colours changed; rounded and clipped to 0..255 after every step."""
    image = _linear(image, 1.0, colours.brightness)
    image = _linear(image, colours.contrast_before, 0.0)
    if colours.saturation != 1.0 or colours.hue != 0:
        image = _shift_colours(image, colours.saturation, colours.hue)
    image = _linear(image, colours.contrast_after, 0.0)
    return image if colours.order == (0, 1, 2) else np.ascontiguousarray(image[..., list(colours.order)])


def _linear(image: Image, factor: float, offset: float) -> Image:
    if factor == 1.0 and offset == 0.0:
        return image
    return cv2.LUT(image, np.clip(np.rint(np.arange(256) * factor + offset), 0, 255).astype(np.uint8))


def _shift_colours(image: Image, saturation: float, hue: int) -> Image:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + hue) % 180
    hsv[..., 1] = np.clip(np.rint(hsv[..., 1] * saturation), 0, 255)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def draw_cutout(rng: np.random.Generator, input_size: tuple[int, int]) -> Ellipse:
    """One ellipse: centre uniform over the crop, radii 0.2 (1 + U(0, 1)) crop widths each.

    Released code: the turn of the ellipse is not recorded. Here: uniform.
    """
    height, width = input_size
    center = (math.floor(rng.random() * width), math.floor(rng.random() * height))
    radii = CUTOUT_RADIUS * width * (1 + rng.random(2))
    return Ellipse(center, (round(float(radii[0])), round(float(radii[1]))), float(rng.uniform(0, 360)))


def fill_ellipse(image: UInt8[np.ndarray, "H W *channels"], ellipse: Ellipse, value: int) -> None:
    """Sets the pixels of an ellipse to a value, in place."""
    cv2.ellipse(image, ellipse.center, ellipse.axes, ellipse.degrees, 0, 360, (value,) * 3, -1)


def augment_colours(rng: np.random.Generator, image: Image, config: AugmentConfig) -> Image:
    """What is done to the crop's pixels after the warp; nothing unless the configuration asks for it."""
    if config.photometric:
        image = distort_colours(image, draw_colours(rng))
    if config.cutout:
        image = image.copy()
        fill_ellipse(image, draw_cutout(rng, (image.shape[0], image.shape[1])), 0)
    return image
