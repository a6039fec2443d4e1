"""Execution of one run by whoever gets its lease: a notebook in a child process, then a look at what it left."""

import json
import shlex
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from poseur_lib.config import PretextRunConfig
from poseur_lib.files import CURVE_FILE, LAST_CHECKPOINT, MODEL_FILE
from poseur_study.execution.papermill_job import Outcome, execute_and_keep, failure
from poseur_study.execution.slots import VISIBLE, share_of, slot_environments
from poseur_study.runs import lease
from poseur_study.runs.heartbeat import Stopped
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.provenance import cpu_count
from poseur_study.runs.store import ERROR_FILE, RunState, RunStore, clear_failure, set_damaged_record_aside


@dataclass(frozen=True)
class RunOptions:
    """How and where a plan is executed; nothing of it but `limit_epochs` changes what a run is.

    Attributes:
        data, runs: as the notebooks are told: relative to the project, or absolute.
        workers: runs at a time here; 0: one a GPU (or group of `devices` GPUs), or one where there is none.
        devices: GPUs (or CPU processes) of one run.
        threads: of a run's process; 0: its share of the processors, or as torch decides where it is alone.
        loader_workers: processes that prepare images, of each device of a run; None: as `share_of` has it.
        retry_failed: try runs again that failed before.
        project: the folder that holds `notebooks/`; "": as each process finds it.
        scheduler: address of a running dask scheduler, whose workers share the disk of the runs.
        security: file that names the certificate to connect to it with (`poseur_study.execution.security.TlsFiles`).
        slurm: file with the options of Slurm jobs, each of which executes one run at a time.
        runs_per_gpu: runs that share a GPU of this machine; 0: as many as are quickest together, measured first.
    """

    profile: str
    data: str = ""
    runs: str = "runs"
    device: str = "auto"
    precision: str = "32"
    compile: str = "auto"
    data_on_device: str = "auto"
    limit_epochs: int = 0
    workers: int = 1
    devices: int = 1
    threads: int = 0
    loader_workers: int | None = None
    retry_failed: bool = False
    project: str = ""
    scheduler: str = ""
    security: Path | None = None
    slurm: Path | None = None
    runs_per_gpu: int = 1

    @property
    def told(self) -> dict[str, Any]:
        """What every notebook is told of them."""
        names = ("profile", "data", "runs", "device", "precision")
        return {name: getattr(self, name) for name in names}

    def with_share(self) -> "RunOptions":
        """Threads and loader processes as the processors allow where a run is executed, where they are left open.

        The machines of a running scheduler are not known: a run is then taken to be alone, without loader processes.

        Raises:
            UserError: there are too few GPUs, or the Slurm options cannot be used.
        """
        if self.scheduler:
            return replace(self, threads=self.threads or int(self.workers > 1), loader_workers=self.loader_workers or 0)
        if self.slurm is not None:
            from poseur_study.execution.security import read_options  # brings dask
            from poseur_study.execution.slurm import SlurmOptions

            job = read_options(self.slurm, SlurmOptions, "Slurm options")
            processors, runs, gpus = job.cpus, 1, job.gpus > 0 and self.device != "cpu"
        else:
            slots = slot_environments(self.workers, self.device, self.devices, self.runs_per_gpu)
            processors, runs, gpus = cpu_count(), len(slots), VISIBLE in slots[0]
        share = share_of(processors, runs * self.devices, gpus, self.loader_workers)
        return replace(self, threads=self.threads or share.threads, loader_workers=share.loader_workers)

    def limit(self, run: PlannedRun) -> int:
        """The limit on a run's epochs; pretraining has none, because other runs start from its last weights."""
        return 0 if isinstance(run.config, PretextRunConfig) else self.limit_epochs


def study_command(
    profile: str, number: str, seeds: Sequence[int], data: str, runs: str, overrides: Mapping[str, Any]
) -> str:
    """What makes and shows a table with these seeds, as one types it.

    Args:
        data, runs: folders; "": the default, which is not given.
    """
    parts = ["--profile", profile, "--tables", number, "--seeds", ",".join(map(str, seeds))]
    parts += [*(("--runs", runs) if runs else ()), *(("--data", data) if data else ())]
    for path, value in overrides.items():
        parts += ["--set", f"{path}={json.dumps(value)}"]
    return f"`poseur study run {shlex.join(parts)}`"


def satisfied(run: PlannedRun, store: RunStore, options: RunOptions) -> bool:
    """True if a run is done, or with a limit on epochs has been trained that far."""
    state, limit = store.recorded_state(run.run_id), options.limit(run)
    if state == RunState.PARTIAL and limit:
        return store.partial(run.run_id).epochs >= limit
    return run.done_in(state)


def missing_runs(
    runs: Sequence[PlannedRun],
    store: RunStore,
    options: RunOptions,
    states: Mapping[str, RunState] = MappingProxyType({}),
) -> list[PlannedRun]:
    """What has to be executed.

    Pretraining of which the record is left and the weights are gone is made again where a missing run starts from it.

    Args:
        states: of runs, where they are known: finished ones are not looked at again.
    """
    looked_at = [run for run in runs if states.get(run.run_id) != RunState.FINISHED]
    missing = [run for run in looked_at if not satisfied(run, store, options)]
    needed = {parent for run in missing for parent in run.parents}
    return [run for run in missing if run.run_id in needed or not store.recorded_state(run.run_id).done]


def execute_run(run: PlannedRun, store: RunStore, options: RunOptions, retry: bool = False) -> Outcome:
    """Execute one run to its end, unless another process has it, or had it and failed.

    Args:
        retry: although it failed before.
    """
    folder = store.path(run.run_id)
    try:
        if not store.folder.is_dir():
            return Outcome(RunState.FAILED, f"{socket.gethostname()} does not see {store.folder}: share the disk")
        held = lease.acquire(folder)
    except OSError as error:
        return Outcome(RunState.FAILED, f"{folder}: {error.strerror}")
    if held is None:
        return Outcome(RunState.RUNNING)
    try:
        if satisfied(run, store, options):
            return Outcome(store.recorded_state(run.run_id))
        if (folder / ERROR_FILE).exists() and not retry:
            return Outcome(RunState.FAILED, store.error(run.run_id))
        return _execute(run, store, options, held)
    except Stopped:
        return Outcome(RunState.WAITING)
    except Exception as error:
        return failure(folder, f"{type(error).__name__}: {error}")
    finally:
        held.release()


def run_parameters(run: PlannedRun, options: RunOptions) -> dict[str, Any]:
    """What the batch tells a run's notebook."""
    of_run = {"overrides": run.changes, "seed": run.seed, "run_id": run.run_id, "limit_epochs": options.limit(run)}
    how = {name: getattr(options, name) for name in ("compile", "data_on_device", "devices", "threads")}
    return options.told | of_run | how | {"loader_workers": options.loader_workers or 0, "progress": False}


def _execute(run: PlannedRun, store: RunStore, options: RunOptions, held: lease.Lease) -> Outcome:
    """Success is exit code 0 and a valid record of this very run."""
    folder = store.path(run.run_id)
    clear_failure(folder)
    if not store.recorded_state(run.run_id).done:
        set_damaged_record_aside(folder)
    if not any((folder / name).exists() for name in (LAST_CHECKPOINT, MODEL_FILE)):
        (folder / CURVE_FILE).unlink(missing_ok=True)  # of an earlier training: it would count as this one's progress
    how = {"held": held, "threads": options.threads, "project": options.project}
    parameters = run_parameters(run, options)
    outcome = execute_and_keep(run.notebook, parameters, folder, lambda _: _no_record(run, store, options), **how)
    return outcome if outcome.problem else Outcome(store.recorded_state(run.run_id))


def _no_record(run: PlannedRun, store: RunStore, options: RunOptions) -> str | None:
    state = store.recorded_state(run.run_id)
    if run.done_in(state):
        return None
    if state == RunState.RECORD_ONLY:
        return "every cell ran, but there are no weights"
    if state != RunState.PARTIAL:
        reason = store.error(run.run_id) or "none was written"
        return f"every cell ran, but there is no valid record: {reason}"
    epochs = store.partial(run.run_id).epochs
    if not options.limit(run) or epochs < options.limit(run):
        return f"the record has {epochs} epochs only"
    return None
