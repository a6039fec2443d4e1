"""Samples in numbers: where the crops of a batch lie and what happens to their colours, without a pixel read.

This is `view_person` for many people at once. What is drawn comes from the same generators by the same functions; the
geometry is the same arithmetic on arrays, so that a crop's map differs by float64 rounding alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.utils.data import Dataset

from poseur_lib.config.data import AugmentConfig
from poseur_lib.data.augment import (
    UPPER_BELOW,
    Colours,
    PlacementDraws,
    draw_colours,
    draw_cutout,
    draw_placement,
    fill_ellipse,
)
from poseur_lib.data.coco import Person
from poseur_lib.data.crop import (
    PIXELS_PER_SCALE,
    CropRule,
    box_to_center_scale,
    inside_crop,
)
from poseur_lib.data.dataset import SampleKey
from poseur_lib.data.streams import sample_streams
from poseur_lib.keypoints import KeypointSet


class ColourBatch(NamedTuple):
    """`Colours` of B crops."""

    brightness: Float[Tensor, "*B"]
    contrast_before: Float[Tensor, "*B"]
    saturation: Float[Tensor, "*B"]
    hue: Int[Tensor, "*B"]
    contrast_after: Float[Tensor, "*B"]
    order: Int[Tensor, "*B 3"]


class SampleDraws(NamedTuple):
    """All of a batch but its pixels; the fields that `PoseBatch` has are as there.

    Attributes:
        image: position among the images.
        mirrored: whether the crop shows the image mirrored.
        to_image: affine map from crop pixels to pixels of the image as it is stored.
        colours: None without photometric distortion.
        blackened: pixels that cutout sets to 0; None without cutout. They are drawn here by OpenCV, as its ellipse is
            a polygon of its own kind.
    """

    image: Int[Tensor, "*B"]
    mirrored: Bool[Tensor, "*B"]
    to_image: Float[Tensor, "*B 2 3"]
    keypoints: Float[Tensor, "*B K 2"]
    visibility: Int[Tensor, "*B K"]
    inside: Bool[Tensor, "*B K"]
    position: Int[Tensor, "*B"]
    center: Float[Tensor, "*B 2"]
    box_scale: Float[Tensor, "*B 2"]
    colours: ColourBatch | None
    blackened: Bool[Tensor, "*B H W"] | None


class Regions(NamedTuple):
    """`Placement` of B crops, with keypoints and visibility in pixels of the (possibly mirrored) images."""

    center: Float[np.ndarray, "B 2"]
    box_scale: Float[np.ndarray, "B 2"]
    rotation_degrees: Float[np.ndarray, "B"]
    mirrored: Bool[np.ndarray, "B"]
    keypoints_image: Float[np.ndarray, "B K 2"]
    visibility: Int[np.ndarray, "B K"]


class SampleNumbers(Dataset[SampleDraws]):
    """The samples of `PoseCrops` but for their pixels; asked for by a list of keys, and gives them as one batch.

    Args:
        images: of each person, position among the images.
        widths: of each person's image, in pixels.
    """

    def __init__(
        self,
        people: Sequence[Person],
        images: Int[np.ndarray, "N"],
        widths: Int[np.ndarray, "N"],
        keypoints: KeypointSet,
        input_size: tuple[int, int],
        rule: CropRule,
        augment: AugmentConfig | None,
        seed: int,
    ) -> None:
        self.images, self.widths = images, widths
        self.keypoints, self.input_size, self.rule = keypoints, input_size, rule
        self.augment, self.seed = augment, seed
        regions = [box_to_center_scale(person.box, input_size, rule) for person in people]
        count = keypoints.num_keypoints
        self.center = np.array([center for center, _ in regions], np.float32).reshape(-1, 2)
        self.box_scale = np.array([box_scale for _, box_scale in regions], np.float32).reshape(-1, 2)
        self.points = np.zeros((len(people), count, 2), np.float32)
        self.visibility = np.zeros((len(people), count), np.int64)
        for row, person in enumerate(people):
            if person.keypoints_image is not None and person.visibility is not None:
                self.points[row], self.visibility[row] = person.keypoints_image, person.visibility
        self.num_labelled = (self.visibility > 0).sum(axis=1).tolist()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, keys: Sequence[SampleKey]) -> SampleDraws:
        pairs = [key if isinstance(key, tuple) else (0, key) for key in keys]
        rows = np.array([index for _, index in pairs], np.int64)
        regions = self._whole(rows)
        colours, blackened = None, None
        if self.augment is not None:
            drawn, colours, blackened = self._draw(pairs, self.augment)
            regions = place_crops(drawn, regions, self.widths[rows], self.keypoints, self.input_size, self.augment)
        matrix = crop_matrices(regions, self.input_size, self.rule)
        points_px = transformed(regions.keypoints_image, matrix) * (regions.visibility > 0)[..., None]
        inside = (regions.visibility > 0) & inside_crop(points_px, self.input_size)
        return SampleDraws(
            torch.from_numpy(self.images[rows]),
            torch.from_numpy(regions.mirrored),
            torch.from_numpy(inverted(stored(matrix, regions.mirrored, self.widths[rows])).astype(np.float32)),
            torch.from_numpy(points_px / self.rule.extent_px(self.input_size)),
            torch.from_numpy(regions.visibility),
            torch.from_numpy(inside),
            torch.from_numpy(rows),
            torch.from_numpy(regions.center),
            torch.from_numpy(regions.box_scale),
            colours,
            blackened,
        )

    def _whole(self, rows: Int[np.ndarray, "B"]) -> Regions:
        """The regions of people's boxes as they are."""
        none = np.zeros(len(rows))
        return Regions(self.center[rows], self.box_scale[rows], none, none > 0, self.points[rows],
                       self.visibility[rows])  # fmt: skip

    def _draw(
        self, pairs: Sequence[tuple[int, int]], config: AugmentConfig
    ) -> tuple[list[PlacementDraws], ColourBatch | None, Bool[Tensor, "B H W"] | None]:
        """What is drawn for each (epoch, index), in the order of `place_crop` and `augment_colours`."""
        placements, colours = [], []
        black = np.zeros((len(pairs), *self.input_size), np.uint8) if config.cutout else None
        for row, rng in enumerate(sample_streams(self.seed, pairs)):
            placements.append(draw_placement(rng, self.num_labelled[pairs[row][1]], config))
            if config.photometric:
                colours.append(draw_colours(rng))
            if black is not None:
                fill_ellipse(black[row], draw_cutout(rng, self.input_size), 1)
        return (
            placements,
            colour_batch(colours) if config.photometric else None,
            None if black is None else torch.from_numpy(black.view(np.bool_)),
        )


def colour_batch(colours: Sequence[Colours]) -> ColourBatch:
    """The colours of crops, field by field."""
    return ColourBatch(*(torch.tensor(values, dtype=torch.float64 if isinstance(values[0], float) else torch.int64)
                         for values in zip(*colours, strict=True)))  # fmt: skip


def place_crops(
    drawn: Sequence[PlacementDraws],
    whole: Regions,
    image_widths: Int[np.ndarray, "B"],
    keypoints: KeypointSet,
    input_size: tuple[int, int],
    config: AugmentConfig,
) -> Regions:
    """`place_crop` of many people, from what was drawn for each."""
    mirrored, halves, sizes, turns, turned = (np.array(values) for values in zip(*drawn, strict=True))
    regions = mirror_regions(whole, mirrored, image_widths, keypoints)
    halves = halves.astype(np.float64)  # None becomes NaN
    regions = half_bodies(regions, halves, keypoints, input_size, config.half_body_padding)
    limit = 2 * config.rotation_degrees
    factors = np.clip(1 + config.scale_factor * sizes, 1 - config.scale_factor, 1 + config.scale_factor)
    return regions._replace(
        box_scale=regions.box_scale * factors.astype(np.float32)[:, None],
        rotation_degrees=np.where(turned, np.clip(config.rotation_degrees * turns, -limit, limit), 0.0),
    )


def mirror_regions(
    regions: Regions, mirrored: Bool[np.ndarray, "B"], image_widths: Int[np.ndarray, "B"], keypoints: KeypointSet
) -> Regions:
    """Those of the mirrored people in their mirrored images (`mirror_keypoints`), the others as they are."""
    swap = np.array(keypoints.flip_index)
    last = (image_widths - 1).astype(np.float32)
    visibility = np.where(mirrored[:, None], regions.visibility[:, swap], regions.visibility)
    swapped = regions.keypoints_image[:, swap]
    swapped[..., 0] = last[:, None] - swapped[..., 0]
    swapped[visibility == 0] = 0
    center = regions.center.copy()
    center[mirrored, 0] = last[mirrored] - center[mirrored, 0]
    points = np.where(mirrored[:, None, None], swapped, regions.keypoints_image)
    return regions._replace(center=center, mirrored=mirrored, keypoints_image=points, visibility=visibility)


def half_bodies(
    regions: Regions,
    normals: Float[np.ndarray, "B"],
    keypoints: KeypointSet,
    input_size: tuple[int, int],
    padding: float,
) -> Regions:
    """The regions of body halves (`half_body`, `region_of`) where a normal is not NaN and a half has two keypoints."""
    labelled = regions.visibility > 0
    upper, lower = (labelled & np.isin(np.arange(keypoints.num_keypoints), half)
                    for half in (keypoints.upper_body, keypoints.lower_body))  # fmt: skip
    wants_upper = (normals < UPPER_BELOW) & (upper.sum(axis=1) > 2) | (lower.sum(axis=1) <= 2)
    chosen = np.where(wants_upper[:, None], upper, lower)
    rows = np.nonzero(~np.isnan(normals) & (chosen.sum(axis=1) >= 2))[0]
    if not len(rows):
        return regions
    chosen, points = chosen[rows, :, None], regions.keypoints_image[rows]
    size = np.where(chosen, points, -np.inf).max(axis=1) - np.where(chosen, points, np.inf).min(axis=1)
    size = np.maximum(fitted(size.astype(np.float64), input_size).astype(np.float32), np.float32(1))
    center, box_scale = regions.center.copy(), regions.box_scale.copy()
    center[rows] = np.where(chosen, points, np.float32(0)).sum(axis=1) / chosen.sum(axis=1).astype(np.float32)
    box_scale[rows] = size / np.float32(PIXELS_PER_SCALE) * np.float32(padding)
    return regions._replace(center=center, box_scale=box_scale)


def fitted(sizes: Float[np.ndarray, "B 2"], input_size: tuple[int, int]) -> Float[np.ndarray, "B 2"]:
    """`fit_aspect` of many (width, height)."""
    aspect = input_size[1] / input_size[0]
    width, height = sizes.T
    wide = width > aspect * height
    return np.stack([np.where(wide, width, height * aspect), np.where(wide, width / aspect, height)], axis=1)


def crop_matrices(regions: Regions, input_size: tuple[int, int], rule: CropRule) -> Float[np.ndarray, "B 2 3"]:
    """`crop_matrix` of many regions."""
    angle = np.radians(regions.rotation_degrees)
    sine, cosine = np.sin(angle), np.cos(angle)
    center = regions.center.astype(np.float64)
    if rule.unbiased:
        extent = rule.extent_px(input_size)
        turn = np.stack([cosine, sine, -sine, cosine], axis=-1).reshape(-1, 2, 2)
        linear = (extent / (regions.box_scale.astype(np.float64) * PIXELS_PER_SCALE))[..., None] * turn
        target = (extent / 2.0).astype(np.float64)
    else:
        linear = _plain_linear(regions, sine, cosine, input_size)
        target = np.array([input_size[1] * 0.5, input_size[0] * 0.5])
    return np.concatenate([linear, (target - (linear @ center[..., None])[..., 0])[..., None]], axis=-1)


def _plain_linear(
    regions: Regions, sine: Float[np.ndarray, "B"], cosine: Float[np.ndarray, "B"], input_size: tuple[int, int]
) -> Float[np.ndarray, "B 2 2"]:
    """The linear part of the map by three points that are rounded to float32, as `crop_matrix` has it."""
    reach = (regions.box_scale[:, 0] * np.float32(PIXELS_PER_SCALE)).astype(np.float64) * -0.5
    origin = regions.center
    up = (origin + np.stack([-reach * sine, reach * cosine], axis=1)).astype(np.float32)
    back = origin - up
    corner = up + np.stack([-back[:, 1], back[:, 0]], axis=1)
    first, second = ((point.astype(np.float64) - origin).T for point in (up, corner))
    half = input_size[1] * 0.5  # `up` goes to (0, -half) from the crop's centre, `corner` to (-half, -half)
    area = first[0] * second[1] - second[0] * first[1]
    zoom = np.divide(half, area, out=np.zeros_like(area), where=area != 0)
    to_right = np.stack([first[1], -first[0]], axis=1)
    to_bottom = np.stack([first[1] - second[1], second[0] - first[0]], axis=1)
    return np.stack([to_right, to_bottom], axis=1) * zoom[:, None, None]


def stored(
    matrix: Float[np.ndarray, "B 2 3"], mirrored: Bool[np.ndarray, "B"], image_widths: Int[np.ndarray, "B"]
) -> Float[np.ndarray, "B 2 3"]:
    """Maps from mirrored images as maps from the images as they are stored (`mirror_matrix`)."""
    from_left = matrix[..., 2] + matrix[..., 0] * (image_widths - 1.0)[:, None]
    turned = np.stack([-matrix[..., 0], matrix[..., 1], from_left], axis=-1)
    return np.where(mirrored[:, None, None], turned, matrix)


def inverted(matrix: Float[np.ndarray, "B 2 3"]) -> Float[np.ndarray, "B 2 3"]:
    """The inverse of affine maps; 0 for one that has none, as OpenCV's warp has it."""
    (a, b, x), (c, d, y) = matrix.transpose(1, 2, 0)
    area = a * d - b * c
    scale = np.divide(1.0, area, out=np.zeros_like(area), where=area != 0)
    a, b, c, d = d * scale, -b * scale, -c * scale, a * scale
    return np.stack([np.stack([a, b, -a * x - b * y], -1), np.stack([c, d, -c * x - d * y], -1)], axis=1)


def transformed(points: Shaped[np.ndarray, "B K 2"], matrix: Float[np.ndarray, "B 2 3"]) -> Float[np.ndarray, "B K 2"]:
    """`transform_points`, each person's by a map of their own."""
    linear, offset = matrix[..., :2], matrix[..., 2]
    return (points.astype(np.float64) @ linear.transpose(0, 2, 1) + offset[:, None]).astype(np.float32)
