"""Crops of people as torch samples, and the order in which an epoch takes them."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from poseur_lib.config.data import AugmentConfig
from poseur_lib.data.augment import Placement, augment_colours, augmentation_rng, place_crop
from poseur_lib.data.coco import Person
from poseur_lib.data.crop import (
    CropRule,
    box_to_center_scale,
    crop_image,
    crop_matrix,
    inside_crop,
    mirror_matrix,
    transform_points,
)
from poseur_lib.data.image_format import TURNED
from poseur_lib.data.images import head_of_file, read_image, read_labelled_image
from poseur_lib.errors import UserError
from poseur_lib.keypoints import KeypointSet

cv2.setNumThreads(0)  # data workers are the parallelism; OpenCV's own threads only get in their way

IMAGE_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # ImageNet, RGB, of values in 0..1
IMAGE_STD = np.array([0.229, 0.224, 0.225], np.float32)
SampleKey = int | tuple[int, int]
Sample = TypeVar("Sample")
ReadImage = Callable[[Path], UInt8[np.ndarray, "height width 3"]]
"""Gives the image that is known by a path, as RGB; not to be written to."""


class PoseBatch(NamedTuple):
    """People as a model sees them; a dataset yields it without the leading B.

    Attributes:
        images: RGB crops, ImageNet-normalised.
        keypoints: (x, y) in [0, 1] of the crop (crop pixels over the rule's `extent_px`); beyond that range outside.
        visibility: 0 not labelled, 1 labelled but hidden, 2 visible.
        inside: labelled and within the crop, which is the released code's target weight.
        position: of the person in `dataset.people`.
        center: centre of the cropped region, (x, y) in image pixels (of the mirrored image, where that was mirrored).
        box_scale: (w, h) of the cropped region in units of 200 image pixels.
    """

    images: Float[Tensor, "*B 3 H W"]
    keypoints: Float[Tensor, "*B K 2"]
    visibility: Int[Tensor, "*B K"]
    inside: Bool[Tensor, "*B K"]
    position: Int[Tensor, "*B"]
    center: Float[Tensor, "*B 2"]
    box_scale: Float[Tensor, "*B 2"]


class PersonCrops(Dataset[Sample], Generic[Sample]):
    """The crops of some people, augmented if `augment` is given; a subclass says what a sample is made of.

    A sample is asked for by (epoch, index), or by index alone in epoch 0; it is a pure function of these and the seed.

    Args:
        cache_bytes: decoded images are kept in memory up to this size, in each worker apart.
        read: gives the image of a person's `image_path`; None reads the files, with that cache.
    """

    def __init__(
        self,
        people: Sequence[Person],
        keypoints: KeypointSet,
        input_size: tuple[int, int],
        rule: CropRule,
        augment: AugmentConfig | None,
        seed: int,
        cache_bytes: int = 0,
        read: ReadImage | None = None,
    ) -> None:
        self.people, self.keypoints, self.input_size = people, keypoints, input_size
        self.rule, self.augment, self.seed, self.cache_bytes = rule, augment, seed, cache_bytes
        self.read = ImageCache(cache_bytes, image_reader(people)) if read is None else read

    def __len__(self) -> int:
        return len(self.people)

    def _crop(self, key: SampleKey) -> tuple[int, "View", Float[Tensor, "3 H W"]]:
        """Index of the person, where the crop lies, and the crop, ImageNet-normalised."""
        epoch, index = key if isinstance(key, tuple) else (0, key)
        person = self.people[index]
        image = self.read(person.image_path)
        require_size(person.image_path, person.image_id, person.image_size, image.shape[:2])
        view = view_person(person, image.shape[1], self.keypoints, self.input_size, self.rule, self.augment,
                           (self.seed, epoch, index))  # fmt: skip
        crop = crop_image(image, view.matrix, self.input_size)
        if self.augment is not None and view.rng is not None:
            crop = augment_colours(view.rng, crop, self.augment)
        return index, view, torch.from_numpy(normalise(crop))


class PoseCrops(PersonCrops[PoseBatch]):
    """Crops with keypoints; detections have zeros for keypoints and visibility."""

    def __getitem__(self, key: SampleKey) -> PoseBatch:
        index, view, crop = self._crop(key)
        return PoseBatch(
            images=crop,
            keypoints=torch.from_numpy(view.keypoints_px / self.rule.extent_px(self.input_size)),
            visibility=torch.from_numpy(view.visibility),
            inside=torch.from_numpy((view.visibility > 0) & inside_crop(view.keypoints_px, self.input_size)),
            position=torch.tensor(index),
            center=torch.from_numpy(view.placement.center),
            box_scale=torch.from_numpy(view.placement.box_scale),
        )


class View(NamedTuple):
    """One person as one sample shows them: the region, the map to crop pixels, and the keypoints under it.

    `matrix` maps pixels of the image as it is stored, so it includes the mirroring. Keypoints that are not labelled
    are (0, 0). `rng` goes on to draw what happens to the pixels; None without augmentation.
    """

    placement: Placement
    matrix: Float[np.ndarray, "2 3"]
    keypoints_px: Float[np.ndarray, "K 2"]
    visibility: Int[np.ndarray, "K"]
    rng: np.random.Generator | None


def view_person(
    person: Person,
    image_width: int,
    keypoints: KeypointSet,
    input_size: tuple[int, int],
    rule: CropRule,
    augment: AugmentConfig | None,
    draw: tuple[int, int, int],
) -> View:
    """Where the crop of a person lies, as a pure function of `draw` = (seed, epoch, index)."""
    center, box_scale = box_to_center_scale(person.box, input_size, rule)
    points, visibility = person.keypoints_image, person.visibility
    if points is None or visibility is None:
        points, visibility = np.zeros((keypoints.num_keypoints, 2), np.float32), np.zeros(keypoints.num_keypoints, int)
    rng, placement = None, Placement(center, box_scale, 0.0, False)
    if augment is not None:
        rng = augmentation_rng(*draw)
        placement, points, visibility = place_crop(
            rng, center, box_scale, points, visibility, image_width, keypoints, input_size, augment
        )
    matrix = crop_matrix(placement.center, placement.box_scale, placement.rotation_degrees, input_size, rule)
    points_px = np.where(visibility[:, None] > 0, transform_points(points, matrix), np.float32(0))
    if placement.mirrored:
        matrix = matrix @ mirror_matrix(image_width)
    return View(placement, matrix, points_px, visibility, rng)


def require_size(path: Path, image_id: int, labelled: tuple[int, int] | None, found: Sequence[int]) -> None:
    """Check that an image has the size (height, width) which the annotation file says: boxes and labels are of that.

    Args:
        labelled: that size; None where it is not known before the image is read.

    Raises:
        UserError: it has another one, as where images were resized after they were labelled.
    """
    if labelled is not None and tuple(found) != labelled:
        height, width = labelled
        hint = ""
        if tuple(found) == (width, height) and (head := head_of_file(path)) and head.orientation in TURNED:
            hint = (
                f"; its EXIF orientation is {head.orientation}: if labels are of the stored pixels, write "
                '"exif_orientation": "ignored" into the "info" of the file'
            )
        raise UserError(
            f"{path}: image is {found[1]} x {found[0]}, but the annotation file says {width} x {height} "
            f"(image {image_id}){hint}"
        )


def image_reader(people: Sequence[Person]) -> ReadImage:
    """Reads the images of people of one file in the frame of their labels; see `read_labelled_image`."""
    return partial(read_labelled_image, frame=people[0].label_frame if people else "unsaid")


def read_person_image(person: Person) -> UInt8[np.ndarray, "height width 3"]:
    """The image of a person as RGB, in the frame of the person's box and labels.

    Raises:
        UserError: as `read_labelled_image` and `require_size`.
    """
    image = read_labelled_image(person.image_path, person.label_frame)
    require_size(person.image_path, person.image_id, person.image_size, image.shape[:2])
    return image


def normalise(crop: UInt8[np.ndarray, "H W 3"]) -> Float[np.ndarray, "3 H W"]:
    """(value / 255 - mean) / deviation for each channel, channels first."""
    image = np.empty((3, *crop.shape[:2]), np.float32)
    for channel, (mean, std) in enumerate(zip(IMAGE_MEAN, IMAGE_STD, strict=True)):
        np.multiply(crop[..., channel], np.float32(1 / (255 * std)), out=image[channel])
        image[channel] -= mean / std
    return image


class ImageCache:
    """Reads images and keeps the first ones, as long as they fit into `limit` bytes, and the one read last.

    Args:
        read: reads a file; images as RGB by default.
    """

    def __init__(self, limit: int, read: Callable[[Path], UInt8[np.ndarray, "..."]] = read_image) -> None:
        self.limit, self.size, self.read = limit, 0, read
        self.kept: dict[Path, np.ndarray] = {}
        self.last: tuple[Path, np.ndarray] | None = None

    def __call__(self, path: Path) -> UInt8[np.ndarray, "height width *channels"]:
        """The image; not to be written to."""
        if path in self.kept:
            return self.kept[path]
        if self.last is not None and self.last[0] == path:
            return self.last[1]
        image = self.read(path)
        self.last = path, image
        if self.size + image.nbytes <= self.limit:
            self.kept[path] = image
            self.size += image.nbytes
        return image


class EpochSampler(Sampler[SampleKey]):
    """Yields (pass, index) pairs in an order that is a pure function of (seed, epoch).

    The epoch is read when an iteration starts, so whoever resumes a run sets `epoch` and gets the same data. Each rank
    takes every `world_size`-th index; the last round is filled up from the start so that all ranks are equally long.

    Args:
        length: number of samples of the dataset.
        samples: length of an epoch, `length` by default. A longer one is made of several passes over the data set,
            each with its own number, so that no two of its samples are augmented alike.
    """

    def __init__(self, length: int, seed: int, rank: int = 0, world_size: int = 1, samples: int | None = None) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"rank must be in 0..{world_size - 1}, got {rank}")
        self.length, self.seed = length, seed
        self.samples = length if samples is None else samples
        self.rank, self.world_size, self.epoch = rank, world_size, 0

    def set_epoch(self, epoch: int) -> None:
        """The epoch of the next iteration."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.samples // self.world_size)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        if not self.length:
            return iter(())
        passes = -(-self.samples // self.length)
        order = [key for number in range(passes) for key in self._pass(self.epoch * passes + number)][: self.samples]
        filled = list(itertools.islice(itertools.cycle(order), len(self) * self.world_size))
        return iter(filled[self.rank :: self.world_size])

    def _pass(self, number: int) -> list[tuple[int, int]]:
        order = np.random.default_rng([self.seed, number]).permutation(self.length)
        return [(number, int(index)) for index in order]
