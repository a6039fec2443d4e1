"""The batches of a training, in an order that is a function of the seed: an epoch of people, or of whole images."""

import os
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader

from poseur_lib.config.training import PretextConfig, TrainConfig
from poseur_lib.data.batches import DeviceBatches, Loader, people_batches
from poseur_lib.data.dataset import EpochSampler, PersonCrops
from poseur_lib.data.whole_images import WholeImages, collate
from poseur_lib.errors import UserError
from poseur_lib.runtime import Runtime


class Batches(NamedTuple):
    """What an epoch is made of.

    Attributes:
        sampler: the loader's; a resumed run tells it where it is before the first worker reads ahead.
        steps: of the optimiser in an epoch; each takes `accumulate` batches.
    """

    loader: Loader
    sampler: EpochSampler
    steps: int
    accumulate: int

    @property
    def on_device(self) -> bool:
        """Whether the images lie in the device's memory and are cropped there."""
        return isinstance(self.loader, DeviceBatches)


def steps_of_epoch(config: TrainConfig | PretextConfig, number: int, kind: str = "people", knobs: str = "train") -> int:
    """Of the optimiser, with so many people or images to train on; `knobs` is what the configuration's part is called.

    Raises:
        UserError: there is none.
    """
    samples = config.people_per_epoch or number
    if samples < config.global_batch:
        raise UserError(
            f"an epoch of {samples} {kind} has no batch of {knobs}.global_batch {config.global_batch}: --set"
            f" {knobs}.global_batch={samples} or less, or {knobs}.people_per_epoch={config.global_batch} or more"
        )
    return samples // config.global_batch


def training_batches(
    dataset: PersonCrops, config: TrainConfig, seed: int, runtime: Runtime, knobs: str = "train"
) -> Batches:
    """The batches of this process, in an order that is a function of the seed; `knobs` as of `steps_of_epoch`.

    Raises:
        UserError: there are fewer people than one batch takes, or their images do not fit the device that they are
            asked for on.
    """
    sampler, per_device, steps, accumulate = _order(len(dataset), config, seed, runtime, knobs=knobs)
    device = runtime.torch_device
    if device.type == "cuda" and runtime.devices > 1:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    loader = people_batches(dataset, per_device, runtime, sampler, device, drop_last=True)
    return Batches(loader, sampler, steps, accumulate)


def whole_image_batches(dataset: WholeImages, config: TrainConfig, seed: int, runtime: Runtime) -> Batches:
    """The same of whole images, whose batches differ in size.

    Raises:
        UserError: there are fewer images than one batch takes.
    """
    sampler, per_device, steps, accumulate = _order(len(dataset), config, seed, runtime, "images")
    loader = DataLoader(
        dataset,
        per_device,
        sampler=sampler,
        num_workers=runtime.loader_workers,
        collate_fn=collate,
        drop_last=True,
        pin_memory=runtime.torch_device.type == "cuda",
        persistent_workers=runtime.loader_workers > 0,
    )
    return Batches(loader, sampler, steps, accumulate)


def _order(
    samples: int, config: TrainConfig, seed: int, runtime: Runtime, kind: str = "people", knobs: str = "train"
) -> tuple[EpochSampler, int, int, int]:
    """The order of so many samples of a kind, a process's batch, the optimiser's steps an epoch, and batches a step."""
    per_device, accumulate = runtime.split_batch(config.global_batch, knobs)
    steps = steps_of_epoch(config, samples, kind, knobs)
    rank = int(os.environ.get("LOCAL_RANK", "0")) if runtime.devices > 1 else 0
    sampler = EpochSampler(samples, seed, rank, runtime.devices, samples=steps * config.global_batch)
    return sampler, per_device, steps, accumulate
