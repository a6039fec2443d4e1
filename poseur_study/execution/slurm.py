"""A cluster made of Slurm jobs, by dask-jobqueue: every job is one slot for one run."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError
from poseur_lib.errors_folded import validated


class SlurmOptions(Frozen):
    """The options of a Slurm job, by the names that dask-jobqueue's SLURMCluster has for them.

    Attributes:
        jobs: how many to ask for; each executes one run at a time, and one that ends is replaced while there are runs.
        queue, account: partition and account; Slurm's default where they are missing.
        cpus: processors of a job.
        memory: of a job, such as "16GB".
        walltime: of a job; a run that it cuts off resumes in another.
        gpus: of a job, for `--devices` of them a run; asks for them with `--gres=gpu:N`.
        interface: network interface between the jobs and the batch, such as "ib0".
        python: interpreter of the job; this one by default.
        job_extra_directives: further lines for `#SBATCH`.
        job_directives_skip: lines that hold one of these words are left out.
        job_script_prologue: shell lines before the worker starts, such as "module load cuda".
        scheduler_host: address of the batch's machine as the jobs see it.
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


def read_slurm_options(file: Path) -> SlurmOptions:
    """The options in a YAML or TOML file.

    Raises:
        UserError: the file is missing or no such file, or an option is unknown or ill-typed.
    """
    try:
        text = file.read_text()
        content: Any = tomllib.loads(text) if file.suffix == ".toml" else yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"Slurm options {file}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"Slurm options {file}: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"Slurm options {file}: NAME: VALUE lines are expected, not {json.dumps(content)[:40]}")
    try:
        return validated(SlurmOptions, content)
    except UserError as error:
        raise UserError(f"Slurm options {file}: {error}") from None


def slurm_cluster(options: SlurmOptions) -> Any:
    """A cluster whose jobs are submitted at once, and again where one ends, as at its walltime.

    Raises:
        UserError: dask-jobqueue is not installed, or there is no Slurm on this machine.
    """
    import shutil

    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise UserError("--slurm needs dask-jobqueue: pip install 'poseur_lib[slurm]'") from None
    if shutil.which("sbatch") is None:
        raise UserError("--slurm needs the command sbatch: this machine submits no Slurm jobs")
    cluster = SLURMCluster(**cluster_arguments(options))
    cluster.adapt(minimum_jobs=options.jobs, maximum_jobs=options.jobs)
    return cluster


def cluster_arguments(options: SlurmOptions) -> dict[str, Any]:
    """SLURMCluster's arguments: one worker with one thread a job, whatever processors and GPUs the job has."""
    given = options.model_dump(exclude={"jobs", "cpus", "gpus", "scheduler_host"}, exclude_none=True)
    directives, worker = [*options.job_extra_directives], [*options.worker_extra_args]
    if options.gpus:
        directives.append(f"--gres=gpu:{options.gpus}")
        worker += ["--resources", "GPU=1"]
    scheduler: dict[str, Any] = {"dashboard": False, "dashboard_address": ":0"}
    if options.scheduler_host:
        scheduler["host"] = options.scheduler_host
    return {
        **given,
        "cores": 1,
        "processes": 1,
        "job_cpu": options.cpus,
        "job_extra_directives": directives,
        "worker_extra_args": worker,
        "scheduler_options": scheduler,
    }
