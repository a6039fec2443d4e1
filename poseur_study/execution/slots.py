"""The slots of a batch, each of which executes one run at a time: where they are, and which GPUs each of them sees.

Neither dask nor torch is imported here: planning and looking at a study are quicker without.
"""

import math
import os
from pathlib import Path
from typing import NamedTuple

from poseur_lib.errors import UserError

AUTO = 0
"""Runs that share a GPU where that is left open: `runs_per_gpu.py` picks the number."""
VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
BY_BUS = {ORDER: "PCI_BUS_ID"}
"""What makes a number of `VISIBLE` the GPU that nvidia-smi shows by it; CUDA's own order begins with the fastest."""
SHARING = "POSEUR_RUNS_PER_GPU"
"""How many runs share a GPU, for `poseur_lib.data.device_images`."""
MOST_CLIENTS = 48
"""Processes that one GPU serves under MPS (NVIDIA's "Multi-Process Service", section on Volta and later)."""
MOST_LOADERS = 8
"""Processes that prepare images for one process that trains, where their number is left open."""
DRIVER_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")


def slot_environments(workers: int, device: str, devices: int, runs_per_gpu: int = 1) -> list[dict[str, str]]:
    """What each slot's environment gets: its own GPUs, or nothing on a machine without.

    Args:
        workers: slots; 0: as many as the GPUs have room for, or one without GPUs.
        devices: GPUs of one run.
        runs_per_gpu: slots that share a GPU, or a group of them; the first slots get one each.

    Raises:
        UserError: there are not that many GPUs, none to share, or more runs than can share one.
    """
    gpus = visible_gpus() if device != "cpu" else ()
    if not gpus:
        if runs_per_gpu > 1:
            raise UserError(f"--runs-per-gpu {runs_per_gpu}: there is no GPU here for runs to share")
        return [{} for _ in range(workers or 1)]
    if runs_per_gpu > MOST_CLIENTS:
        raise UserError(
            f"--runs-per-gpu {runs_per_gpu}: NVIDIA's MPS lets {MOST_CLIENTS} processes share a GPU at most"
        )
    groups = [gpus[first : first + devices] for first in range(0, len(gpus) - devices + 1, devices)]
    room = len(groups) * runs_per_gpu
    if room < max(workers, 1):
        needed = math.ceil(max(workers, 1) / runs_per_gpu) * devices
        sharing = f", {runs_per_gpu} sharing them," if runs_per_gpu > 1 else ""
        asked = f"{workers or 1} runs at a time with {devices} GPUs each{sharing}"
        raise UserError(f"{asked} need {needed} GPUs, there are {len(gpus)} ({', '.join(gpus)})")
    how = BY_BUS | {SHARING: str(runs_per_gpu)}
    return [{VISIBLE: ",".join(group)} | how for group in (groups * runs_per_gpu)[: workers or room]]


class Share(NamedTuple):
    """What one training process gets of its machine's processors.

    Attributes:
        threads: of torch; 0: as torch decides, which takes them all.
        loader_workers: processes beside it that prepare images.
    """

    threads: int
    loader_workers: int


def share_of(processors: int, processes: int, gpus: bool, loader_workers: int | None = None) -> Share:
    """A machine's processors dealt out evenly among the processes that train on it at a time.

    Args:
        gpus: they train on GPUs: images are then prepared meanwhile, by what a process needs not itself.
        loader_workers: None: with GPUs all that are left beside one thread, `MOST_LOADERS` at most; without, none.
    """
    each = max(1, processors // processes)
    if loader_workers is None:
        loader_workers = min(MOST_LOADERS, each - 1) if gpus else 0
    return Share(max(1, each - loader_workers) if processes > 1 else 0, loader_workers)


def visible_gpus() -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    given = os.environ.get(VISIBLE)
    if given is not None:
        return tuple(name.strip() for name in given.split(",") if name.strip() not in ("", "-1"))
    if not any(Path(file).exists() for file in DRIVER_FILES):
        return ()
    import torch

    return tuple(str(number) for number in range(torch.cuda.device_count()))


def this_device() -> str:
    """What a record of a run on this machine names as its device."""
    from poseur_lib.runtime import device_name, processor_name  # brings torch

    return device_name("auto") if visible_gpus() else processor_name()
