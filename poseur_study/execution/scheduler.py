"""A plan on an engine: runs whose parents are there, tables whose runs are settled; one that fails stops no other."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from distributed import Future, KilledWorker

from poseur_lib.faults import DISK
from poseur_study.execution.cluster import ClusterLost, Engine, open_engine
from poseur_study.execution.papermill_job import Outcome, TableJob, execute_table, failure
from poseur_study.execution.run_job import RunOptions, execute_run, missing_runs, satisfied
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.signals import ends_in_order
from poseur_study.runs.store import ERROR_FILE, RunState, RunStore

POLL_SECONDS = 2.0
PARENT_MARK = "not run: its parent "
NOT_ITS_OWN = (PARENT_MARK, DISK.what)
"""How failures begin after which a run is tried again by itself."""

Report = Callable[[dict[str, RunState]], None]


@dataclass
class Schedule:
    """The plan while it is executed.

    Attributes:
        elsewhere: runs that another process executes: they are looked at again and again.
        problems: why runs and tables failed, one line each, by run id or table number.
        retried: runs that are tried although they failed before.
    """

    runs: Sequence[PlannedRun]
    store: RunStore
    options: RunOptions
    engine: Engine
    report: Report
    tables: list[TableJob] = field(default_factory=list)
    waiting: list[PlannedRun] = field(default_factory=list)
    elsewhere: set[str] = field(default_factory=set)
    running: dict[Future, PlannedRun | TableJob] = field(default_factory=dict)
    states: dict[str, RunState] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    retried: set[str] = field(default_factory=set)

    def execute(self) -> None:
        """Make what is missing.

        Raises:
            ClusterLost: the engine does not answer.
            OSError: the disk does not; what was running has been stopped.
            KeyboardInterrupt: what was running has been stopped.
        """
        self._take_stock()
        try:
            while self.waiting or self.tables or self.running:
                self._start_tables()
                self.waiting = [run for run in self.waiting if not self._leaves(run)]
                self.report(self.states)
                for future in self.engine.wait(self.running, POLL_SECONDS):
                    self._settle(future)
        except ClusterLost:
            raise
        except BaseException:
            self.engine.stop(self.running)
            raise
        self.report(self.states)

    def _take_stock(self) -> None:
        self.states = {run.run_id: self.store.state(run.run_id) for run in self.runs}
        for run in missing_runs(self.runs, self.store, self.options, self.states):
            key, state = run.run_id, self.states[run.run_id]
            failed = state != RunState.RUNNING and (self.store.path(key) / ERROR_FILE).exists()
            error = (self.store.error(key) or "") if failed else ""
            if failed and not self.options.retry_failed and not error.startswith(NOT_ITS_OWN):
                self.states[key] = RunState.FAILED
                self.problems[key] = f"{error} (failed before; --retry-failed tries it again)"
                continue
            self.waiting.append(run)
            if failed:
                self.retried.add(key)
            if failed or state == RunState.RECORD_ONLY:
                self.states[key] = RunState.WAITING

    def _leaves(self, run: PlannedRun) -> bool:
        """Whether a waiting run does no longer wait: started, given up, or settled by another process."""
        if run.run_id in self.elsewhere and self._settled_elsewhere(run):
            return True
        parents = {parent: self.states.get(parent) or self.store.state(parent) for parent in run.parents}
        to_come = self._to_come()
        missing = [parent for parent, state in parents.items() if state != RunState.FINISHED]
        lost = [parent for parent in missing if parent not in to_come]
        if lost:
            state = parents[lost[0]]
            what = "failed" if state == RunState.FAILED else f"is {state.value}"
            message = f"{PARENT_MARK}{lost[0]} {what}"
            self._take(run.run_id, failure(self.store.path(run.run_id), message))
            return True
        if missing or run.run_id in self.elsewhere or len(self.running) >= self.engine.slots():
            return False
        self.states[run.run_id] = RunState.RUNNING
        retry = run.run_id in self.retried
        self.running[self.engine.submit(execute_run, run, self.store, self.options, retry)] = run
        return True

    def _to_come(self) -> set[str]:
        running = [job for job in self.running.values() if isinstance(job, PlannedRun)]
        return {run.run_id for run in (*self.waiting, *running)}

    def _settled_elsewhere(self, run: PlannedRun) -> bool:
        state = self.store.state(run.run_id)
        if state == RunState.RUNNING:
            return False
        self.elsewhere.discard(run.run_id)
        if satisfied(run, self.store, self.options) or state == RunState.FAILED:
            self._take(run.run_id, Outcome(state, self.store.error(run.run_id)))
            return True
        self.states[run.run_id] = state
        return False

    def _start_tables(self) -> None:
        to_come = self._to_come()
        for job in [job for job in self.tables if not job.needs & to_come]:
            if job.alone and (self.running or self.waiting or any(not other.alone for other in self.tables)):
                continue  # the last, one after another
            if len(self.running) < self.engine.slots():
                self.running[self.engine.submit(execute_table, job)] = job
                self.tables.remove(job)

    def _settle(self, future: Future) -> None:
        job = self.running.pop(future)
        outcome = self._outcome(job, future)
        if isinstance(job, TableJob):
            if outcome.state == RunState.WAITING:  # its lease was taken away
                self.tables.append(job)
            else:
                self._take(f"table {job.number}", outcome)
        elif outcome.state in (RunState.RUNNING, RunState.WAITING):
            self.waiting.append(job)  # another process has it, or had it taken away
            self.elsewhere.add(job.run_id)
            self.states[job.run_id] = outcome.state
        else:
            self._take(job.run_id, outcome)

    def _outcome(self, job: PlannedRun | TableJob, future: Future) -> Outcome:
        """What came of a job; where nobody was left to note that it failed, it is noted now."""
        try:
            return future.result()
        except KilledWorker:
            message = (
                "its worker was killed again and again: is the memory too small? Workers of --scheduler that end at a "
                "time limit count too, unless it was started with DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=100"
            )
        except Exception as error:
            if future.status != "error":  # not the job's, but that of asking what came of it
                raise ClusterLost(error) from error
            message = f"{type(error).__name__}: {error}"
        return failure(job.folder if isinstance(job, TableJob) else self.store.path(job.run_id), message)

    def _take(self, key: str, outcome: Outcome) -> None:
        if not key.startswith("table "):
            self.states[key] = outcome.state
        if outcome.state == RunState.FAILED:
            self.problems[key] = outcome.problem or "no message"


def execute_plan(
    runs: Sequence[PlannedRun],
    store: RunStore,
    options: RunOptions,
    report: Report,
    engine: Engine | None = None,
    tables: Sequence[TableJob] = (),
) -> Schedule:
    """Execute what is missing.

    Args:
        report: called with all states whenever one may have changed.
        engine: default: one that is opened for it.
        tables: their notebooks, executed as soon as their runs are settled.
    """
    store.folder.mkdir(parents=True, exist_ok=True)
    with ends_in_order(), open_engine(options) if engine is None else nullcontext(engine) as opened:
        schedule = Schedule(runs, store, options, opened, report, list(tables))
        schedule.execute()
    return schedule
