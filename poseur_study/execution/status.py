"""What `poseur study plan` and `poseur study status` print."""

from collections import Counter
from collections.abc import Sequence

from poseur_study.analysis.power import detectable
from poseur_study.execution.batch import Batch
from poseur_study.execution.cost_estimate import Speed, Work, given_speed, hours, probed_speed, speed_of_finished
from poseur_study.execution.progress import position, seconds_left
from poseur_study.execution.run_job import RunOptions, missing_runs
from poseur_study.runs import lease
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.store import ERROR_FILE, FAILED_NOTEBOOK_FILE, RunState

WIDTH = 12
AGAIN = ", again: others start from its weights, which are gone"


def plan_lines(batch: Batch, workers: int = 1, device_gflops: float | None = None) -> list[str]:
    """Every distinct run with its state, multiply-adds and rows, then what the missing ones cost together."""
    states = _states(batch)
    missing = missing_runs(batch.runs, batch.store, RunOptions(batch.profile.name), states)
    work = Work(batch.profile, batch.store.folder)
    billions = {run.run_id: work.of(run) / 1e9 for run in missing}
    speed = _speed(batch, work, device_gflops) if missing else None
    lines = _notes(batch)
    for run in batch.runs:
        cost = f", {_work(billions[run.run_id], speed)}" if run.run_id in billions else ""
        cost += AGAIN if cost and states[run.run_id] == RunState.RECORD_ONLY else ""
        lines += [f"{states[run.run_id].value:{WIDTH}s} {_name(batch, run)}{cost}", f"{'':{WIDTH}s}   {_rows(run)}"]
    lines += _detectable(batch)
    lines.append(_total(batch, missing, states))
    if speed is not None:
        lines.append(_cost(list(billions.values()), speed, workers))
    work.save()
    batch.store.remember()
    return lines


def status_lines(batch: Batch) -> tuple[list[str], bool]:
    """Every run with its state, error and notebook; True if someone has to look at something."""
    states, lines = _states(batch), _notes(batch)
    for run in batch.runs:
        state = states[run.run_id]
        lines.append(f"{state.value:{WIDTH}s} {_name(batch, run)}")
        lines += [f"{'':{WIDTH}s}   {line}" for line in _explanation(batch, run, state)]
    failed = [table for table in batch.tables if (batch.store.table_folder(table.number) / ERROR_FILE).exists()]
    for table in failed:
        folder = batch.store.table_folder(table.number)
        last = (folder / ERROR_FILE).read_text().strip().splitlines()[-1]
        lines += [
            f"{'failed':{WIDTH}s} table {table.number}",
            f"{'':{WIDTH}s}   {last}",
            f"{'':{WIDTH}s}   see {folder}",
        ]
    counts = Counter(state.value for state in states.values())
    lines.append(", ".join(f"{count} {state}" for state, count in counts.items()) + _left(batch, states))
    batch.store.remember()
    return lines, bool(failed) or any(state.wrong for state in states.values())


def _states(batch: Batch) -> dict[str, RunState]:
    return {run.run_id: batch.store.state(run.run_id) for run in batch.runs}


def _left(batch: Batch, states: dict[str, RunState]) -> str:
    """How long the rest will take, where something is at work and its pace is known."""
    if RunState.RUNNING not in states.values():
        return ""
    work = Work(batch.profile, batch.store.folder)
    unfinished = {run.run_id: work.of(run) for run in batch.runs if not states[run.run_id].done}
    work.save()
    seconds = seconds_left(batch.runs, batch.store, states, unfinished)
    return "" if seconds is None else f"; about {_duration(seconds / 3600)} of training left"


def _detectable(batch: Batch) -> list[str]:
    """The smallest effect that each table can find with the profile's seeds and images; see `study.power`."""
    lines = []
    for table in batch.tables:
        seeds = len(batch.seeds)
        found = [detectable(table, claim, batch.profile, seeds) for claim in table.claims if not claim.measured]
        for words, equivalence in dict.fromkeys((one.words, one.margin is not None) for one in found):
            what = f"for an equivalence: {words}" if equivalence else f"can find a difference of {words} points"
            lines.append(f"{table.name} {what} ({seeds} seed{'s' * (seeds != 1)})")
    return lines


def _work(billions: float, speed: Speed) -> str:
    """A run's multiply-adds, and how long they take."""
    return f"{billions:,.0f} G multiply-adds, {_duration(hours([billions * 1e9], speed))}"


def _notes(batch: Batch) -> list[str]:
    return [batch.data.note] if batch.data.note else []


def _name(batch: Batch, run: PlannedRun) -> str:
    return run.run_id if batch.data.fingerprint else run.config.name


def _rows(run: PlannedRun) -> str:
    shared = " (shared)" if len(run.rows) > 1 else ""
    return f"for {'; '.join(run.rows)}{shared}"


def _explanation(batch: Batch, run: PlannedRun, state: RunState) -> list[str]:
    folder = batch.store.path(run.run_id)
    if state == RunState.RUNNING:
        at = position(run, batch.store)
        return [f"{at.epochs} of {at.planned} epochs, by {lease.holder(folder) or 'a process that has just ended'}"]
    if state == RunState.CORRUPT:
        return [batch.store.error(run.run_id) or "", "`poseur study run` makes the record again"]
    if state != RunState.FAILED:
        return []
    notebook = batch.store.failed_notebook(run.run_id)
    lines = [batch.store.error(run.run_id) or "", f"output: {folder / ERROR_FILE}"]
    return lines + ([f"notebook: {folder / FAILED_NOTEBOOK_FILE}"] if notebook else [])


def _total(batch: Batch, missing: Sequence[PlannedRun], states: dict[str, RunState]) -> str:
    shared = sum(len(run.rows) > 1 for run in batch.runs)
    failed = sum(states[run.run_id] == RunState.FAILED for run in missing)
    text = f"{len(batch.runs)} distinct runs ({shared} shared by several rows), {len(missing)} to be executed"
    return text + (f", of which {failed} failed before (--retry-failed)" if failed else "")


def _speed(batch: Batch, work: Work, device_gflops: float | None) -> Speed:
    if device_gflops is not None:
        return given_speed(device_gflops)
    return speed_of_finished(batch.runs, batch.store, work) or probed_speed()


def _cost(billions: Sequence[float], speed: Speed, workers: int) -> str:
    alone = hours([one * 1e9 for one in billions], speed)
    text = f"{sum(billions):,.0f} G multiply-adds: {_duration(alone)} {speed.source} ({speed.billions:.1f} G/s)"
    return text + (f"; {_duration(alone / workers)} with {workers} at a time" if workers > 1 else "")


def _duration(of_hours: float) -> str:
    if of_hours >= 48:
        return f"{of_hours / 24:.1f} days ({of_hours:,.0f} h)"
    return f"{of_hours:.1f} h" if of_hours >= 2 else f"{60 * of_hours:.0f} min"
