"""What a person with the released files and a data set, but nothing to train on, is shown."""

import json
from dataclasses import replace

import pytest
import torch

from poseur_lib.checkpoints.released_convert import save_released
from poseur_lib.config import ExperimentConfig
from poseur_lib.models.build import build_model
from poseur_study.cli.main import main
from poseur_study.execution import run_job, scheduler
from poseur_study.experiments.profiles import profile
from poseur_study.report.site import write_report
from poseur_study.runs.store import RunState, RunStore
from poseur_study.table_study import TableStudy


def test_a_table_without_workers_executes_nothing(few_people, tmp_path):
    study = TableStudy("1b", profile="paper", data=str(few_people), runs=str(tmp_path / "runs"), workers=0)
    assert set(study.run()["state"]) == {RunState.ABSENT.value} and not (tmp_path / "runs").exists()


def test_a_page_says_why_ground_truth_boxes_decide_nothing(few_people, tmp_path):
    study = TableStudy("1b", profile="paper", data=str(few_people), runs=str(tmp_path / "runs"), workers=0)
    assert not study.deviations()["in words"].str.contains("detector file").any()
    elsewhere = replace(study.dataset, root=tmp_path, generated=False, val_images=5000)
    study.data = replace(study.data, dataset=elsewhere)
    (said,) = [line for line in study.deviations()["in words"] if "detector file" in line]
    assert said.endswith("no evidence of the paper's figures, which are by a detector's.")


def test_a_table_s_runs_share_the_processors(few_people, tmp_path, monkeypatch):
    """Each took all of them."""
    told = []
    monkeypatch.setattr(run_job, "cpu_count", lambda: 8)
    monkeypatch.setattr(scheduler, "execute_plan", lambda runs, store, options, report: told.append(options))
    where = {"data": str(few_people), "runs": str(tmp_path / "runs")}
    TableStudy("1b", profile="paper", workers=2, device="cpu", **where).run()
    assert [(options.threads, options.loader_workers) for options in told] == [(4, 0)]


@pytest.mark.slow
def test_a_table_s_page_has_the_released_checkpoint_beside_the_paper_and_no_run(few_people, tmp_path):
    torch.manual_seed(0)
    config = ExperimentConfig().with_changes(**{"model.backbone.weights": "none"})
    (tmp_path / "files").mkdir()
    save_released(tmp_path / "files" / "poseur_256x192_res50_3dec_coco.pth", build_model(config), config)
    where = ("--data", str(few_people), "--runs", str(tmp_path / "runs"))
    released = ("study", "run", "--source", "released", "--checkpoints", str(tmp_path / "files"), "--tables", "1b")
    assert main([*released, *where]) == 0
    store = RunStore(tmp_path / "runs" / "paper")
    result = json.loads((store.table_folder("1b") / "result.json").read_text())
    assert [row["released_ap"] is not None for row in result["rows"]] == [False, True]
    assert [row["ap"] for row in result["rows"]] == [None, None]
    assert [path.name for path in store.folder.iterdir() if path.is_dir()] == ["tables"]
    write_report(profile("paper"), store, tmp_path / "report")
    page = (tmp_path / "report" / "table_1b.html").read_text()
    assert "released checkpoint" in page and "poseur_256x192_res50_3dec_coco.pth" in page
