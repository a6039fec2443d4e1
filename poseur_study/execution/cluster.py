"""The dask workers that execute a batch: of this machine, of a running scheduler, or Slurm jobs by dask-jobqueue.

A worker is one slot. It only starts a run's process and waits for it. One that is killed takes that process with it,
and dask gives the run to another worker, where it resumes.
"""

import json
import logging
import os
import shutil
import signal
import time
import tomllib
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import dask
import yaml
from distributed import Client, Future, Nanny, Scheduler, SpecCluster, WorkerPlugin, wait
from pydantic import Field

from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError, validated
from poseur_study.execution.mps import shared_gpus
from poseur_study.execution.run_job import RunOptions
from poseur_study.execution.slots import VISIBLE, slot_environments
from poseur_study.runs.heartbeat import stop_children

CONNECT_SECONDS = 60
PATIENCE = {
    "distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s",
    "distributed.comm.timeouts.tcp": "120s",
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.work-stealing": False,
    "distributed.admin.system-monitor.disk": False,
}
CUT_OFFS = {"distributed.scheduler.allowed-failures": 100}
"""A run may outlast its job many times: Slurm's walltime ends each of them as if its worker had been killed."""


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


class ClusterLost(UserError):
    """The cluster does not answer: nobody is left who could stop what was running."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"the cluster is lost: {error}; the same command goes on from here")


@contextmanager
def cluster_answers() -> Iterator[None]:
    """Within, only the cluster is asked. Raises ClusterLost if it does not answer."""
    try:
        yield
    except (CancelledError, OSError) as error:
        raise ClusterLost(error) from error


@dataclass
class Engine:
    """A dask cluster by its client; `slots`, `submit` and `wait` raise ClusterLost where it does not answer."""

    client: Client

    def slots(self) -> int:
        """Runs that can be executed at a time, at this moment: Slurm's jobs come and go, killed workers return."""
        with cluster_answers():
            return len(self._workers()) if self._by_gpu() else sum(self.client.nthreads().values())

    def submit(self, function: Callable, *arguments: Any) -> Future:
        """Execute a function of this package on one slot; again on another one, if the slot dies."""
        with cluster_answers():
            resources = {"GPU": 1} if self._by_gpu() else None
            return self.client.submit(function, *arguments, pure=False, resources=resources)

    def wait(self, futures: Collection[Future], seconds: float) -> set[Future]:
        """The futures that are through, at the latest after some seconds."""
        if not futures:
            time.sleep(seconds)
            return set()
        with cluster_answers(), self.client.as_current():
            try:
                return set(wait(list(futures), timeout=seconds, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                return set()

    def stop(self, futures: Collection[Future]) -> None:
        """End what is being executed: its processes die, what they have written stays."""
        self.client.cancel(list(futures), force=True)
        self.client.run(stop_children, on_error="ignore")

    def _workers(self) -> dict[str, Any]:
        return self.client.scheduler_info(n_workers=-1)["workers"]

    def _by_gpu(self) -> bool:
        return any("GPU" in worker.get("resources", {}) for worker in self._workers().values())


class DeafToInterrupts(WorkerPlugin):
    """Ctrl-C at the terminal reaches the batch alone, which then ends its workers' processes in order."""

    name = "deaf-to-interrupts"

    def setup(self, worker: Any) -> None:
        """Called by dask on every worker, also one that was started again."""
        with suppress(ValueError):  # no process of its own
            signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def open_engine(options: RunOptions) -> Iterator[Engine]:
    """A cluster for the time of a batch; one that was running before is left running.

    Raises:
        UserError: no scheduler answers, the Slurm options cannot be used, or there are too few GPUs.
    """
    if options.scheduler and options.slurm is not None:
        raise UserError("--scheduler and --slurm exclude each other: a running cluster, or one made of Slurm's jobs")
    slurm = options.slurm
    with dask.config.set(PATIENCE | (CUT_OFFS if slurm is not None else {})):
        if options.scheduler:
            with _connect(options.scheduler) as client:
                yield Engine(client)
            return
        made = _local(options) if slurm is None else nullcontext(slurm_cluster(read_slurm_options(slurm)))
        with made as cluster, cluster, Client(cluster, set_as_default=False) as client:
            client.register_plugin(DeafToInterrupts())
            yield Engine(client)


def _connect(address: str) -> Client:
    logging.getLogger("distributed.core").setLevel(logging.ERROR)
    try:
        return Client(address, timeout=CONNECT_SECONDS / 4, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(f"no dask scheduler answers at {address!r}: {error}") from None


@contextmanager
def _local(options: RunOptions) -> Iterator[SpecCluster]:
    """Workers of this machine; where several of them share a GPU, with MPS."""
    environments = slot_environments(options.workers, options.device, options.devices, options.runs_per_gpu)
    gpus = [added[VISIBLE] for added in environments if VISIBLE in added]
    with shared_gpus(gpus[0]) if len(set(gpus)) < len(gpus) else nullcontext({}) as mps:
        yield _cluster_of([added | mps for added in environments])


def _cluster_of(environments: list[dict[str, str]]) -> SpecCluster:
    here, quiet = {"host": "127.0.0.1"}, {"silence_logs": logging.CRITICAL}
    slots = [
        {"nthreads": 1, "memory_limit": 0, "env": added, "resources": {"GPU": 1} if added else {}, **here, **quiet}
        for added in environments
    ]
    workers = {number: {"cls": Nanny, "options": of} for number, of in enumerate(slots)}
    scheduler = {"cls": Scheduler, "options": {"port": 0, "dashboard": False, "dashboard_address": ":0", **here}}
    return SpecCluster(workers=workers, scheduler=scheduler, name=f"poseur-{os.getpid()}", **quiet)
