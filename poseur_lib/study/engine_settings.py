"""Where a batch is executed, as the command line says it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class EngineSettings:
    """Where the runs are executed.

    Attributes:
        workers: slots of the local cluster; 0: one a GPU (or group of `devices` GPUs), or one where there is none.
        scheduler: address of a running dask scheduler, whose workers share the disk of the runs.
        slurm: file with the options of Slurm jobs, each of which is a slot.
        devices: GPUs of one run.
    """

    workers: int = 0
    scheduler: str = ""
    slurm: Path | None = None
    device: str = "auto"
    devices: int = 1

    @property
    def local(self) -> bool:
        """True if the runs are executed on this machine."""
        return not self.scheduler and self.slurm is None
