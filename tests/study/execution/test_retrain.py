"""Weights that are gone come back in a folder of their own, by the same configuration; records stay as they are."""

import itertools

import pytest

from poseur_lib.data.coco import fingerprint
from poseur_lib.errors import UserError
from poseur_study.execution import retrain as module
from poseur_study.execution.retrain import Training, changes_between, first_model, retraining
from poseur_study.experiments import TABLES
from poseur_study.experiments.profiles import PROFILES, profile
from poseur_study.explorer.runs import find_runs, run_named
from poseur_study.runs.datasets import KnownData
from poseur_study.runs.plan import PRETRAIN_NOTEBOOK
from poseur_study.runs.project import ROOT_VARIABLE
from poseur_study.runs.store import RunState, RunStore
from tests.study.fakes import FINGERPRINT, make_record
from tests.study.projects import PARAMETERS, REPOSITORY, content, make_notebook, make_project
from tests.training.tiny import tiny_config, write_people


@pytest.mark.parametrize("size", PROFILES, ids=[size.name for size in PROFILES])
def test_changes_between_a_profile_and_any_row_make_that_row(size):
    for table in TABLES:
        for row in table.runnable:
            config = size.experiment(3, size.of_table(table.number, table.changes(row)))
            changes = changes_between(size.experiment(3), config)
            assert size.experiment(3, changes) == config, (table.number, row.key)


def known(monkeypatch, fingerprint: str) -> None:
    monkeypatch.setattr(
        module, "known_data", lambda _, data, runs, keypoints: KnownData(runs, fingerprint, fingerprint)
    )


def test_the_plan_is_the_recorded_run_after_its_pretraining(monkeypatch):
    known(monkeypatch, FINGERPRINT)
    record = make_record(profile("smoke").experiment(2, {"model.head.decoder_layers": 4}))
    parent, run = retraining(record).plan()
    assert (parent.run_id,) == record.parents and run.run_id == record.run_id
    known(monkeypatch, "another")
    with pytest.raises(UserError, match=f"was made on data set {FINGERPRINT}; the one that is here is another"):
        retraining(record).plan()


def test_the_first_model_is_one_that_the_study_needs(monkeypatch):
    known(monkeypatch, FINGERPRINT)
    _, run = first_model("runs").plan()
    assert run.config == profile("smoke").experiment(0, {"model.head.noise.kind": "released"})


def test_training_again_leaves_the_record_and_makes_weights_elsewhere(tmp_path, monkeypatch):
    """With notebooks that write records instead of training: data, pretraining, run, each in its own process."""
    known(monkeypatch, FINGERPRINT)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    project = make_project(tmp_path / "a project")
    monkeypatch.setenv(ROOT_VARIABLE, str(project))
    pretraining = (
        "from tests.study.execution.fake_notebook import act\nact(run_id, seed, {'pretext': True}, runs, limit_epochs)"
    )
    make_notebook(project / "notebooks" / PRETRAIN_NOTEBOOK, PARAMETERS.strip(), pretraining)
    record = make_record(profile("smoke").experiment(0))
    before = content(project)
    said: list[str] = []
    training = Training("smoke", str(tmp_path), str(project / "again"), record)
    assert training.execute(said.append) == record.run_id
    store = RunStore(project / "again" / "smoke")
    assert store.state(record.run_id) == store.state(record.parents[0]) == RunState.FINISHED
    assert {path: kept for path, kept in content(project).items() if path in before} == before
    assert any(f"{record.run_id}: 0 of 6 epochs" in line for line in said)
    assert all(line != after for line, after in itertools.pairwise(said)), "a line only where there is news"
    assert run_named(find_runs([project / "again"]), record.run_id).usable


def test_a_failure_names_the_run(tmp_path, monkeypatch):
    known(monkeypatch, FINGERPRINT)
    project = make_project(tmp_path / "project")  # without the pretraining's notebook
    monkeypatch.setenv(ROOT_VARIABLE, str(project))
    training = Training("smoke", str(tmp_path), str(project / "again"), make_record(profile("smoke").experiment(0)))
    with pytest.raises(UserError, match=r"run pretext_.* is failed: .*pretrain_backbone\.ipynb does not exist"):
        training.execute(lambda _: None)


@pytest.mark.slow
def test_a_real_run_is_trained_again_and_opens(tmp_path):
    """By the project's own notebook, on noise with dots."""
    data = write_people(tmp_path / "data", train=16, val=2)
    record = make_record(tiny_config(), fingerprint=fingerprint(data))
    training = Training("smoke", str(data), str(tmp_path / "again"), record)
    assert training.execute(print) == record.run_id
    run = run_named(find_runs([tmp_path / "again"]), record.run_id)
    assert run.usable and run.open().run_id == record.run_id
    assert run.record.metrics and not record.metrics, "it was measured anew"
