"""Table 4's people, from their data set to the table's PCKh."""

import numpy as np
import pytest

from poseur_lib.data.coco import fingerprint
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.keypoints import MPII_16
from poseur_study.analysis.table_data import TableData, pckh_sample
from poseur_study.execution.batch import Batch
from poseur_study.execution.recompute import Recomputation
from poseur_study.experiments import TABLES, tables
from poseur_study.experiments.notebook_parameters import RunSettings
from poseur_study.experiments.profiles import profile
from poseur_study.runs import run_steps
from poseur_study.runs.datasets import known_data, open_data
from poseur_study.runs.plan import plan
from poseur_study.table_study.frames import TableFrames
from synthetic_people import generate
from synthetic_people.settings import PeopleSettings
from tests.training.tiny import write_people

SMOKE, MINI = profile("smoke"), profile("mini")
(TABLE_4,) = tables(["4"])
SHORT = {"train.people_per_epoch": None, "train.global_batch": 4, "train.warmup_steps": 0}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Its folder."""
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def made(project):
    """A project whose generated people are few and small; the settings that data sets were asked for with."""
    (project / "notebooks").mkdir()
    asked: dict[str, PeopleSettings] = {}

    def few(root, settings, workers, progress):
        asked[root.name] = settings
        generate(root, settings.with_changes(train_images=6, val_images=5, image_size=(96, 72)), 0, False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSEUR_ROOT", str(project))
        patch.setattr("synthetic_people.generate", few)
        yield asked


def test_only_table_4_asks_for_other_keypoints():
    assert {table.number for table in TABLES if table.keypoints} == {"4"} and TABLE_4.keypoints == MPII_16.name


def test_the_profile_s_people_are_made_again_with_mpii_s_joints(made, project):
    data = open_data(MINI, "", keypoints=TABLE_4.keypoints)
    assert data.root == project / "data" / "mini_mpii16" and data.keypoints == MPII_16 and data.val.has_heads
    asked = made["mini_mpii16"]
    assert asked == MINI.people.with_changes(keypoints="mpii16", parts=False)
    assert known_data(MINI, "", project / "runs", "mpii16").fingerprint == data.fingerprint
    own = data.learnt_from()  # backbones learn from the profile's own people, which have part labels
    assert own == fingerprint(project / "data" / "mini") != data.fingerprint and made["mini"] == MINI.people


def test_a_batch_plans_each_table_on_its_own_people(made):
    both = Batch("mini", ("1b", "4"), (0,), "", "runs", {}, make=True)
    apart = {number: Batch("mini", (number,), (0,), "", "runs", {}, make=True) for number in ("1b", "4")}
    assert {run.run_id for run in both.runs} == {run.run_id for one in apart.values() for run in one.runs}
    mpii = [run for run in apart["4"].runs if run.config.kind == "experiment"]
    data = open_data(MINI, "", keypoints="mpii16")
    expected = plan(MINI, [TABLE_4], (0,), data.fingerprint, {}, data.learnt_from)
    assert len(mpii) == 6 and {run.run_id for run in apart["4"].runs} == {run.run_id for run in expected}


def test_a_folder_of_other_people_serves_the_tables_of_its_keypoints(made, tmp_path):
    folder = str(write_people(tmp_path / "coco", train=2, val=2))
    batch = Batch("smoke", (), (0,), folder, "runs", {})
    assert "4" not in [table.number for table in batch.tables] and "needed: Table 4" in batch.notes[0]
    with pytest.raises(
        UserError, match=r"different keypoints \(Table 1b takes the usual ones and Table 4 takes mpii16\)"
    ):
        Batch("smoke", ("1b", "4"), (0,), folder, "runs", {})
    with pytest.raises(UserError, match=r"mpii16"):
        open_data(SMOKE, folder, keypoints="mpii16")


@pytest.fixture(scope="module")
def trained(made):
    """A row of Table 4, trained for seconds."""
    changes = {**SMOKE.of_table("4", TABLE_4.changes(TABLE_4.row("poseur_hrnet_w32"))), **SHORT}
    settings = RunSettings(profile="smoke", overrides=changes, device="cpu", progress=False)
    run = run_steps.open_run(settings)
    curve = run_steps.train_run(run)
    predictions = run_steps.predict_run(run)
    return run, run_steps.write_run(run, curve, predictions, run_steps.measure_run(run, predictions))


def test_a_run_is_judged_by_pckh(trained):
    run, record = trained
    assert run.data.root.name == "smoke_mpii16"
    assert Recomputation([run.folder], "", run.store.folder.parent)(run.store, run.folder, record) == ""
    metrics = record.of(BoxSource.GROUND_TRUTH)
    stored = run.store.evaluation(record.run_id)
    assert metrics.Mean == pytest.approx(float(stored.pckh.weighted()[0]))
    assert record.of(BoxSource.DETECTOR).Mean is None
    assert stored.pckh.hits.shape == (3, 16, 5) and stored.pckh.labelled.sum() > 20
    sample = pckh_sample(stored)
    assert sample.value == pytest.approx(metrics.Mean) and len(sample.draws) == 1000
    assert np.nanmin(sample.draws) <= sample.value <= np.nanmax(sample.draws)


def test_the_table_shows_pckh(trained):
    run, record = trained
    planned = {("poseur_hrnet_w32", 0): run.planned}
    data = TableData(SMOKE, TABLE_4, run.data, run.store, (0,), planned)
    assert data.boxes == BoxSource.GROUND_TRUTH
    mean = record.of(BoxSource.GROUND_TRUTH).Mean
    assert data.estimate("poseur_hrnet_w32", "Mean").value == pytest.approx(mean)
    frame = TableFrames(data).pckh()
    (weighted,) = frame[(frame["threshold"] == 0.5) & (frame["of"] == "all joints")]["PCKh"]
    assert weighted == pytest.approx(mean) and set(frame["threshold"]) == {0.5, 0.1, 0.11}
    assert {"Head", "Ankle", "kinds of joints"} <= set(frame["of"])
