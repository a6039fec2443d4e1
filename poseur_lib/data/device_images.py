"""All images (or label maps) of a data set, decoded once and kept in a device's memory."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from poseur_lib.data.coco import Person
from poseur_lib.data.images import read_image
from poseur_lib.errors import UserError
from poseur_lib.runtime import DataOnDevice

CHANNELS, LABEL_CHANNELS = 3, 1
SHARE_OF_FREE = 0.5
"""Of a GPU's free memory, what the images of all its runs may take unasked: the rest is for the networks."""
RUNS_PER_GPU = "POSEUR_RUNS_PER_GPU"
"""In the environment of a run: how many of a batch share its GPU."""
READ_TOGETHER = 256  # images decoded before they are copied to the device
MAX_READERS = 16


class NoRoom(UserError):
    """Images that were to be kept on a device do not fit its memory any more."""


class DeviceImages:
    """Images of any sizes, one after the other in one tensor.

    Attributes:
        position: of each file among the images.
        sizes: (height, width) of each image, in pixels, for the host.
        pixels: RGB (or the label) of all pixels, row by row, image by image.
        first: each image's first row of `pixels`; `height` and `width` are those of `sizes`.

    Args:
        paths: files; one that is named twice is kept once.
        expected_pixels: how many pixels they have together, where that is known: saves memory while they are read.
        read, channels: what reads a file, and the channels that it gives.

    Raises:
        UserError: a file cannot be read, or does not fit any more (`NoRoom`); the message names it.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        device: torch.device,
        expected_pixels: int = 0,
        read: Callable[[Path], UInt8[np.ndarray, "..."]] = read_image,
        channels: int = CHANNELS,
    ) -> None:
        unique = list(dict.fromkeys(paths))
        self.position = {path: index for index, path in enumerate(unique)}
        self.pixels: UInt8[Tensor, "P channels"] = torch.empty(0, channels, dtype=torch.uint8, device=device)
        sizes: list[tuple[int, int]] = []
        end = 0
        for part in _decoded(unique, read):
            flat = torch.from_numpy(np.concatenate([image.reshape(-1, channels) for image in part]))
            try:
                self._reserve(end + len(flat), expected_pixels)
            except torch.OutOfMemoryError:
                raise NoRoom(f"{unique[len(sizes)]}: no room on {device} after {end * channels} bytes") from None
            self.pixels[end : end + len(flat)].copy_(flat)
            end += len(flat)
            sizes += [(image.shape[0], image.shape[1]) for image in part]
        self.pixels = self.pixels[:end]
        self.sizes: Int[np.ndarray, "N 2"] = np.array(sizes, np.int64).reshape(-1, 2)
        areas = self.sizes.prod(axis=1)
        self.first = torch.from_numpy(np.cumsum(areas) - areas).to(device)
        self.height, self.width = torch.from_numpy(self.sizes.T.astype(np.int32)).to(device)

    @property
    def device(self) -> torch.device:
        """Where the pixels are."""
        return self.pixels.device

    def _reserve(self, count: int, expected: int) -> None:
        """Makes room for `count` pixels: at first for as many as are expected, then for twice as many."""
        if count > len(self.pixels):
            larger = self.pixels.new_empty(max(count, expected, 2 * len(self.pixels)), self.pixels.shape[1])
            larger[: len(self.pixels)] = self.pixels
            self.pixels = larger


def _decoded(
    paths: Sequence[Path], read: Callable[[Path], UInt8[np.ndarray, "..."]]
) -> Iterator[list[UInt8[np.ndarray, "height width *channels"]]]:
    """The images in their order, some at a time; decoding runs outside Python's lock, so threads share it."""
    with ThreadPoolExecutor(min(MAX_READERS, os.cpu_count() or 1)) as pool:
        for start in range(0, len(paths), READ_TOGETHER):
            together = paths[start : start + READ_TOGETHER]
            yield list(pool.map(read, together))


def goes_on_device(
    people: Sequence[Person], asked: DataOnDevice, device: torch.device, channels: int = CHANNELS
) -> bool:
    """Whether the decoded images of these people are to be kept on a device.

    "auto": on a GPU, where they take at most SHARE_OF_FREE of its free memory by the sizes that the annotations say,
    or that part of it which is left to each of the runs that share the GPU.

    Args:
        channels: of an image, and of what is kept with it.

    Raises:
        UserError: "yes" is asked for, and they are larger than the memory.
    """
    if asked == "no" or not people or (asked == "auto" and device.type != "cuda"):
        return False
    needed, share = image_bytes(people, channels), _share() if asked == "auto" else 1.0
    if needed is None:
        return asked == "yes"
    if needed <= share * free_bytes(device):
        return True
    gc.collect()  # the images of an earlier run: Lightning's objects hold each other, and what was trained on
    fits = needed <= share * free_bytes(device)
    if asked == "yes" and not fits:
        raise UserError(
            f"data on device 'yes': the decoded images take {needed} bytes, and {device} has {free_bytes(device)} free:"
            " use 'auto' or 'no'"
        )
    return fits


def _share() -> float:
    runs = os.environ.get(RUNS_PER_GPU, "")
    return SHARE_OF_FREE / (int(runs) if runs.isdecimal() and int(runs) else 1)


def image_bytes(people: Sequence[Person], channels: int = CHANNELS) -> int | None:
    """What the decoded images of people take, by the sizes that the annotations say; None where one says none."""
    sizes = {person.image_path: person.image_size for person in people}
    known = [size for size in sizes.values() if size is not None]
    return sum(height * width * channels for height, width in known) if len(known) == len(sizes) else None


def free_bytes(device: torch.device) -> int:
    """A GPU's free memory, with what torch holds of it and does not use; for a processor, all of the machine's."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
