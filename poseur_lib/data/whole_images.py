"""Whole images with all of their people, for models that find the people themselves (Sec. 4.3).

Frames, all continuous, (x, y), as in `poseur_lib.models.end_to_end`: image (pixels of the file; keypoints get
`WholeImageConfig.pixel_centre` added) and `_px` (pixels of the resized piece that is shown). Boxes are (left, top,
right, bottom).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from poseur_lib.config.data import WholeImageConfig
from poseur_lib.data.augment import augmentation_rng
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.dataset import ImageCache, SampleKey, normalise, require_size
from poseur_lib.data.images import LabelFrame, read_labelled_image
from poseur_lib.keypoints import KeypointSet

PIXEL_CENTRE = 0.5
STRIDE = 32
"""Sides of a canvas are multiples of it, so that every level's map but the pooled one covers the canvas exactly."""
LEAST_SIDE = 1.0
"""Pixels: a box that is narrower in the piece that is shown is nobody."""


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """An image, its N people and its M crowds; either may be none.

    Attributes:
        size: (height, width) that the annotation file says.
        boxes_image: cut to nothing yet: they may reach beyond the border.
        keypoints_image: continuous: COCO's + `WholeImageConfig.pixel_centre`; anything where not labelled.
        labelled: visibility 1 or 2. A person without a labelled keypoint still has a box.
    """

    image_id: int
    path: Path
    size: tuple[int, int]
    boxes_image: Float[np.ndarray, "N 4"]
    keypoints_image: Float[np.ndarray, "N K 2"]
    labelled: Bool[np.ndarray, "N K"]
    crowds_image: Float[np.ndarray, "M 4"]


class Shown(NamedTuple):
    """Which piece of an image is shown, and how large.

    Attributes:
        resized: (height, width) of the whole image once it is resized.
        offset: (x, y) of the piece in it.
        size: (height, width) of the piece, all of which is image.
        flipped: the piece is mirrored.
    """

    resized: tuple[int, int]
    offset: tuple[int, int]
    size: tuple[int, int]
    flipped: bool = False


class ImageSample(NamedTuple):
    """What a model learns from, of one image, in pixels of the piece that is shown."""

    image: Float[Tensor, "3 H W"]
    boxes_px: Float[Tensor, "N 4"]
    keypoints_px: Float[Tensor, "N K 2"]
    labelled: Bool[Tensor, "N K"]
    crowds_px: Float[Tensor, "M 4"]


def labelled_images(
    people: CocoPeople, *, with_keypoints: bool = False, pixel_centre: float = PIXEL_CENTRE
) -> list[LabelledImage]:
    """The images of a split in their order, with everybody in them, and their crowds, which are neither people nor
    background: training and evaluation ignore what is found there.

    Args:
        with_keypoints: only images where somebody has a labelled keypoint, which Detectron2 trains on.
        pixel_centre: as of `WholeImageConfig`.
    """
    images = [_labelled_image(people, image_id, pixel_centre) for image_id in people.coco.getImgIds()]
    return [image for image in images if image.labelled.any() or not with_keypoints]


def _labelled_image(people: CocoPeople, image_id: int, pixel_centre: float) -> LabelledImage:
    entry, count = people.coco.imgs[image_id], people.keypoints.num_keypoints
    everything = people.coco.loadAnns(people.coco.getAnnIds(imgIds=image_id, catIds=people.category_id))
    given = [one for one in everything if not one["iscrowd"]]
    points = np.array([one["keypoints"] for one in given], np.float32).reshape(-1, count, 3)
    return LabelledImage(
        image_id=image_id,
        path=people.image_folder / entry["file_name"],
        size=(int(entry["height"]), int(entry["width"])),
        boxes_image=_corners(given),
        keypoints_image=points[..., :2] + np.float32(pixel_centre),
        labelled=points[..., 2] > 0,
        crowds_image=_corners([one for one in everything if one["iscrowd"]]),
    )


def _corners(entries: Sequence[dict[str, Any]]) -> Float[np.ndarray, "N 4"]:
    boxes = np.array([one["bbox"] for one in entries], np.float32).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def by_short_side(size: tuple[int, int], side: int, longest: int) -> tuple[int, int]:
    """(height, width) whose shorter side is `side`, unless the longer one would exceed `longest`."""
    factor = min(side / min(size), longest / max(size))
    return max(round(size[0] * factor), 1), max(round(size[1] * factor), 1)


def drawn_piece(
    rng: np.random.Generator, size: tuple[int, int], whole: WholeImageConfig, input_size: tuple[int, int]
) -> Shown:
    """What a training step is shown of an image of (height, width)."""
    flipped = bool(rng.random() < whole.flip_probability)
    if whole.scale_jitter is None:
        resized = by_short_side(size, int(rng.choice(whole.train_sides)), whole.longest_side)
        return Shown(resized, (0, 0), resized, flipped)
    factor = rng.uniform(*whole.scale_jitter)
    fit = factor * min(input_size[0] / size[0], input_size[1] / size[1])
    height, width = max(round(size[0] * fit), 1), max(round(size[1] * fit), 1)
    piece = min(height, input_size[0]), min(width, input_size[1])
    left, top = (int(rng.integers(0, all_of - cut + 1)) for all_of, cut in ((width, piece[1]), (height, piece[0])))
    return Shown((height, width), (left, top), piece, flipped)


def shown_image(image: UInt8[np.ndarray, "height width 3"], shown: Shown) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of a piece; where the image shrinks, areas are averaged."""
    height, width = shown.resized
    shrinks = height < image.shape[0] or width < image.shape[1]
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    (left, top), (h, w) = shown.offset, shown.size
    piece = resized[top : top + h, left : left + w]
    return np.ascontiguousarray(piece[:, ::-1] if shown.flipped else piece)


def to_px(points: Float[np.ndarray, "*N 2"], size: tuple[int, int], shown: Shown) -> Float[np.ndarray, "*N 2"]:
    """Points of an image of (height, width) in pixels of the piece; beyond its sides outside it."""
    scale = np.array([shown.resized[1] / size[1], shown.resized[0] / size[0]], np.float32)
    moved = points * scale - np.array(shown.offset, np.float32)
    if shown.flipped:
        moved = moved * np.array([-1, 1], np.float32) + np.array([shown.size[1], 0], np.float32)
    return moved.astype(np.float32)


class People(NamedTuple):
    """Of an image, in the piece that is shown of it."""

    boxes_px: Float[np.ndarray, "N 4"]
    keypoints_px: Float[np.ndarray, "N K 2"]
    labelled: Bool[np.ndarray, "N K"]
    crowds_px: Float[np.ndarray, "M 4"]


def shown_people(image: LabelledImage, shown: Shown, flip_index: Sequence[int]) -> People:
    """Everybody of whom the piece has something, with boxes cut to it; keypoints outside it count as not labelled.

    Left and right are exchanged where the piece is mirrored.
    """
    boxes, there = _cut(image.boxes_image, image.size, shown)
    crowds, crowd_there = _cut(image.crowds_image, image.size, shown)
    points, labelled = to_px(image.keypoints_image, image.size, shown), image.labelled
    if shown.flipped:
        points, labelled = points[:, list(flip_index)], labelled[:, list(flip_index)]
    end = np.array([shown.size[1], shown.size[0]], np.float32)
    labelled = labelled & ((points >= 0) & (points <= end)).all(axis=-1)
    return People(boxes[there], points[there], labelled[there], crowds[crowd_there])


def _cut(
    boxes_image: Float[np.ndarray, "N 4"], size: tuple[int, int], shown: Shown
) -> tuple[Float[np.ndarray, "N 4"], Bool[np.ndarray, " N"]]:
    """Boxes of an image of (height, width) in the piece, cut to it, and whether something of each is left."""
    corners = to_px(boxes_image.reshape(-1, 2, 2), size, shown)
    end = np.array([shown.size[1], shown.size[0]], np.float32)
    low, high = (edge.clip(0, end) for edge in (corners.min(axis=1), corners.max(axis=1)))
    return np.concatenate([low, high], axis=1), ((high - low) >= LEAST_SIDE).all(axis=1)


class WholeImages(Dataset[ImageSample]):
    """Training pieces of images; a sample is a pure function of the seed and (epoch, index), as of `PersonCrops`.

    Args:
        cache_bytes: decoded images are kept in memory up to this size, in each worker apart.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        keypoints: KeypointSet,
        whole: WholeImageConfig,
        input_size: tuple[int, int],
        seed: int,
        label_frame: LabelFrame = "unsaid",
        cache_bytes: int = 0,
    ) -> None:
        self.images, self.keypoints, self.whole = images, keypoints, whole
        self.input_size, self.seed = input_size, seed
        self.read = ImageCache(cache_bytes, lambda path: read_labelled_image(path, label_frame))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: SampleKey) -> ImageSample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        labelled = self.images[index]
        pixels = self.read(labelled.path)
        require_size(labelled.path, labelled.image_id, labelled.size, pixels.shape[:2])
        rng = augmentation_rng(self.seed, epoch, index)
        shown = drawn_piece(rng, labelled.size, self.whole, self.input_size)
        people = shown_people(labelled, shown, self.keypoints.flip_index)
        return ImageSample(torch.from_numpy(normalise(shown_image(pixels, shown))), *map(torch.from_numpy, people))


class ImageBatch(NamedTuple):
    """Images of several sizes on one canvas, each in its upper left corner.

    Attributes:
        images: ImageNet-normalised, zeros around.
        sizes: (height, width) of each image.
        boxes_px, keypoints_px, labelled: of all people, as of `ImageSample`.
        image_index: the image of each person.
        crowds_px, crowd_image_index: the crowds of all images, and the image of each.
    """

    images: Float[Tensor, "I 3 H W"]
    sizes: Int[Tensor, "I 2"]
    boxes_px: Float[Tensor, "N 4"]
    keypoints_px: Float[Tensor, "N K 2"]
    labelled: Bool[Tensor, "N K"]
    image_index: Int[Tensor, " N"]
    crowds_px: Float[Tensor, "M 4"]
    crowd_image_index: Int[Tensor, " M"]


def on_canvas(images: Sequence[Float[Tensor, "3 _H _W"]]) -> Float[Tensor, "I 3 H W"]:
    """Images as a batch, each in the upper left corner, with zeros (the mean grey) around."""
    height, width = (-(-max(image.shape[axis] for image in images) // STRIDE) * STRIDE for axis in (1, 2))
    canvas = images[0].new_zeros(len(images), 3, height, width)
    for place, image in zip(canvas, images, strict=True):
        place[:, : image.shape[1], : image.shape[2]] = image
    return canvas


def collate(samples: Sequence[ImageSample]) -> ImageBatch:
    """Samples as a batch."""
    people = torch.tensor([len(sample.boxes_px) for sample in samples])
    crowds = torch.tensor([len(sample.crowds_px) for sample in samples])
    return ImageBatch(
        images=on_canvas([sample.image for sample in samples]),
        sizes=torch.tensor([sample.image.shape[1:] for sample in samples]),
        boxes_px=torch.cat([sample.boxes_px for sample in samples]),
        keypoints_px=torch.cat([sample.keypoints_px for sample in samples]),
        labelled=torch.cat([sample.labelled for sample in samples]),
        image_index=torch.arange(len(samples)).repeat_interleave(people),
        crowds_px=torch.cat([sample.crowds_px for sample in samples]),
        crowd_image_index=torch.arange(len(samples)).repeat_interleave(crowds),
    )
