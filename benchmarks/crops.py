"""Training crops a second: cut one by one by a process, and on the device where the images are kept (`people_batches`).

Each alternative makes the same augmented crops of the same people in batches that lie on the device, images decoded
before, with one process and no others.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.timing import Extras, Run, Setting, compared, times_ms
from poseur_lib.config.data import AugmentConfig
from poseur_lib.data.batches import DeviceBatches, people_batches
from poseur_lib.data.coco import Person
from poseur_lib.data.crop import CropRule
from poseur_lib.data.dataset import PoseBatch, PoseCrops
from poseur_lib.keypoints import COCO_17
from poseur_lib.runtime import InferenceRuntime
from poseur_study.costs.benchmark_record import Comparison

BATCH, BATCHES, IMAGES = 32, 32, 32
CASES = {
    "64 x 48, images of 160 x 120": ((64, 48), (160, 120), AugmentConfig()),
    "128 x 96, images of 480 x 640": ((128, 96), (480, 640), AugmentConfig()),
    "128 x 96, images of 480 x 640, colours distorted": (
        (128, 96), (480, 640), AugmentConfig(photometric=True, cutout=True),
    ),
}  # fmt: skip
"""Sizes (height, width) of crops and images: profile mini's, and those of COCO."""
ONE_BY_ONE, ON_DEVICE, NUMBERS = "one by one", "on the device", "of that, drawing"


def compare(setting: Setting) -> Iterator[Comparison]:
    """Batches of 32; a note says people a second."""
    for title, (input_size, image_size, augment) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            crops = PoseCrops(
                made_up_people(Path(folder), image_size), COCO_17, input_size, CropRule(), augment, 0, cache_bytes=2**30
            )
            times = times_ms(_alternatives(crops, setting.device), setting)
        rates = {name: f"{1e3 * len(crops) / taken:,.0f} people/s" for name, taken in times.items()}
        yield compared(f"Crops of {len(crops)} people, {title}", times, ONE_BY_ONE, Extras(notes=rates))


def made_up_people(folder: Path, image_size: tuple[int, int]) -> list[Person]:
    """People in images of noise, in boxes that fill a quarter to all of them; BATCHES x BATCH."""
    rng, size = np.random.default_rng(0), np.array(image_size[::-1])
    paths = [folder / f"{number}.png" for number in range(IMAGES)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 256, (*image_size, 3), np.uint8))
    people = []
    for number in range(BATCH * BATCHES):
        extent = size * rng.uniform(0.5, 1, 2)
        left, top = rng.uniform(0, 1, 2) * (size - extent)
        points = ((left, top) + rng.uniform(0, 1, (COCO_17.num_keypoints, 2)) * extent).astype(np.float32)
        people.append(Person(
            number % IMAGES, paths[number % IMAGES], (left, top, *extent.tolist()), keypoints_image=points,
            visibility=np.full(COCO_17.num_keypoints, 2), image_size=image_size,
        ))  # fmt: skip
    return people


def _alternatives(crops: PoseCrops, device: str) -> dict[str, Run]:
    """The two ways of `people_batches`, and the numbers of the second alone."""
    one_by_one, on_device = (people_batches(crops, BATCH, InferenceRuntime(device=device, data_on_device=where))
                             for where in ("no", "yes"))  # fmt: skip
    if not isinstance(on_device, DeviceBatches):
        raise TypeError("images that are asked for on the device are not there")
    target = torch.device(device)
    return {
        ONE_BY_ONE: lambda: _use(one_by_one, target),
        ON_DEVICE: lambda: _use(on_device, target),
        NUMBERS: lambda: sum(1 for _ in on_device.draws),
    }


def _use(batches: Iterable[PoseBatch], device: torch.device) -> None:
    for batch in batches:
        batch.images.to(device, non_blocking=True)
        batch.keypoints.to(device, non_blocking=True)
