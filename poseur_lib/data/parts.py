"""Crops with part labels, for the part-segmentation pretext: `parts_{split}2017/<stem>.png` beside the images."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from poseur_lib.config.data import AugmentConfig
from poseur_lib.data.augment import augment_colours
from poseur_lib.data.coco import Person
from poseur_lib.data.crop import CropRule, crop_image
from poseur_lib.data.dataset import ImageCache, SampleKey, normalise, view_person
from poseur_lib.data.images import read_labels
from poseur_lib.keypoints import KeypointSet

LABEL_STRIDE = 4


class PartBatch(NamedTuple):
    """Crops and their part labels; a dataset yields it without the leading B.

    Attributes:
        images: RGB crops, ImageNet-normalised.
        labels: part of the pixel at the centre of each 4 x 4 block; 0 is background and outside the image.
    """

    images: Float[Tensor, "*B 3 H W"]
    labels: Int[Tensor, "*B h w"]


class PartCrops(Dataset[PartBatch]):
    """As `PoseCrops` with the same arguments (and the same crops), but with part labels for targets.

    Args:
        label_flip_pairs: (left, right) labels that change places when the image is mirrored.
    """

    def __init__(
        self,
        people: Sequence[Person],
        keypoints: KeypointSet,
        input_size: tuple[int, int],
        rule: CropRule,
        augment: AugmentConfig | None,
        seed: int,
        label_flip_pairs: Sequence[tuple[int, int]],
        cache_bytes: int = 0,
    ) -> None:
        self.people, self.keypoints, self.input_size = people, keypoints, input_size
        self.rule, self.augment, self.seed, self.epoch = rule, augment, seed, 0
        self.mirrored_labels = np.arange(256, dtype=np.uint8)
        for left, right in label_flip_pairs:
            self.mirrored_labels[[left, right]] = right, left
        self.images = ImageCache(cache_bytes)

    def __len__(self) -> int:
        return len(self.people)

    def set_epoch(self, epoch: int) -> None:
        """The epoch of samples that are asked for by index alone."""
        self.epoch = epoch

    def __getitem__(self, key: SampleKey) -> PartBatch:
        epoch, index = key if isinstance(key, tuple) else (self.epoch, key)
        person = self.people[index]
        image, labels = self.images.read(person.image_path), read_labels(part_path(person.image_path))
        view = view_person(person, image.shape[1], self.keypoints, self.input_size, self.rule, self.augment,
                           (self.seed, epoch, index))  # fmt: skip
        crop = crop_image(image, view.matrix, self.input_size)
        if self.augment is not None:
            crop = augment_colours(view.rng, crop, self.augment)
        if view.placement.mirrored:
            labels = self.mirrored_labels[labels]
        label_size = (self.input_size[0] // LABEL_STRIDE, self.input_size[1] // LABEL_STRIDE)
        cells = crop_image(labels, strided(view.matrix, LABEL_STRIDE), label_size, nearest=True)
        return PartBatch(torch.from_numpy(normalise(crop)), torch.from_numpy(cells.astype(np.int64)))


def part_path(image_path: Path) -> Path:
    """Where the label map of an image lies."""
    return image_path.parent.with_name(f"parts_{image_path.parent.name}") / f"{image_path.stem}.png"


def strided(matrix: Float[np.ndarray, "2 3"], stride: int) -> Float[np.ndarray, "2 3"]:
    """The map to a grid of cells of `stride` crop pixels: cell u is centred on crop pixel stride (u + 1/2) - 1/2."""
    cells = matrix / stride
    cells[:, 2] += 0.5 / stride - 0.5
    return cells
