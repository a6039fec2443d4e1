"""A table's results are replaced by a whole new set, or not at all."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from poseur_study.execution import papermill_job
from poseur_study.execution.papermill_job import Attempt, TableJob, execute_table
from poseur_study.runs.heartbeat import stop_children
from poseur_study.runs.lease import acquire
from poseur_study.runs.origin import NOTEBOOK_DIGEST_FILE, NotebookOrigin, notebook_origin
from poseur_study.runs.project import results_folder
from poseur_study.runs.store import ERROR_FILE, FAILED_NOTEBOOK_FILE, NOTEBOOK_FILE, RESULT_FILE, RunState
from tests.study.projects import REPOSITORY, make_notebook


def write_results(folder: str, behaviour: str) -> None:
    """What the notebook does, in its kernel."""
    from pathlib import Path

    where = results_folder(Path(folder))
    if behaviour != "nothing":
        where.mkdir(parents=True, exist_ok=True)
        (where / RESULT_FILE).write_text(behaviour)
        (where / "rows.csv").write_text(behaviour)
    if behaviour == "raise":
        raise KeyError("a column")
    if behaviour == "die":
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    source = "from tests.study.execution.test_table_job import write_results\nwrite_results(folder, behaviour)"
    make_notebook(tmp_path / "notebooks" / "table.ipynb", 'folder = ""\nbehaviour = ""', source)
    folder = tmp_path / "tables" / "1b"

    def execute(behaviour: str):
        parameters = {"folder": str(folder), "behaviour": behaviour}
        return execute_table(TableJob("1b", "table.ipynb", folder, frozenset(), parameters, 1, str(tmp_path)))

    return folder, execute


def test_a_rerun_that_fails_leaves_the_earlier_results(table):
    folder, execute = table
    folder.mkdir(parents=True)
    for name in (RESULT_FILE, "rows.csv", NOTEBOOK_FILE):
        (folder / name).write_text("first")
    for behaviour, problem in (("raise", "KeyError: 'a column'"), ("die", None), ("nothing", "no results")):
        outcome = execute(behaviour)
        assert outcome.state == RunState.FAILED and (problem or "") in outcome.problem
        assert {(folder / name).read_text() for name in (RESULT_FILE, "rows.csv", NOTEBOOK_FILE)} == {"first"}
        assert (folder / ERROR_FILE).exists() and (folder / FAILED_NOTEBOOK_FILE).exists()
    assert execute("second").state == RunState.FINISHED
    assert (folder / RESULT_FILE).read_text() == "second"
    assert {path.name for path in folder.iterdir()} == {RESULT_FILE, "rows.csv", NOTEBOOK_FILE, NOTEBOOK_DIGEST_FILE}
    assert notebook_origin(folder) == NotebookOrigin.OWN


@pytest.mark.parametrize("taken", [False, True])
def test_who_has_lost_a_table_replaces_nothing_of_it_and_says_so(tmp_path, monkeypatch, taken):
    def executed(name, parameters, attempts, threads, held, project) -> Attempt:
        attempt = Attempt(attempts / "001", 0)
        attempt.results.mkdir(parents=True)
        (attempt.results / RESULT_FILE).touch()
        attempt.notebook.touch()
        if taken:
            held.path.unlink()
        return attempt

    monkeypatch.setattr(papermill_job, "execute_notebook", executed)
    outcome = execute_table(TableJob("1b", "table.ipynb", tmp_path, frozenset(), {}))
    assert outcome.state == (RunState.WAITING if taken else RunState.FINISHED)
    assert (outcome.problem is not None) == taken == (not (tmp_path / RESULT_FILE).exists())
    assert not (tmp_path / ERROR_FILE).exists() and not list(tmp_path.glob("lease.*"))


def test_a_table_that_waits_for_another_batch_ends_with_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(papermill_job, "execute_notebook", lambda *_: pytest.fail("executed"))
    other = acquire(tmp_path)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(execute_table, TableJob("1b", "table.ipynb", tmp_path, frozenset(), {}))
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.5)
        stop_children("another lease")
        assert not waiting.done()
        stop_children()
        assert waiting.result(timeout=30).state == RunState.WAITING
    other.release()
