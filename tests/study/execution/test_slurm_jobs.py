"""Jobs of Slurm, without one: whom they let in, paths with a space, and those that end before they connect."""

import json
import os
import sys
from pathlib import Path

import pytest

from poseur_lib.errors import UserError
from poseur_study.execution import slurm
from poseur_study.execution.cluster import Engine, open_engine
from poseur_study.execution.run_job import RunOptions
from tests.study.execution.intruder import code_executed_by, listens_on, ways_in
from tests.study.execution.stand_in_slurm import stand_in_slurm
from tests.study.projects import REPOSITORY, wait_until


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder whose path has a space, on a machine with a Slurm."""
    pytest.importorskip("dask_jobqueue")
    place = tmp_path / "a place"
    monkeypatch.setenv("PATH", f"{stand_in_slurm(tmp_path / 'slurm')}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setattr(slurm, "SECONDS_BETWEEN_LOOKS", 0.2)
    place.mkdir()
    (place / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (place / "python").chmod(0o755)
    return place


def options(place: Path, python: str = "python") -> RunOptions:
    """Of one job, all of whose paths have a space."""
    given = {"interface": "lo", "memory": "1GB", "python": str(place / python), "log_directory": str(place / "logs"),
             "local_directory": str(place / "scratch")}  # fmt: skip
    (place / "jobs.yaml").write_text(json.dumps(given))
    return RunOptions("smoke", slurm=place / "jobs.yaml", runs=str(place / "runs"))


def wait_for_jobs(engine: Engine) -> None:
    """Wait for a slot as a batch does that has nothing to do yet."""
    wait_until(lambda: engine.wait([], 0.1) or engine.slots(), "a job connects")


def test_a_job_from_a_path_with_a_space_connects_and_lets_nobody_else_in(place):
    with open_engine(options(place)) as engine:
        wait_for_jobs(engine)
        pids = [pid for nanny in (False, True) for pid in engine.client.run(os.getpid, nanny=nanny).values()]
        address = engine.client.scheduler.address
        assert code_executed_by(address, engine.client.security) and ways_in(address) == []
        assert listens_on(os.getpid(), *pids) == {"127.0.0.1"}
        assert len(list((place / "runs").glob(".tls-*/key.pem"))) == 1
    assert not list((place / "runs").iterdir())


def test_jobs_that_end_at_once_end_the_batch_with_the_reason(place):
    said = r"3 Slurm jobs in a row .*connected; the last, 3: FAILED, exit code 127:0; its log .*slurm-3"
    with open_engine(options(place, "no python")) as engine, pytest.raises(UserError, match=f"{said}.*: No such file"):
        wait_for_jobs(engine)


def test_jobs_that_slurm_refuses_end_the_batch_with_its_words(place):
    (place.parent / "slurm" / "refuses").touch()
    with pytest.raises(UserError, match="invalid partition specified: nosuch"), open_engine(options(place)) as engine:
        wait_for_jobs(engine)
