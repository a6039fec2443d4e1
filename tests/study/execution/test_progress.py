"""What a batch tells of how far it is; the time left is by this batch's own speed, and does not grow by waiting."""

import json

import pytest

from poseur_lib import progress as lines
from poseur_lib.training.position import TrainingPosition
from poseur_study.execution.progress import PlanProgress, training_seconds_left
from poseur_study.runs.store import RunState, RunStore
from tests.study.execution.fake_notebook import planned

RUNS = [planned(seed) for seed in range(10)]


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """Seconds that the process's clock shows."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def states(done: int, **more: RunState) -> dict[str, RunState]:
    of = [RunState.FINISHED] * done + list(more.values())
    return {run.run_id: state for run, state in zip(RUNS, [*of, *[RunState.ABSENT] * 10], strict=False)}


def write_position(folder, epoch: int, step: int) -> None:
    at = TrainingPosition(epoch=epoch, epochs=6, step=step, steps=8, seconds_left=60.0)
    (folder / "position.json").write_text(at.model_dump_json())


def test_the_lines_say_what_is_done_running_and_failed_and_the_time_left(tmp_path, capsys, clock):
    store, name = RunStore(tmp_path), RUNS[4].name
    folder = store.path(RUNS[4].run_id)
    folder.mkdir()
    with PlanProgress(RUNS, store) as progress:
        progress.show(states(4))  # four were done by an earlier batch
        clock[0] = 500.0
        progress.show(states(4, first=RunState.RUNNING))
        (folder / "curve.json").write_text(json.dumps([{"seconds": 1.0}] * 3))
        clock[0] = 600.0
        progress.show(states(4, first=RunState.RUNNING, second=RunState.FAILED))
        clock[0] = 900.0
        progress.show(states(4, first=RunState.RUNNING, second=RunState.FAILED))
    assert capsys.readouterr().out.splitlines() == [
        "4 of 10 runs done",
        f"{name}: 0 of 6 epochs; 4 of 10 runs done",
        # half a run in 600 s: four and a half are left, the failed one apart
        f"{name}: 3 of 6 epochs; 4 of 10 runs done, 1 failed, 90 min left",
    ]


def test_the_epoch_under_way_is_no_part_of_the_pace_of_those_that_a_curve_has(tmp_path):
    """An epoch in 60 s and half of the next: four and a half are left."""
    store, (run, *_) = RunStore(tmp_path), RUNS
    folder = store.path(run.run_id)
    folder.mkdir()
    write_position(folder, 2, 4)
    known = {"states": {run.run_id: RunState.RUNNING}, "work": {run.run_id: 5.0}}
    assert training_seconds_left([run], store, **known) is None
    (folder / "curve.json").write_text(json.dumps([{"seconds": 60.0}]))
    assert training_seconds_left([run], store, **known) == pytest.approx(270)


def test_a_log_gets_no_line_for_every_step(tmp_path, capsys, clock):
    store = RunStore(tmp_path)
    store.path(RUNS[0].run_id).mkdir()
    with PlanProgress(RUNS, store) as progress:
        for second in range(100):
            clock[0] = float(second)
            write_position(store.path(RUNS[0].run_id), 1 + second // 20, second % 8)
            progress.show(states(0, first=RunState.RUNNING))
    assert len(capsys.readouterr().out.splitlines()) == 1 + 100 // int(lines.SECONDS_BETWEEN_LINES)


def test_a_terminal_is_told_the_step_and_the_time_that_stays_until_there_is_news(tmp_path, capsys, clock, monkeypatch):
    monkeypatch.setattr(lines.ProgressLine, "columns", 120)
    store = RunStore(tmp_path)
    running = {"first": RunState.RUNNING, "second": RunState.RUNNING}
    store.path(RUNS[1].run_id).mkdir()
    write_position(store.path(RUNS[1].run_id), 2, 4)
    with PlanProgress(RUNS, store) as progress:
        progress.show(states(0))
        for clock[0] in (100.0, 200.0, 300.0):
            progress.show(states(1, **running))
        progress.show(states(10))
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1 and shown.endswith("10 of 10 runs done, 0 s left\n")
    words = f"{RUNS[1].name}: epoch 2 of 6, step 4 of 8, 1 min left (and 1 more); 1 of 10 runs done, 12 min left"
    assert shown.count(lines.CLEAR) == 5 and shown.count(words) == 3  # 1.25 runs in 100 s
