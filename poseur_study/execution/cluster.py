"""What executes the runs of a batch: dask workers, each of which is one slot for one run.

A worker only starts a run's process and waits for it. One that is killed takes that process with it, and dask gives
the run to another worker, where it resumes.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Future, Nanny, Scheduler, SpecCluster, WorkerPlugin, wait

from poseur_lib.errors import UserError
from poseur_study.execution.devices import slot_environments
from poseur_study.execution.engine_settings import EngineSettings
from poseur_study.execution.slurm import read_slurm_options, slurm_cluster
from poseur_study.runs.heartbeat import stop_children

CONNECT_SECONDS = 60
STOP_SECONDS = 30
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
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        except ValueError:  # no process of its own
            pass


@contextmanager
def open_engine(settings: EngineSettings) -> Iterator[Engine]:
    """A cluster for the time of a batch; one that was running before is left running.

    Raises:
        UserError: no scheduler answers, the Slurm options cannot be used, or there are too few GPUs.
    """
    if settings.scheduler and settings.slurm is not None:
        raise UserError("--scheduler and --slurm exclude each other: a running cluster, or one made of Slurm's jobs")
    with dask.config.set(PATIENCE | (CUT_OFFS if settings.slurm is not None else {})):
        if settings.scheduler:
            with _connect(settings.scheduler) as client:
                yield Engine(client)
            return
        cluster = _slurm(settings.slurm) if settings.slurm is not None else _local(settings)
        with cluster, Client(cluster, set_as_default=False) as client:
            client.register_plugin(DeafToInterrupts())
            yield Engine(client)


def _connect(address: str) -> Client:
    logging.getLogger("distributed.core").setLevel(logging.ERROR)
    try:
        return Client(address, timeout=CONNECT_SECONDS / 4, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(f"no dask scheduler answers at {address!r}: {error}") from None


def _local(settings: EngineSettings) -> SpecCluster:
    options = {"nthreads": 1, "memory_limit": 0, "silence_logs": logging.CRITICAL, "host": "127.0.0.1"}
    environments = slot_environments(settings.workers, settings.device, settings.devices, settings.runs_per_gpu)
    workers = {
        number: {"cls": Nanny, "options": {**options, "env": added, "resources": {"GPU": 1} if added else {}}}
        for number, added in enumerate(environments)
    }
    address = {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": ":0"}
    scheduler = {"cls": Scheduler, "options": address}
    name = f"poseur-{os.getpid()}"
    return SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL, name=name)


def _slurm(file: Path) -> SpecCluster:
    return slurm_cluster(read_slurm_options(file))
