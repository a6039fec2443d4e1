"""Crops of a batch on a device: what `crop_image`, `augment_colours` and `normalise` do to one, as tensor operations.

Values are kept as floating-point numbers that are whole after every step, as OpenCV's bytes are. Nothing waits for the
device, and nothing depends on a value there.
"""

from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from poseur_lib.data.dataset import IMAGE_MEAN, IMAGE_STD
from poseur_lib.data.device_images import DeviceImages
from poseur_lib.data.draws import ColourBatch, SampleDraws

LEVELS, HUES = 255, 180  # OpenCV's bytes: hue in half degrees
FRACTION_BITS = 12  # of OpenCV's fixed-point divisions


def crop_batch(images: DeviceImages, draws: SampleDraws, input_size: tuple[int, int]) -> Float[Tensor, "B 3 H W"]:
    """The crops, ImageNet-normalised; `draws` are on the images' device."""
    crops = warp(images, draws.image, draws.to_image, input_size)
    if draws.colours is not None:
        crops = distort_colours(crops, draws.colours)
    if draws.blackened is not None:
        crops = crops.masked_fill(draws.blackened[:, None], 0.0)
    scale, offset = _normalisation(crops.device)
    return (crops * scale).sub_(offset)


def warp(
    images: DeviceImages, image: Int[Tensor, "B"], to_image: Float[Tensor, "B 2 3"], input_size: tuple[int, int]
) -> Float[Tensor, "B 3 H W"]:
    """Images under affine maps, bilinear, rounded to whole grey levels; 0 outside the image.

    OpenCV's convention: pixel centres lie at whole numbers, and a neighbour outside the image counts as 0. OpenCV 5
    computes the place in float32, as here; before, it was rounded to 1/32 pixel.

    Args:
        to_image: from crop pixels to image pixels.
    """
    places = sampled_places(to_image, input_size)
    height, width, first = (values[image, None, None] for values in (images.height, images.width, images.first))
    columns, across = _neighbours(places[0], width)
    rows, down = _neighbours(places[1], height)
    index = (first + rows * width)[:, None] + columns[None]
    found = images.pixels.index_select(0, index.flatten()).view(*index.shape, -1)
    weights = (down[:, None] * across[None])[..., None]
    mixed = found[0, 0] * weights[0, 0]
    for neighbour in ((0, 1), (1, 0), (1, 1)):
        mixed += found[neighbour] * weights[neighbour]
    return mixed.round_().permute(0, 3, 1, 2).contiguous()


def warp_labels(
    labels: DeviceImages, image: Int[Tensor, "B"], to_image: Float[Tensor, "B 2 3"], size: tuple[int, int]
) -> Int[Tensor, "B h w"]:
    """Label maps under affine maps, the nearest pixel's; 0 outside the image.

    Args:
        to_image: from cells of the result to image pixels.
    """
    height, width, first = (values[image, None, None] for values in (labels.height, labels.width, labels.first))
    columns, rows = sampled_places(to_image, size).round_()
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    index = torch.where(inside, first + rows.long() * width + columns.long(), 0)
    return labels.pixels[:, 0].index_select(0, index.flatten()).view_as(index).long() * inside


def sampled_places(to_image: Float[Tensor, "B 2 3"], input_size: tuple[int, int]) -> Float[Tensor, "2 B H W"]:
    """Of every crop pixel, its (x, y) in image pixels."""
    y, x = (torch.arange(side, device=to_image.device, dtype=to_image.dtype) for side in input_size)
    per_x, per_y, offset = to_image.permute(2, 1, 0)[..., None]
    return (per_x * x)[:, :, None, :] + (per_y * y + offset)[..., None]


def _neighbours(
    place: Float[Tensor, "B H W"], side: Int[Tensor, "B 1 1"]
) -> tuple[Int[Tensor, "2 B H W"], Float[Tensor, "2 B H W"]]:
    """Along one axis, the two pixels beside a place and their weights; outside the image the weight is 0."""
    place = place.clamp(min=-1).minimum(side.to(place.dtype))
    lower = place.floor()
    share = place - lower
    both = torch.stack([lower, lower + 1]).int()
    inside = (both >= 0) & (both < side)
    return both.clamp_(min=0).minimum(side - 1), torch.stack([1 - share, share]) * inside


def distort_colours(crops: Float[Tensor, "B 3 H W"], colours: ColourBatch) -> Float[Tensor, "B 3 H W"]:
    """`poseur_lib.data.augment.distort_colours` of a batch."""
    crops = _linear(crops, offset=colours.brightness)
    crops = _linear(crops, factor=colours.contrast_before)
    shifted = shift_colours(crops, colours.saturation, colours.hue)
    changed = (colours.saturation != 1.0) | (colours.hue != 0)
    crops = torch.where(_per_crop(changed), shifted, crops)
    crops = _linear(crops, factor=colours.contrast_after)
    return crops.gather(1, _per_crop(colours.order).expand_as(crops))


def _linear(
    crops: Float[Tensor, "B 3 H W"], factor: Float[Tensor, "B"] | None = None, offset: Float[Tensor, "B"] | None = None
) -> Float[Tensor, "B 3 H W"]:
    """Values times `factor` or plus `offset`, rounded and clipped; in float64, as OpenCV's table is made."""
    values = crops.double() * _per_crop(factor) if factor is not None else crops.double()
    values = values + _per_crop(offset) if offset is not None else values
    return values.round_().clamp_(0, LEVELS).to(crops.dtype)


def shift_colours(
    crops: Float[Tensor, "B 3 H W"], saturation: Float[Tensor, "B"], hue: Int[Tensor, "B"]
) -> Float[Tensor, "B 3 H W"]:
    """Saturation and hue changed in OpenCV's HSV of bytes."""
    hues, saturations, values = rgb_to_hsv(crops)
    hues = (hues + hue[:, None, None]) % HUES
    saturations = (saturations * saturation[:, None, None]).round_().clamp_(0, LEVELS)
    return hsv_to_rgb(hues.to(crops.dtype), saturations.to(crops.dtype), values.to(crops.dtype))


def rgb_to_hsv(
    crops: Float[Tensor, "B 3 H W"],
) -> tuple[Int[Tensor, "B H W"], Int[Tensor, "B H W"], Int[Tensor, "B H W"]]:
    """OpenCV's COLOR_RGB2HSV of bytes, exactly: hue in 0..179, saturation and value in 0..255."""
    red, green, blue = crops.int().unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    span = value - torch.minimum(torch.minimum(red, green), blue)
    half = 1 << (FRACTION_BITS - 1)
    saturation = (span * _reciprocals(LEVELS, value) + half) >> FRACTION_BITS
    sector = torch.where(value == green, blue - red + 2 * span, red - green + 4 * span)
    sector = torch.where(value == red, green - blue, sector)
    hue = (sector * _reciprocals(HUES / 6, span) + half) >> FRACTION_BITS
    return torch.where(hue < 0, hue + HUES, hue), saturation, value


def _reciprocals(numerator: float, divisor: Int[Tensor, "B H W"]) -> Int[Tensor, "B H W"]:
    """numerator / divisor in fixed point, rounded; 0 for a divisor of 0."""
    fixed = torch.round((numerator * (1 << FRACTION_BITS)) / divisor.double())
    return fixed.masked_fill_(divisor == 0, 0.0).int()


def hsv_to_rgb(
    hue: Float[Tensor, "B H W"], saturation: Float[Tensor, "B H W"], value: Float[Tensor, "B H W"]
) -> Float[Tensor, "B 3 H W"]:
    """OpenCV's COLOR_HSV2RGB of bytes, which truncates (but rounds pixels at a row's end that fill no vector)."""
    sixths = hue * (6 / HUES)
    chroma = (value * (1 / LEVELS)) * (saturation * (1 / LEVELS))
    channels = []
    for start in (5, 3, 1):
        along = (sixths + start) % 6
        channels.append(value * (1 / LEVELS) - chroma * torch.minimum(along, 4 - along).clamp_(0, 1))
    return (torch.stack(channels, dim=1) * LEVELS).floor_().clamp_(0, LEVELS)


def _per_crop(values: Tensor) -> Tensor:
    """(B,) or (B, 3) as (B, 1 or 3, 1, 1)."""
    return values.reshape(len(values), -1, 1, 1)


@cache
def _normalisation(device: torch.device) -> tuple[Float[Tensor, "3 1 1"], Float[Tensor, "3 1 1"]]:
    """Factor and offset of the channels, as `normalise` has them."""
    scale, offset = (torch.from_numpy(values) for values in (1 / (LEVELS * IMAGE_STD), IMAGE_MEAN / IMAGE_STD))
    return scale.to(device)[:, None, None], offset.to(device)[:, None, None]
