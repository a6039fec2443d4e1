"""Where a batch is executed, as the command line says it."""

from dataclasses import dataclass
from pathlib import Path

from poseur_lib.errors import UserError


@dataclass(frozen=True)
class EngineSettings:
    """Where the runs are executed.

    Attributes:
        workers: slots of the local cluster; 0: one a GPU (or group of `devices` GPUs), or one where there is none.
        scheduler: address of a running dask scheduler, whose workers share the disk of the runs.
        slurm: file with the options of Slurm jobs, each of which is a slot.
        devices: GPUs of one run.
        runs_per_gpu: of the local cluster, slots that share a GPU.

    Raises:
        UserError: GPUs are to be shared on a cluster, which deals them out itself.
    """

    workers: int = 0
    scheduler: str = ""
    slurm: Path | None = None
    device: str = "auto"
    devices: int = 1
    runs_per_gpu: int = 1

    def __post_init__(self) -> None:
        if self.runs_per_gpu > 1 and not self.local:
            raise UserError("--runs-per-gpu is for this machine; start several dask workers a GPU on a cluster")

    @property
    def local(self) -> bool:
        """True if the runs are executed on this machine."""
        return not self.scheduler and self.slurm is None
