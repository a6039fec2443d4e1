"""The dask workers that execute a batch: of this machine, of a running scheduler, or Slurm jobs by dask-jobqueue.

A worker is one slot. It only starts a run's process and waits for it. One that is killed takes that process with it,
and dask gives the run to another worker, where it resumes.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Future, Nanny, Scheduler, SpecCluster, WorkerPlugin, wait
from distributed.security import Security

from poseur_lib.errors import UserError
from poseur_study.execution.mps import shared_gpus
from poseur_study.execution.run_job import RunOptions
from poseur_study.execution.security import HTTP, NO_PAGES, read_options, security_for
from poseur_study.execution.slots import VISIBLE, slot_environments
from poseur_study.execution.slurm import SlurmOptions, slurm_cluster
from poseur_study.runs.heartbeat import stop_children
from poseur_study.runs.project import below_root
from poseur_study.runs.signals import ENDING, start_tracker

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


Look = Callable[[], None]


@dataclass
class Engine:
    """A dask cluster by its client; `slots`, `submit` and `wait` raise ClusterLost where it does not answer."""

    client: Client
    look: Look = lambda: None
    """What to look at while runs are waited for: raises where none will ever be executed."""

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
        self.look()
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


class EndsInOrder(WorkerPlugin):
    """Signals end a worker's runs, never the worker: each gives its lease back, and the batch or Slurm ends the rest.

    Ctrl-C at the terminal reaches the batch alone, which then ends its workers' processes.
    """

    name = "ends-in-order"

    def setup(self, worker: Any) -> None:
        """Called by dask on every worker, also one that was started again."""
        with suppress(ValueError):  # no process of its own
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            for number in ENDING:
                signal.signal(number, _stop_runs)


def _stop_runs(*_: object) -> None:
    stop_children()


@contextmanager
def open_engine(options: RunOptions) -> Iterator[Engine]:
    """A cluster for the time of a batch; one that was running before is left running.

    Raises:
        UserError: no scheduler answers, the Slurm options cannot be used, or there are too few GPUs.
    """
    if options.scheduler and options.slurm is not None:
        raise UserError("--scheduler and --slurm exclude each other: a running cluster, or one made of Slurm's jobs")
    slurm = options.slurm
    with dask.config.set(PATIENCE | NO_PAGES | (CUT_OFFS if slurm is not None else {})):
        if options.scheduler:
            with _connect(options.scheduler, security_for(options.scheduler, options.security)) as client:
                yield Engine(client)
            return
        if options.security is not None:
            raise UserError("--security is for --scheduler tls://...: a batch's own cluster has its own certificate")
        made = _local(options) if slurm is None else _of_slurm(slurm, below_root(options.runs))
        with (
            made as (cluster, look),
            cluster,
            Client(cluster, security=cluster.security, set_as_default=False) as client,
        ):
            client.register_plugin(EndsInOrder())
            yield Engine(client, look)


def _connect(address: str, security: Security | None) -> Client:
    logging.getLogger("distributed.core").setLevel(logging.ERROR)
    try:
        return Client(address, timeout=CONNECT_SECONDS / 4, set_as_default=False, security=security)
    except (OSError, ValueError) as error:
        raise UserError(f"no dask scheduler answers at {address!r}: {error}") from None
    except TypeError as error:  # dask's way to say that a certificate is missing
        raise UserError(f"{address} needs a certificate: --security FILE ({error})") from None


@contextmanager
def _of_slurm(file: Path, shared: Path) -> Iterator[tuple[SpecCluster, Look]]:
    with slurm_cluster(read_options(file, SlurmOptions, "Slurm options"), shared) as (cluster, watch):
        yield cluster, watch.look


@contextmanager
def _local(options: RunOptions) -> Iterator[tuple[SpecCluster, Look]]:
    """Workers of this machine; where several of them share a GPU, with MPS."""
    start_tracker()
    environments = slot_environments(options.workers, options.device, options.devices, options.runs_per_gpu)
    gpus = [added[VISIBLE] for added in environments if VISIBLE in added]
    with shared_gpus(gpus[0]) if len(set(gpus)) < len(gpus) else nullcontext({}) as mps:
        yield _cluster_of([added | mps for added in environments]), lambda: None


def _cluster_of(environments: list[dict[str, str]]) -> SpecCluster:
    security = Security.temporary()
    here = {"host": "127.0.0.1", "protocol": "tls://", "security": security, "dashboard_address": HTTP}
    quiet = {"silence_logs": logging.CRITICAL}
    slots = [
        {"nthreads": 1, "memory_limit": 0, "env": added, "resources": {"GPU": 1} if added else {}, **here, **quiet}
        for added in environments
    ]
    workers = {number: {"cls": Nanny, "options": of} for number, of in enumerate(slots)}
    scheduler = {"cls": Scheduler, "options": {"port": 0, "dashboard": False, **here}}
    return SpecCluster(workers, scheduler, security=security, name=f"poseur-{os.getpid()}", **quiet)
