"""Batches of people for training and evaluation: cropped on the device where the images fit there, else by processes.

Both ways give the same samples in the same order: keypoints and regions to float64 rounding, grey levels but for what
OpenCV rounds otherwise (`tests/data/test_device_batches.py` states by how much).
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from poseur_lib.data.crop_batch import crop_batch, warp_labels
from poseur_lib.data.dataset import (
    IMAGE_STD,
    ImageCache,
    PersonCrops,
    PoseBatch,
    PoseCrops,
    SampleKey,
    image_reader,
    require_size,
)
from poseur_lib.data.device_images import CHANNELS, LABEL_CHANNELS, DeviceImages, NoRoom, goes_on_device, image_bytes
from poseur_lib.data.draws import ColourBatch, SampleDraws, SampleNumbers
from poseur_lib.data.images import read_labels
from poseur_lib.data.parts import LABEL_STRIDE, MIRRORED_LABELS, PartBatch, PartCrops, label_size, part_path
from poseur_lib.errors import UserError, first_line
from poseur_lib.runtime import InferenceRuntime

Keys = Sampler[SampleKey] | Sequence[SampleKey]
CROPPED_TOGETHER = 2**20
"""Crop pixels that are computed at once, some batches ahead: kernels take as long for 32 crops of 64 x 48."""
COMPARED_CROPS, TOLERATED_LEVELS = 4, 0.5
"""Before `auto` trusts a device; a mean difference in grey levels of 255."""


class DeviceBatches:
    """Batches of `PoseCrops` or `PartCrops` that lie on a device, with images (and label maps) decoded once.

    Numbers are drawn by the loader's processes, or in this one, for several batches together.

    Attributes:
        sampler: the order of the keys; read when an iteration starts.

    Args:
        workers: processes that draw; 0 draws in this one.
        drop_last: leave out what fills no batch.

    Raises:
        UserError: an image cannot be read, or is not as large as its annotations say.
    """

    on_device = True

    def __init__(
        self,
        crops: PoseCrops | PartCrops,
        device: torch.device,
        batch: int,
        sampler: Keys | None = None,
        workers: int = 0,
        drop_last: bool = False,
    ) -> None:
        paths = [person.image_path for person in crops.people]
        pixels = (image_bytes(crops.people) or 0) // CHANNELS
        self.images = DeviceImages(paths, device, pixels, image_reader(crops.people))
        for person in crops.people:
            found = self.images.sizes[self.images.position[person.image_path]].tolist()
            require_size(person.image_path, person.image_id, person.image_size, found)
        self.labels = None
        if isinstance(crops, PartCrops):
            label_paths = [part_path(path) for path in self.images.position]
            self.labels = DeviceImages(label_paths, device, pixels, read_labels, LABEL_CHANNELS)
            self.label_of = torch.tensor([self.labels.position[path] for path in label_paths], device=device)
            self.mirrored_labels = torch.from_numpy(MIRRORED_LABELS.astype(np.int64)).to(device)
        self.input_size, self.batch, self.drop_last = crops.input_size, batch, drop_last
        self.sampler: Any = range(len(crops)) if sampler is None else sampler
        positions = np.array([self.images.position[path] for path in paths], np.int64)
        self.numbers = SampleNumbers(
            crops.people, positions, self.images.sizes[positions, 1], crops.keypoints, crops.input_size, crops.rule,
            crops.augment, crops.seed,
        )  # fmt: skip
        height, width = crops.input_size
        together = max(1, CROPPED_TOGETHER // (batch * height * width)) * batch
        self.draws = DataLoader(
            self.numbers,
            batch_size=None,
            sampler=_Parts(self.sampler, together, batch if drop_last else 1),
            num_workers=workers,
            pin_memory=device.type == "cuda",
            persistent_workers=workers > 0,
        )

    def require_like(self, crops: PersonCrops[Any]) -> None:
        """Holds the first crops against those that a processor cuts.

        Raises:
            ArithmeticError: they differ by more than rounding.
        """
        keys: list[SampleKey] = list(range(min(COMPARED_CROPS, len(crops))))
        ours = self._cropped(self.numbers[keys])[0].cpu()
        theirs = torch.stack([crops[key][0] for key in keys])
        levels = 255 * float(IMAGE_STD.mean()) * (ours - theirs).abs().mean().item()
        if not levels <= TOLERATED_LEVELS:
            raise ArithmeticError(f"its crops are {levels:.1f} grey levels away from those of the processor")

    def __len__(self) -> int:
        return len(self.sampler) // self.batch if self.drop_last else -(-len(self.sampler) // self.batch)

    @torch.no_grad()
    def _cropped(self, draws: SampleDraws) -> PoseBatch | PartBatch:
        draws = on_device(draws, self.images.device)
        crops = crop_batch(self.images, draws, self.input_size)
        if self.labels is not None:
            return PartBatch(crops, self._cells(self.labels, draws))
        return PoseBatch(
            crops, draws.keypoints, draws.visibility, draws.inside, draws.position, draws.center, draws.box_scale
        )

    def _cells(self, labels: DeviceImages, draws: SampleDraws) -> Int[Tensor, "B h w"]:
        """Labels at the centres of cells, as `PartCrops` has them."""
        linear, offset = draws.to_image[..., :2], draws.to_image[..., 2:]
        centre = linear.sum(dim=-1, keepdim=True) * (0.5 * LABEL_STRIDE - 0.5)  # of the first cell, from crop pixel 0
        to_image = torch.cat([linear * LABEL_STRIDE, offset + centre], dim=-1)
        cells = warp_labels(labels, self.label_of[draws.image], to_image, label_size(self.input_size))
        return torch.where(draws.mirrored[:, None, None], self.mirrored_labels[cells], cells)

    def __iter__(self) -> Iterator[Any]:
        for draws in self.draws:
            cropped = self._cropped(draws)
            for fields in zip(*(field.split(self.batch) for field in cropped), strict=True):
                yield type(cropped)(*fields)


class _Parts(Sampler[list[SampleKey]]):
    """The keys of a sampler in lists; its last ones are left out where they do not make a multiple of `multiple`."""

    def __init__(self, sampler: Any, length: int, multiple: int) -> None:
        self.sampler, self.length, self.multiple = sampler, length, multiple

    def __len__(self) -> int:
        return -(-(len(self.sampler) // self.multiple * self.multiple) // self.length)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        keys = list(self.sampler)
        keys = keys[: len(keys) // self.multiple * self.multiple]
        return iter([keys[start : start + self.length] for start in range(0, len(keys), self.length)])


def on_device(draws: SampleDraws, device: torch.device) -> SampleDraws:
    """The draws on a device; what is pinned is copied while this process goes on."""
    colours = draws.colours
    if colours is not None:
        colours = ColourBatch(*(field.to(device, non_blocking=True) for field in colours))
    moved = {name: value.to(device, non_blocking=True) for name, value in draws._asdict().items()
             if isinstance(value, Tensor)}  # fmt: skip
    return draws._replace(colours=colours, **moved)


def people_batches(
    crops: PersonCrops[Any],
    batch: int,
    runtime: InferenceRuntime,
    sampler: Keys | None = None,
    device: torch.device | None = None,
    drop_last: bool = False,
) -> "Loader":
    """The crops in batches, in the sampler's order (that of the people if None); many iterations are cheap.

    Images that are not files are always cropped by processes. These keep decoded images, hand over pinned memory and
    read ahead.

    Args:
        device: of this process, where there are several; None takes the run's.

    Raises:
        UserError: the images are asked for on the device and do not fit, or one cannot be read.
    """
    device = device or runtime.torch_device
    if isinstance(crops, PoseCrops | PartCrops) and isinstance(crops.read, ImageCache):
        channels = CHANNELS if isinstance(crops, PoseCrops) else CHANNELS + LABEL_CHANNELS
        if goes_on_device(crops.people, runtime.data_on_device, device, channels):
            try:
                batches = DeviceBatches(crops, device, batch, sampler, runtime.loader_workers, drop_last)
                if runtime.data_on_device == "auto" and len(crops):
                    batches.require_like(crops)
                return batches
            except Exception as error:  # drivers raise anything; processes that crop are always at hand
                unreadable = isinstance(error, UserError) and not isinstance(error, NoRoom)
                if unreadable or runtime.data_on_device == "yes":
                    raise
                print(f"crops are cut by processes, not on the device: {first_line(error)[:160]}", file=sys.stderr)
    return DataLoader(
        crops,
        batch_size=batch,
        sampler=sampler,
        num_workers=runtime.loader_workers,
        drop_last=drop_last,
        pin_memory=device.type == "cuda",
        persistent_workers=runtime.loader_workers > 0,
    )


Loader = DeviceBatches | DataLoader[Any]
OneLoader = TypeVar("OneLoader", bound=Loader)


@contextmanager
def reading(loader: OneLoader) -> Iterator[OneLoader]:
    """Ends the processes of the loader at its own end.

    Left to garbage collection, they would live until it comes by, and each is then waited for five seconds: it
    finalises the queue before the loader that would say through it that all is read.
    """
    try:
        yield loader
    finally:
        own = loader.draws if isinstance(loader, DeviceBatches) else loader
        iterator = own._iterator  # torch has no public way
        if isinstance(iterator, _MultiProcessingDataLoaderIter):
            iterator._shutdown_workers()
        own._iterator = None
