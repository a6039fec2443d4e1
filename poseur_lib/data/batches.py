"""Batches of people for training and evaluation: cropped on the device where the images fit there, else by processes.

Both ways give the same samples in the same order: keypoints and regions to float64 rounding, grey levels but for what
OpenCV rounds otherwise (`tests/data/test_device_batches.py` states by how much).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from poseur_lib.data.crop_batch import crop_batch
from poseur_lib.data.dataset import ImageCache, PersonCrops, PoseBatch, PoseCrops, SampleKey
from poseur_lib.data.device_images import CHANNELS, DeviceImages, goes_on_device, image_bytes
from poseur_lib.data.draws import ColourBatch, SampleDraws, SampleNumbers
from poseur_lib.runtime import InferenceRuntime

Keys = Sampler[SampleKey] | Sequence[SampleKey]
CROPPED_TOGETHER = 2**20
"""Crop pixels that are computed at once, some batches ahead: kernels take as long for 32 crops of 64 x 48."""


class DeviceBatches:
    """Batches of `PoseCrops` that lie on a device, with images decoded once and kept there.

    Numbers are drawn by the loader's processes, or in this one, for several batches together.

    Attributes:
        sampler: the order of the keys; read when an iteration starts.

    Args:
        workers: processes that draw; 0 draws in this one.
        drop_last: leave out what fills no batch.

    Raises:
        UserError: an image cannot be read.
    """

    on_device = True

    def __init__(
        self,
        crops: PoseCrops,
        device: torch.device,
        batch: int,
        sampler: Keys | None = None,
        workers: int = 0,
        drop_last: bool = False,
    ) -> None:
        paths = [person.image_path for person in crops.people]
        self.images = DeviceImages(paths, device, (image_bytes(crops.people) or 0) // CHANNELS)
        self.input_size, self.batch, self.drop_last = crops.input_size, batch, drop_last
        self.sampler: Any = range(len(crops)) if sampler is None else sampler
        positions = np.array([self.images.position[path] for path in paths], np.int64)
        numbers = SampleNumbers(
            crops.people, positions, self.images.sizes[positions, 1], crops.keypoints, crops.input_size, crops.rule,
            crops.augment, crops.seed,
        )  # fmt: skip
        height, width = crops.input_size
        together = max(1, CROPPED_TOGETHER // (batch * height * width)) * batch
        self.draws = DataLoader(
            numbers,
            batch_size=None,
            sampler=_Parts(self.sampler, together, batch if drop_last else 1),
            num_workers=workers,
            pin_memory=device.type == "cuda",
            persistent_workers=workers > 0,
        )

    def __len__(self) -> int:
        return len(self.sampler) // self.batch if self.drop_last else -(-len(self.sampler) // self.batch)

    @torch.no_grad()
    def _cropped(self, draws: SampleDraws) -> PoseBatch:
        draws = on_device(draws, self.images.device)
        return PoseBatch(
            crop_batch(self.images, draws, self.input_size), draws.keypoints, draws.visibility, draws.inside,
            draws.position, draws.center, draws.box_scale,
        )  # fmt: skip

    def __iter__(self) -> Iterator[PoseBatch]:
        for draws in self.draws:
            cropped = self._cropped(draws)
            for parts in zip(*(field.split(self.batch) for field in cropped), strict=True):
                yield PoseBatch(*parts)


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
             if isinstance(value, torch.Tensor)}  # fmt: skip
    return draws._replace(colours=colours, **moved)


def people_batches(
    crops: PersonCrops[Any],
    batch: int,
    runtime: InferenceRuntime,
    sampler: Keys | None = None,
    device: torch.device | None = None,
    drop_last: bool = False,
) -> "DataLoader[Any] | DeviceBatches":
    """The crops in batches, in the sampler's order (that of the people if None); many iterations are cheap.

    Crops with other targets than keypoints (`PartCrops`, whose label maps are images too) and images that are not
    files are always cropped by processes. These keep decoded images, hand over pinned memory and read ahead.

    Args:
        device: of this process, where there are several; None takes the run's.

    Raises:
        UserError: the images are asked for on the device and do not fit, or one cannot be read.
    """
    device = device or runtime.torch_device
    if isinstance(crops, PoseCrops) and isinstance(crops.read, ImageCache):
        if goes_on_device(crops.people, runtime.data_on_device, device):
            return DeviceBatches(crops, device, batch, sampler, runtime.loader_workers, drop_last)
    return DataLoader(
        crops,
        batch_size=batch,
        sampler=sampler,
        num_workers=runtime.loader_workers,
        drop_last=drop_last,
        pin_memory=device.type == "cuda",
        persistent_workers=runtime.loader_workers > 0,
    )
