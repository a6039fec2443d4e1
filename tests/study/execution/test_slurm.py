"""Slurm: the options that a file may hold, and a study of two runs on a real one where it is installed."""

import getpass
import importlib.util
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from poseur_lib.errors import UserError
from poseur_study.execution.cluster import open_engine
from poseur_study.execution.run_job import RunOptions
from poseur_study.execution.security import read_options
from poseur_study.execution.slurm import SlurmOptions, cluster_arguments
from poseur_study.runs.store import RunState
from tests.study.execution.fake_notebook import planned
from tests.study.execution.intruder import code_executed_by, listens_on, ways_in
from tests.study.execution.slurm_cluster import missing_programs, running_slurm
from tests.study.projects import REPOSITORY, execute, fake_store, wait_until

YAML = """
jobs: 2
queue: gpu
cpus: 8
gpus: 1
memory: 32GB
job_extra_directives: ["--constraint=h100"]
"""
TOML = """
jobs = 2
queue = "gpu"
cpus = 8
gpus = 1
memory = "32GB"
job_extra_directives = ["--constraint=h100"]
"""


@pytest.mark.parametrize(("name", "text"), [("a.yaml", YAML), ("a.yml", YAML), ("a.toml", TOML)])
def test_the_same_options_in_either_format(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    given = cluster_arguments(read_options(tmp_path / name, SlurmOptions, "Slurm options"), [])
    assert given["job_extra_directives"] == ["--constraint=h100", "--gres=gpu:1"]
    assert given["worker_extra_args"][-2:] == ["--resources", "GPU=1"]
    assert (given["cores"], given["processes"], given["job_cpu"], given["queue"]) == (1, 1, 8, "gpu")
    assert "account" not in given


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "partition: gpu", "unknown parameter 'partition'"),
        ("a.yaml", "jobs: many", "jobs = 'many'"),
        ("a.yaml", "jobs: 0", "jobs = 0"),
        ("a.yaml", "wall_time: '1:00'", "did you mean 'walltime'"),
        ("a.yaml", "- 1", "lines are expected"),
        ("a.yaml", "a: [", "a.yaml"),
        ("a.toml", "jobs = ", "a.toml"),
        ("missing.yaml", None, "No such file"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message.replace("[", r"\[")):
        read_options(tmp_path / name, SlurmOptions, "Slurm options")


def test_without_slurm_it_is_said(tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.yaml").write_text("jobs: 1")
    with (
        pytest.raises(UserError, match="sbatch"),
        open_engine(RunOptions("smoke", slurm=tmp_path / "a.yaml", runs=str(tmp_path))),
    ):
        pass


def test_a_scheduler_and_slurm_exclude_each_other(tmp_path):
    both = RunOptions("smoke", scheduler="tcp://127.0.0.1:1", slurm=tmp_path / "a.yaml")
    with pytest.raises(UserError, match="exclude each other"), open_engine(both):
        pass


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A real Slurm, and a file of options for two of its jobs."""
    if missing := missing_programs():
        pytest.skip(f"needs Slurm and Munge on this machine: {', '.join(missing)} not installed")
    if os.geteuid() != 0:
        pytest.skip("needs root: slurmd starts jobs for users")
    if importlib.util.find_spec("dask_jobqueue") is None:
        pytest.skip("needs dask-jobqueue")
    folder = Path(tempfile.mkdtemp(prefix="poseur-slurm-"))
    options = SlurmOptions(
        jobs=2, memory="500MB", walltime="00:10:00", log_directory=str(folder / "the logs"), interface="lo",
        job_script_prologue=[f"export PYTHONPATH={REPOSITORY}", "export OMP_NUM_THREADS=1"],
    )  # fmt: skip
    (folder / "options.yaml").write_text(options.model_dump_json(exclude_none=True))
    try:
        with running_slurm(folder) as environment:
            for name in ("SLURM_CONF", "PATH"):
                monkeypatch.setenv(name, environment[name])
            yield folder / "options.yaml"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def jobs_of(options: Path) -> int:
    return len(list(options.parent.glob("the logs/dask-worker-*.out")))


@pytest.mark.slow
def test_two_runs_on_a_real_slurm_and_nobody_else_s_code(tmp_path, slurm):
    store = fake_store(tmp_path)
    with open_engine(RunOptions("smoke", slurm=slurm, runs=str(store.folder.parent))) as engine:
        done = execute(engine, store, planned(0), planned(1))
        address = engine.client.scheduler.address
        workers = [engine.client.run(os.getpid, nanny=nanny).values() for nanny in (False, True)]
        assert ways_in(address) == [] and code_executed_by(address, engine.client.security)
        assert listens_on(os.getpid(), *workers[0], *workers[1]) == {"127.0.0.1"} and len(workers[0]) == 2
        assert [address for address in engine._workers() if not address.startswith("tls://")] == []
    assert set(done.states.values()) == {RunState.FINISHED}, done.problems
    assert jobs_of(slurm) == 2
    assert list(store.folder.parent.glob(".tls-*")) == []


@pytest.mark.slow
def test_jobs_that_end_are_replaced_and_their_runs_resume(tmp_path, slurm):
    """As at their walltime: both jobs are gone in the middle of the only run."""
    store, run = fake_store(tmp_path), planned(0, sleep_when_fresh=300, die_with_parent=True)
    started = store.path(run.run_id) / "starts.txt"

    def cancel() -> None:
        wait_until(started.exists, "the run starts")
        subprocess.run(["scancel", "--user", getpass.getuser()], check=True, timeout=30)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with open_engine(RunOptions("smoke", slurm=slurm, runs=str(store.folder.parent))) as engine:
        done = execute(engine, store, run)
    canceller.join()
    assert done.states == {run.run_id: RunState.FINISHED}, done.problems
    assert started.read_text().split() == ["fresh", "resumed"] and jobs_of(slurm) > 2
