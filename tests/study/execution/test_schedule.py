"""What a batch makes of outcomes, of workers that die, and of errors that are no run's, on an engine that is told."""

from collections.abc import Collection
from typing import Any
from unittest.mock import Mock

import pytest
from distributed import Future, KilledWorker

from poseur_study.execution.cluster import ClusterLost, Engine
from poseur_study.execution.papermill_job import Outcome, TableJob
from poseur_study.execution.scheduler import Schedule, execute_plan
from poseur_study.runs.store import ERROR_FILE, RunState, RunStore
from tests.study.execution.fake_notebook import planned
from tests.study.projects import fake_options

RUN = planned(0)
MANY_DEATHS = (
    "its worker was killed again and again: is the memory too small? Workers of --scheduler that end at a time limit "
    "count too, unless it was started with DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=100"
)
KILLED = KilledWorker("task", None, 3)


class ToldEngine(Engine):
    """Gives each job the next of some outcomes; `status` is dask's of a future that raises: "error" if the job did."""

    def __init__(self, *told: Outcome | Exception, status: str = "error") -> None:
        self.told, self.status = list(told), status
        self.submitted, self.stopped = [], []

    def slots(self) -> int:
        """As many as one likes."""
        return 8

    def submit(self, _: object, job: Any, *more: Any) -> Future:
        """Execute nothing."""
        self.submitted.append(job)
        future = Mock(spec=Future, status=self.status)
        future.result.side_effect = [self.told.pop(0)]
        return future

    def wait(self, futures: Collection[Future], _: float) -> set[Future]:
        """All are through."""
        return set(futures)

    def stop(self, futures: Collection[Future]) -> None:
        """Note what was running."""
        self.stopped.append(list(futures))


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs" / "smoke")


def execute(engine: ToldEngine, store: RunStore, tables=(), report=lambda states: None) -> Schedule:
    return execute_plan([RUN] if not tables else [], store, fake_options(store), report, engine, tables)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KILLED, MANY_DEATHS),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
    ],
    ids=["its worker is killed", "it raises"],
)
def test_a_failure_that_no_worker_has_noted_is_noted_by_the_batch(store, error, line):
    assert execute(ToldEngine(error), store).problems == {RUN.run_id: line}
    assert store.state(RUN.run_id) == RunState.FAILED and store.error(RUN.run_id) == line
    again = ToldEngine()
    assert execute(again, store).problems[RUN.run_id].startswith(f"{line} (failed before; --retry-failed")
    assert again.submitted == []


def test_a_run_that_a_full_disk_ended_is_tried_again_by_itself(store):
    full = execute(ToldEngine(OSError(28, "No space left on device")), store).problems[RUN.run_id]
    assert full.startswith("the disk is full, or over its quota") and store.state(RUN.run_id) == RunState.FAILED
    again = ToldEngine(Outcome(RunState.FINISHED))
    assert execute(again, store).problems == {} and again.submitted == [RUN]


def test_a_table_that_loses_its_lease_is_tried_again(store):
    folder = store.table_folder("1b")
    job = TableJob("1b", "table.ipynb", folder, frozenset(), {})
    engine = ToldEngine(Outcome(RunState.WAITING, "stopped"), Outcome(RunState.FINISHED))
    assert execute(engine, store, [job]).problems == {} and engine.submitted == [job, job]
    assert execute(ToldEngine(KILLED), store, [job]).problems.keys() == {"table 1b"}
    assert "was killed" in (folder / ERROR_FILE).read_text()


def test_a_cluster_that_does_not_answer_is_no_failure_of_the_run(store):
    engine = ToldEngine(OSError("Timed out"), status="lost")
    with pytest.raises(ClusterLost, match="the cluster is lost: Timed out; the same command goes on from here"):
        execute(engine, store)
    assert engine.stopped == [] and store.state(RUN.run_id) == RunState.ABSENT


def test_an_error_of_the_disk_stops_what_is_running_and_is_not_the_cluster_s(store):
    engine = ToldEngine(Outcome(RunState.FINISHED))

    def report(states: dict[str, RunState]) -> None:
        if RunState.RUNNING in states.values():
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        execute(engine, store, report=report)
    assert [len(futures) for futures in engine.stopped] == [1]


class CountingEngine(ToldEngine):
    """Notes for each job how many others are at work when it begins."""

    def __init__(self, jobs: int) -> None:
        super().__init__(*[Outcome(RunState.FINISHED)] * jobs)
        self.at_work, self.beside = 0, []

    def submit(self, function: object, job: Any, *more: Any) -> Future:
        """Count it."""
        self.beside.append(self.at_work)
        self.at_work += 1
        return super().submit(function, job, *more)

    def wait(self, futures: Collection[Future], seconds: float) -> set[Future]:
        """All are through."""
        self.at_work = 0
        return super().wait(futures, seconds)


def test_tables_that_measure_speed_come_last_and_alone(store):
    tables = [
        TableJob(number, "table.ipynb", store.table_folder(number), frozenset(), {}, alone=number in ("S5", "2b"))
        for number in ("S5", "1b", "2b", "1c")
    ]
    engine = CountingEngine(5)
    assert execute_plan([RUN], store, fake_options(store), lambda states: None, engine, tables).problems == {}
    names = [getattr(job, "number", "a run") for job in engine.submitted]
    assert sorted(names[:3]) == ["1b", "1c", "a run"] and names[3:] == ["S5", "2b"]
    assert engine.beside[3:] == [0, 0]
