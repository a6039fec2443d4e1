"""What `poseur study plan` and `poseur study status` print."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from poseur_lib.config import ExperimentConfig, PretextConfig, PretextRunConfig, TrainConfig
from poseur_lib.errors import UserError
from poseur_lib.files import CURVE_FILE, MODEL_FILE
from poseur_lib.progress import duration
from poseur_study.execution.batch import Batch
from poseur_study.execution.cost_estimate import (
    FORWARD_AND_BACKWARD,
    Speed,
    given_speed,
    gpu_speed,
    probed_speed,
    speed_of_finished,
)
from poseur_study.execution.progress import position, training_seconds_left
from poseur_study.execution.run_job import RunOptions, missing_runs, study_command
from poseur_study.runs import lease
from poseur_study.runs.evaluation_file import EVALUATION_FILE
from poseur_study.runs.origin import NotebookOrigin, notebook_origin
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.project import below_root
from poseur_study.runs.record import PREDICTIONS_FILE
from poseur_study.runs.store import ERROR_FILE, FAILED_NOTEBOOK_FILE, NOTEBOOK_FILE, RESULT_FILE, RunState, last_line

ALTERED = "altered"
REMADE = "again: others start from its weights, which are gone"


def plan_lines(batch: Batch, workers: int = 1, device_gflops: float | None = None, gpu: str = "") -> list[str]:
    """What the missing runs cost together, then every distinct run with its state, time and further rows."""
    states, lines = _states(batch), []
    missing = missing_runs(batch.runs, batch.store, RunOptions(batch.profile.name), states)
    work = batch.work()
    training = [run for run in missing if not _trained(batch, run)]
    costs = {run.run_id: work.of(run) for run in training}
    speed = None if device_gflops is None else given_speed(device_gflops)
    if training and gpu:
        step = max(FORWARD_AND_BACKWARD * work.per_image(run) * _batch_size(run) for run in training)
        speed = gpu_speed(gpu, step)
    elif training and speed is None:
        speed = speed_of_finished(batch.runs, batch.store, work) or probed_speed()
    for run in batch.runs:
        state, again = states[run.run_id], run.run_id in costs and states[run.run_id] == RunState.RECORD_ONLY
        time = duration(3600 * speed.hours(costs[run.run_id])) if run.run_id in costs else ""
        more = [_remade(batch, run, states)] * again + _damage(batch, run, state, time)
        more += [f"also {row}" for row in run.rows[1:]]
        lines += _entry(state, f"{time:8s} {_name(batch, run)}", *(f"{'':6s} {line}" for line in more))
    summary = [*batch.notes, _total(batch, missing, states)]
    if training and speed is not None:
        total = sum(costs.values())
        seconds, rate = 3600 * speed.hours(total), f"{speed.source} ({speed.billions:.1f} G/s)"
        at_a_time = f"; {duration(seconds / workers)} with {workers} at a time" if workers > 1 else ""
        summary.append(f"{total / 1e9:,.0f} G multiply-adds: {duration(seconds)} {rate}{at_a_time}")
        longest = max(training, key=lambda run: costs[run.run_id] / _epochs(run))
        epoch = duration(3600 * speed.hours(costs[longest.run_id] / _epochs(longest)))
        summary.append(f"a run that is cut off loses an epoch at most, which takes up to {epoch} ({longest.name})")
        summary += _left_out(training, speed)
    work.save()
    batch.store.verified.save()
    return [*summary, *lines, *_detectable(batch)]


def status_lines(batch: Batch, notebooks: bool = False) -> tuple[list[str], bool]:
    """Every run with its state, error and notebook; True if someone has to look at something.

    Args:
        notebooks: hold executed notebooks, of runs and tables, against the digests that their runner noted.
    """
    states, lines = _states(batch), [*batch.notes]
    for run in batch.runs:
        state = states[run.run_id]
        lines += _entry(state, _name(batch, run), *_explanation(batch, run, state))
    folders = {f"table {table.number}": batch.store.table_folder(table.number) for table in batch.tables}
    failed = {name: folder for name, folder in folders.items() if (folder / ERROR_FILE).exists()}
    for name, folder in failed.items():
        error = last_line(folder / ERROR_FILE)
        lines += _entry(RunState.FAILED, name, error, f"see {folder}")
    lines += _seeds_not_shown(batch, states)
    wrong = bool(failed) or any(
        states[run.run_id].wrong or batch.store.damaged_weights(run.run_id) or _damage(batch, run, states[run.run_id])
        for run in batch.runs
    )
    counts = Counter(state.value for state in states.values())
    lines.append(", ".join(f"{count} {state}" for state, count in counts.items()) + _left(batch, states))
    batch.store.verified.save()
    of_runs = {_name(batch, run): batch.store.path(run.run_id) for run in batch.runs}
    found = _notebook_lines(folders | of_runs) if notebooks else []
    altered = any(line.startswith(ALTERED) for line in found)
    return lines + found, altered or wrong


def _notebook_lines(folders: dict[str, Path]) -> list[str]:
    origins = {name: origin for name, folder in folders.items() if (origin := notebook_origin(folder))}
    altered = [name for name, origin in origins.items() if origin == NotebookOrigin.ALTERED]
    lines = [line for name in altered for line in _entry(ALTERED, name, f"see {folders[name] / NOTEBOOK_FILE}")]
    counts = Counter(origin.value for origin in origins.values())
    return [*lines, f"notebooks: {', '.join(f'{count} {what}' for what, count in counts.items()) or 'none'}"]


def _states(batch: Batch) -> dict[str, RunState]:
    return {run.run_id: batch.store.state(run.run_id) for run in batch.runs}


def _name(batch: Batch, run: PlannedRun) -> str:
    """What a run is, the end of its id, which names its folder, and where it is from; with the data set only."""
    if not batch.data.fingerprint:
        return run.name
    origin = batch.store.imported(run.run_id)
    came = f", imported on {origin['date'][:10]} from {origin['source']}" if origin else ""
    return f"{run.name} ({run.run_id.rpartition('_')[2]}){came}"


def _entry(state: str, name: str, *more: str) -> list[str]:
    return [f"{state:12s} {name}", *(f"{'':15s} {line}" for line in more)]


def _batch_size(run: PlannedRun) -> int:
    return _training(run).global_batch


def _epochs(run: PlannedRun) -> int:
    return _training(run).epochs


def _training(run: PlannedRun) -> TrainConfig | PretextConfig:
    return run.config.pretext if isinstance(run.config, PretextRunConfig) else run.config.train


def _left(batch: Batch, states: dict[str, RunState]) -> str:
    """How long the rest will take, where a run is executed and its speed is known."""
    if RunState.RUNNING not in states.values():
        return ""
    work = batch.work()
    unfinished = {run.run_id: work.of(run) for run in batch.runs if not states[run.run_id].done}
    work.save()
    seconds = training_seconds_left(batch.runs, batch.store, states, unfinished)
    return "" if seconds is None else f"; about {duration(seconds)} of training left"


def _detectable(batch: Batch) -> list[str]:
    """The minimum detectable effect of each table with the profile's seeds and images; see `analysis.power`."""
    from poseur_study.analysis.power import detectable

    lines, seeds = [], len(batch.seeds)
    for table in batch.tables:
        found = [detectable(table, claim, batch.profile, seeds) for claim in table.claims if not claim.measured]
        for words, equivalence in dict.fromkeys((one.words, one.margin is not None) for one in found):
            what = f"for an equivalence: {words}" if equivalence else f"detects a difference of {words} points"
            lines.append(f"{table.name} {what} ({seeds} seed{'s' * (seeds != 1)})")
    return lines


def _explanation(batch: Batch, run: PlannedRun, state: RunState) -> list[str]:
    folder = batch.store.path(run.run_id)
    if state == RunState.RUNNING:
        at = position(run, batch.store)
        return [f"{at.words}, by {lease.holder(folder) or 'a process that has just ended'}"]
    if state == RunState.CORRUPT:
        return _damage(batch, run, state, _time(batch, run))
    if state.done:
        return [*_damage(batch, run, state), *filter(None, [batch.store.damaged_weights(run.run_id)])]
    if state != RunState.FAILED:
        return []
    lines = [batch.store.error(run.run_id) or "", f"output: {folder / ERROR_FILE}"]
    return lines + [f"notebook: {folder / FAILED_NOTEBOOK_FILE}"] * (folder / FAILED_NOTEBOOK_FILE).exists()


def damage_lines(batch: Batch) -> list[str]:
    """The runs of which something is damaged: what, what follows from it, and how it is had back; a few lines each."""
    lines = []
    for run in batch.runs:
        state = batch.store.state(run.run_id)
        time = _time(batch, run) if state == RunState.CORRUPT else ""
        if found := _damage(batch, run, state, time):
            lines += _entry(state, _name(batch, run), *found)
    return lines


def _seeds_not_shown(batch: Batch, states: dict[str, RunState]) -> list[str]:
    """The tables that were last shown with fewer seeds than have their runs, as after batches of a seed each."""
    lines = []
    for table in batch.tables:
        if not (batch.store.table_folder(table.number) / RESULT_FILE).exists():
            continue
        from poseur_study.analysis.result_types import stored_result

        of_table = [run for run in batch.runs if any(row.startswith(f"{table.number}: ") for row in run.rows)]
        open_seeds = {run.seed for run in of_table if not states[run.run_id].done}
        done = [seed for seed in batch.seeds if seed not in open_seeds]
        with suppress(UserError):
            shown = stored_result(batch.store, table.number)
            if shown is not None and not set(done) <= set(shown.seeds):
                seeds, runs = sorted({*done, *shown.seeds}), batch.store.folder.parent
                where = "" if batch.own_data else str(batch.data.root), "" if runs == below_root("runs") else str(runs)
                command = study_command(batch.profile.name, table.number, seeds, *where, batch.overrides)
                lines.append(
                    f"note: {table.name} shows seeds {','.join(map(str, shown.seeds))}, and others are finished:"
                    f" {command} shows all"
                )
    return lines


def _damage(batch: Batch, run: PlannedRun, state: RunState, time: str = "") -> list[str]:
    """What is damaged of a run's record, what follows from that, and what brings it back; nothing if it is whole.

    Args:
        time: that training it again takes; "": not known.
    """
    folder = batch.store.path(run.run_id)
    back = f"`git checkout -- '{folder}'`, if it was committed, or `poseur runs import ARCHIVE` brings it back"
    if state == RunState.CORRUPT:
        took = f" ({time})" if time else ""
        again = f"trains it again{took}, and its backbone where those weights are gone"
        if _trained(batch, run):
            again = f"evaluates its {MODEL_FILE} again"
        return [batch.store.error(run.run_id) or "", f"`poseur study run` {again}", f"without that: {back}"]
    if not state.done:
        return []
    others = {
        EVALUATION_FILE: "results come from its predictions",
        PREDICTIONS_FILE: "what asks for them leaves it out",
    }
    found = batch.store.damaged_results(run.run_id)
    return [line for name, problem in found.items() for line in (problem, f"{others[name]}; {back}")]


def _trained(batch: Batch, run: PlannedRun) -> bool:
    """True if a run's training has ended and is not repeated, whatever became of its record."""
    return all((batch.store.path(run.run_id) / name).exists() for name in (MODEL_FILE, CURVE_FILE))


def _time(batch: Batch, run: PlannedRun) -> str:
    """What a run's training takes at the speed of finished ones; "" where there are none."""
    work = batch.work()
    speed = speed_of_finished(batch.runs, batch.store, work)
    return "" if speed is None else duration(3600 * speed.hours(work.of(run)))


def _remade(batch: Batch, run: PlannedRun, states: dict[str, RunState]) -> str:
    """Why pretraining with a record is made again, and what it no longer is the same for."""
    former = sum(run.run_id in other.parents and states[other.run_id].done for other in batch.runs)
    one = "1 finished run" if former == 1 else f"{former} finished runs"
    return REMADE + (f"; {one} started from those, not from the new ones" if former else "")


def _total(batch: Batch, missing: Sequence[PlannedRun], states: dict[str, RunState]) -> str:
    shared = sum(len(run.rows) > 1 for run in batch.runs)
    failed = sum(states[run.run_id] == RunState.FAILED for run in missing)
    text = f"{len(batch.runs)} distinct runs ({shared} shared by several rows), {len(missing)} to be executed"
    return text + (f", of which {failed} failed before (--retry-failed)" if failed else "")


def _left_out(missing: Sequence[PlannedRun], speed: Speed) -> list[str]:
    """What is not in the sum and the hours of missing runs, in a line."""
    experiments = [run.config for run in missing if isinstance(run.config, ExperimentConfig)]
    parts = [] if speed.whole_runs else ["hours are of training alone, without start-up and evaluation"]
    if any(config.data.whole_image is not None for config in experiments):
        parts.append("of whole-image models, a few per cent are not counted: what follows the keypoint head's tower")
    return [f"note: {'; '.join(parts)}"] if parts else []
