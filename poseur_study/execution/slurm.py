"""Slurm jobs as dask workers, by dask-jobqueue: their options, what their scripts say, and those that end at once."""

import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from distributed.security import Security
from distributed.utils import get_ip
from pydantic import Field

from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError
from poseur_study.execution.security import HTTP, worker_files

LOGS = (("error", "err"), ("output", "out"))


class SlurmOptions(Frozen):
    """The options of a Slurm job, by the names that dask-jobqueue's SLURMCluster has for them.

    Attributes:
        jobs: how many to ask for; each executes one run at a time, and one that ends is replaced while there are runs.
        queue, account: partition and account; Slurm's default where they are missing.
        cpus: processors of a job.
        memory: of a job, such as "16GB".
        walltime: of a job; a run that it cuts off resumes in another.
        gpus: of a job, for `--devices` of them a run; asks for them with `--gres=gpu:N`.
        interface: network interface between the jobs and the batch, such as "ib0"; both listen on it alone.
        python: interpreter of the job; this one by default.
        job_extra_directives: further lines for `#SBATCH`.
        job_directives_skip: lines that hold one of these words are left out.
        job_script_prologue: shell lines before the worker starts, such as "module load cuda".
        worker_extra_args: further words for `dask worker`, as a shell reads them.
        scheduler_host: address of the batch's machine as the jobs see it: the batch listens on it alone.
    """

    jobs: Annotated[int, Field(ge=1)] = 1
    queue: str | None = None
    account: str | None = None
    cpus: Annotated[int, Field(ge=1)] = 1
    memory: str = "8GB"
    walltime: str = "24:00:00"
    gpus: Annotated[int, Field(ge=0)] = 0
    interface: str | None = None
    python: str | None = None
    local_directory: str | None = None
    log_directory: str | None = None
    job_extra_directives: list[str] = Field(default_factory=list)
    job_directives_skip: list[str] = Field(default_factory=list)
    job_script_prologue: list[str] = Field(default_factory=list)
    worker_extra_args: list[str] = Field(default_factory=list)
    scheduler_host: str | None = None


@contextmanager
def slurm_cluster(options: SlurmOptions, shared: Path) -> Iterator[Any]:
    """A cluster whose jobs are submitted at once, and again where one ends, as at its walltime.

    Args:
        shared: a folder that the jobs see, too: files that let them in lie there for the time of the batch.

    Raises:
        UserError: dask-jobqueue is not installed, or there is no Slurm on this machine.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise UserError("--slurm needs dask-jobqueue: pip install 'poseur_lib[slurm]'") from None
    if shutil.which("sbatch") is None:
        raise UserError("--slurm needs the command sbatch: this machine submits no Slurm jobs")

    class Cluster(SLURMCluster):
        def _get_worker_security(self, security: Security) -> None:
            """Jobs are told by `worker_extra_args`: dask-jobqueue would not quote the files' names."""

    security = Security.temporary()
    with (
        worker_files(security, shared) as let_in,
        Cluster(**cluster_arguments(options, let_in), security=security) as cluster,
    ):
        cluster.adapt(minimum_jobs=options.jobs, maximum_jobs=options.jobs)
        yield cluster


def cluster_arguments(options: SlurmOptions, let_in: list[str]) -> dict[str, Any]:
    """SLURMCluster's arguments: one worker with one thread a job, whatever processors and GPUs the job has.

    dask-jobqueue writes them into a shell script as they are, so that what may have a space is quoted here.

    Args:
        let_in: further words of a worker's command line.
    """
    own = {"jobs", "cpus", "gpus", "scheduler_host", "python", "local_directory", "log_directory"}
    given = options.model_dump(exclude=own, exclude_none=True)
    directives, worker = [*options.job_extra_directives], [*options.worker_extra_args, *let_in]
    worker += ["--no-dashboard", "--dashboard-address", HTTP]
    if options.gpus:
        directives.append(f"--gres=gpu:{options.gpus}")
        worker += ["--resources", "GPU=1"]
    if options.local_directory:
        given["local_directory"] = shlex.quote(options.local_directory)
    if options.log_directory:
        Path(options.log_directory).mkdir(parents=True, exist_ok=True)
        directives += [f'--{name}="{options.log_directory}/dask-worker-%J.{end}"' for name, end in LOGS]
    scheduler: dict[str, Any] = {"dashboard": False, "dashboard_address": HTTP}
    if options.scheduler_host or not options.interface:
        scheduler["host"] = options.scheduler_host or get_ip()
    return {
        **given,
        "python": shlex.quote(options.python or sys.executable),
        "cores": 1,
        "processes": 1,
        "job_cpu": options.cpus,
        "job_extra_directives": directives,
        "worker_extra_args": worker,
        "scheduler_options": scheduler,
    }
