"""The slots of a batch, each of which executes one run at a time: where they are, and which GPUs each of them sees.

Neither dask nor torch is imported here: planning and looking at a study are quicker without.
"""

import math
import os
from pathlib import Path

from poseur_lib.errors import UserError

AUTO = 0
"""Runs that share a GPU where that is left open: `runs_per_gpu.py` picks the number."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVER_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")


def slot_environments(workers: int, device: str, devices: int, runs_per_gpu: int = 1) -> list[dict[str, str]]:
    """What each slot's environment gets: its own GPUs, or nothing on a machine without.

    Args:
        workers: slots; 0: as many as the GPUs have room for, or one without GPUs.
        devices: GPUs of one run.
        runs_per_gpu: slots that share a GPU, or a group of them; the first slots get one each.

    Raises:
        UserError: there are not that many GPUs, or none to share.
    """
    gpus = visible_gpus() if device != "cpu" else ()
    if not gpus:
        if runs_per_gpu > 1:
            raise UserError(f"--runs-per-gpu {runs_per_gpu}: there is no GPU here for runs to share")
        return [{} for _ in range(workers or 1)]
    groups = [gpus[first : first + devices] for first in range(0, len(gpus) - devices + 1, devices)]
    room = len(groups) * runs_per_gpu
    if room < max(workers, 1):
        needed = math.ceil(max(workers, 1) / runs_per_gpu) * devices
        sharing = f", {runs_per_gpu} sharing them," if runs_per_gpu > 1 else ""
        asked = f"{workers or 1} runs at a time with {devices} GPUs each{sharing}"
        raise UserError(f"{asked} need {needed} GPUs, there are {len(gpus)} ({', '.join(gpus)})")
    return [{VISIBLE: ",".join(group)} for group in (groups * runs_per_gpu)[: workers or room]]


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
