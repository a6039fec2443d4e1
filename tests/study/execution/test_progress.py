"""What a batch tells of how far it is; the time left is by this batch's own speed, and does not grow by waiting."""

import re

import pytest
from tqdm import std

from poseur_study.execution.progress import PlanProgress
from poseur_study.runs.store import RunState, RunStore
from tests.study.execution.fake_notebook import planned

RUNS = [planned(seed) for seed in range(10)]


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """Seconds that the bar's clock shows."""
    now = [0.0]
    monkeypatch.setattr(std, "time", lambda: now[0])
    return now


def states(done: int, **more: RunState) -> dict[str, RunState]:
    of = [RunState.FINISHED] * done + list(more.values())
    return {run.run_id: state for run, state in zip(RUNS, [*of, *[RunState.ABSENT] * 10], strict=False)}


def test_the_lines_say_what_is_done_running_failed_waiting_and_the_time_left(tmp_path, capsys, clock):
    store = RunStore(tmp_path)
    with PlanProgress(RUNS, store) as progress:
        progress.show(states(4))  # four were done by an earlier batch
        clock[0] = 500.0
        progress.show(states(4, first=RunState.RUNNING))
        (store.path(RUNS[4].run_id)).mkdir()
        (store.path(RUNS[4].run_id) / "curve.json").write_text('[{"seconds": 1.0}, {"seconds": 2.0}, {"seconds": 3.0}]')
        clock[0] = 600.0
        progress.show(states(4, first=RunState.RUNNING, second=RunState.FAILED))
        clock[0] = 900.0
        progress.show(states(4, first=RunState.RUNNING, second=RunState.FAILED))
    name = RUNS[4].name
    assert capsys.readouterr().out.splitlines() == [
        "runs: 4 done, 0 running, 0 failed, 6 waiting, ? left",
        f"runs: 4 done, 1 running ({name}: 0 of 6 epochs), 0 failed, 5 waiting, ? left",
        # half a run in 600 s: four and a half are left, the failed one apart
        f"runs: 4 done, 1 running ({name}: 3 of 6 epochs), 1 failed, 4 waiting, 1:30:00 left",
    ]


def test_a_terminal_gets_a_bar_in_one_line_whose_time_stays_until_there_is_news(tmp_path, capsys, clock, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with PlanProgress(RUNS, RunStore(tmp_path)) as progress:
        progress.show(states(0))
        for clock[0] in (100.0, 200.0, 300.0):
            progress.show(states(1))
        progress.show(states(10))
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1 and shown.rstrip().endswith(
        "00:00 left, runs: 10 done, 0 running, 0 failed, 0 waiting"
    )
    assert set(re.findall(r"(\S+) left, runs: 1 done", shown)) == {"15:00"}
