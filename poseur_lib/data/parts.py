"""Crops with part labels, for the part-segmentation pretext: `parts_{split}2017/<stem>.png` beside the images."""

from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from poseur_lib.data.crop import crop_image
from poseur_lib.data.dataset import ImageCache, PersonCrops, SampleKey
from poseur_lib.data.images import read_labels
from poseur_lib.data.part_labels import FLIP_PAIRS

LABEL_STRIDE = 4
IMAGE_CHANNELS = 3


class PartBatch(NamedTuple):
    """Crops and their part labels; a dataset yields it without the leading B.

    Attributes:
        images: RGB crops, ImageNet-normalised.
        labels: part of the pixel at the centre of each 4 x 4 block; 0 is background and outside the image.
    """

    images: Float[Tensor, "*B 3 H W"]
    labels: Int[Tensor, "*B h w"]


MIRRORED_LABELS = np.arange(256, dtype=np.uint8)
"""The label of each label in the mirrored image."""
for _left, _right in FLIP_PAIRS:
    MIRRORED_LABELS[[_left, _right]] = _right, _left


class PartCrops(PersonCrops[PartBatch]):
    """The crops of `PoseCrops`, with part labels for targets."""

    @cached_property
    def label_maps(self) -> ImageCache:
        """Of images, by their files."""
        return ImageCache(self.cache_bytes // IMAGE_CHANNELS, read_labels)

    def __getitem__(self, key: SampleKey) -> PartBatch:
        index, view, crop = self._crop(key)
        labels = self.label_maps(part_path(self.people[index].image_path))
        if view.placement.mirrored:
            labels = MIRRORED_LABELS[labels]
        matrix, size = strided(view.matrix, LABEL_STRIDE), label_size(self.input_size)
        cells = crop_image(labels, matrix, size, nearest=True)
        return PartBatch(crop, torch.from_numpy(cells.astype(np.int64)))


def part_path(image_path: Path) -> Path:
    """Where the label map of an image lies."""
    return image_path.parent.with_name(f"parts_{image_path.parent.name}") / f"{image_path.stem}.png"


def label_size(input_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) in cells of a crop's labels."""
    return input_size[0] // LABEL_STRIDE, input_size[1] // LABEL_STRIDE


def strided(matrix: Float[np.ndarray, "2 3"], stride: int) -> Float[np.ndarray, "2 3"]:
    """The map to a grid of cells of `stride` crop pixels: cell u is centred on crop pixel stride (u + 1/2) - 1/2."""
    cells = matrix / stride
    cells[:, 2] += 0.5 / stride - 0.5
    return cells
