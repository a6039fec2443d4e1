"""Slurm jobs as dask workers, by dask-jobqueue: their options, what their scripts say, and those that end at once."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from distributed.deploy.spec import ProcessInterface
from distributed.security import Security
from distributed.utils import get_ip
from pydantic import Field

from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError
from poseur_study.execution.security import HTTP, worker_files

SECONDS_BETWEEN_LOOKS, ANSWER_SECONDS = 5.0, 30.0
MOST_ENDED = 3
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
def slurm_cluster(options: SlurmOptions, shared: Path) -> Iterator[tuple[Any, "JobWatch"]]:
    """A cluster whose jobs are submitted at once, and again where one ends, as at its walltime; and who watches them.

    The caller closes it: dask waits for ever where a cluster is closed again that could not be closed.

    Args:
        shared: a folder that the jobs see, too: files that let them in lie there for the time of the batch.

    Raises:
        UserError: dask-jobqueue is not installed, or there is no Slurm on this machine.
    """
    try:
        from dask_jobqueue import SLURMCluster
        from dask_jobqueue.slurm import SLURMJob
    except ImportError:
        raise UserError("--slurm needs dask-jobqueue: pip install 'poseur_lib[slurm]'") from None
    if shutil.which("sbatch") is None:
        raise UserError("--slurm needs the command sbatch: this machine submits no Slurm jobs")

    class Job(SLURMJob):
        refusal = ""

        async def start(self) -> None:
            """Where Slurm takes no job, `JobWatch` says so; dask would leave it at a traceback and wait."""
            try:
                await super().start()
            except (OSError, RuntimeError, ValueError) as error:
                self.refusal = [line for line in str(error).splitlines() if line.strip()][-1]
                await ProcessInterface.start(self)

        async def close(self) -> None:
            """dask-jobqueue leaves a job that it has ended as running; dask's cluster would then never be closed."""
            await super().close()
            await ProcessInterface.close(self)

    class Cluster(SLURMCluster):
        job_cls = Job

        def _get_worker_security(self, security: Security) -> None:
            """Jobs are told by `worker_extra_args`: dask-jobqueue would not quote the files' names."""

    security = Security.temporary()
    with worker_files(security, shared) as let_in:
        cluster = Cluster(**cluster_arguments(options, let_in), security=security)
        cluster.adapt(minimum_jobs=options.jobs, maximum_jobs=options.jobs)
        yield cluster, JobWatch(cluster)


class JobWatch:
    """Notices jobs that Slurm refuses, or that end before they connect: others are submitted, but not for ever."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self.connected: set[Any] = set()
        self.in_a_row: list[Any] = []
        self.looked = time.monotonic()

    def look(self) -> None:
        """Look at the jobs where the last look is some seconds old.

        Raises:
            UserError: `MOST_ENDED` jobs in a row were refused, or have ended so.
        """
        if time.monotonic() - self.looked < SECONDS_BETWEEN_LOOKS:
            return
        self.looked = time.monotonic()
        known = {name: (job, job.job_id) for name, job in dict(self.cluster.workers).items()}  # before Slurm is asked
        alive = _jobs_alive()
        names = [] if alive is None else self._over(known, alive)
        if len(self.in_a_row) >= MOST_ENDED:
            raise UserError(
                f"{len(self.in_a_row)} Slurm jobs in a row were refused or ended before they connected; {self._last()}"
            )
        if names:
            self.cluster.sync(self.cluster.scale_down, names)  # and others are submitted

    def _over(self, known: dict[str, tuple[Any, str | None]], alive: set[str]) -> list[str]:
        """The workers whose jobs are over without having connected; a job submitted since is in neither list."""
        jobs = {name: job for name, (job, _) in known.items()}
        names = {str(worker.name) for worker in list(self.cluster.scheduler.workers.values())}
        here = [job for name, job in jobs.items() if name in names]
        if any(job not in self.connected for job in here):
            self.connected.update(here)
            self.in_a_row.clear()
        over = {name: job for name, (job, number) in known.items() if job.refusal or (number and number not in alive)}
        ended = {name: job for name, job in over.items() if job not in self.connected}
        self.in_a_row += [job for job in ended.values() if job not in self.in_a_row]
        return list(ended)

    def _last(self) -> str:
        job = self.in_a_row[-1]
        return f"the last: {job.refusal}" if job.refusal else _end_of(job.job_id)


def _ask(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _jobs_alive() -> set[str] | None:
    """Ids of this user's jobs that wait or run; None where Slurm does not say."""
    listed = _ask("squeue", "--noheader", "--format=%i", f"--user={os.getuid()}")
    return None if listed is None else set(listed.split())


def _end_of(job: str) -> str:
    """How a job ended, and the last line of its log, in words."""
    shown = _ask("scontrol", "show", "job", "-o", job) or ""
    told = dict(re.findall(r"(JobState|ExitCode|StdErr)=(.*?)(?=\s\w+=|\s*$)", shown))
    log = Path(told.get("StdErr", ""))
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    how = f"{told.get('JobState', 'ended')}, exit code {told.get('ExitCode', 'unknown')}"
    return f"the last, {job}: {how}; its log {log}: {lines[-1][-160:] if lines else 'nothing'}"


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
