"""The GPUs of this machine, dealt out to the slots of a local cluster."""

import os
from pathlib import Path

from poseur_lib.errors import UserError

DRIVER_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")


def slot_environments(workers: int, device: str, devices: int) -> list[dict[str, str]]:
    """What each slot's environment gets: its own GPUs, or nothing on a machine without.

    Args:
        workers: slots; 0: as many as there are (groups of) GPUs, or one without GPUs.
        devices: GPUs of one run.

    Raises:
        UserError: there are not that many GPUs.
    """
    gpus = visible_gpus() if device != "cpu" else ()
    if not gpus:
        return [{} for _ in range(workers or 1)]
    groups = [gpus[first : first + devices] for first in range(0, len(gpus) - devices + 1, devices)]
    if len(groups) < max(workers, 1):
        asked = f"{workers or 1} runs at a time with {devices} GPUs each"
        raise UserError(f"{asked} need {max(workers, 1) * devices} GPUs, there are {len(gpus)} ({', '.join(gpus)})")
    return [{"CUDA_VISIBLE_DEVICES": ",".join(group)} for group in groups[: workers or len(groups)]]


def visible_gpus() -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return tuple(name.strip() for name in given.split(",") if name.strip() not in ("", "-1"))
    if not any(Path(file).exists() for file in DRIVER_FILES):
        return ()
    import torch

    return tuple(str(number) for number in range(torch.cuda.device_count()))
