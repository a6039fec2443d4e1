"""Profile `paper` on real images: it starts, checkpoints, resumes and evaluates; a smaller backbone stands in."""

import json

import pytest

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.cli.main import main
from poseur_study.runs.record import load_record

SMALLER = {
    "model.backbone": {"kind": "resnet", "depth": 18, "weights": "none"},
    "data.input_size": [128, 96],
    "train.global_batch": 16,
}


@pytest.mark.slow
def test_the_paper_s_recipe_starts_resumes_and_evaluates_on_real_people(shared, tmp_path, capsys):
    changes = [part for path, value in SMALLER.items() for part in ("--set", f"{path}={json.dumps(value)}")]
    where = ["--data", str(shared / "data" / "coco_tiny"), "--runs", str(tmp_path), "--tables", "1c", *changes]
    for limit in (1, 2):
        assert main(["study", "run", "--profile", "paper", "--limit-epochs", str(limit), *where]) == 0
    (run,) = (tmp_path / "paper").glob("poseur_*")
    loaded = load_record(run / "partial")
    record = loaded.record
    assert record.partial and record.epochs == 2 and [row.epoch for row in record.curve] == [1, 2]
    assert record.of(BoxSource.GROUND_TRUTH).mean_oks > 0
    assert not record.provenance.generated_data and not (run / "record.json").exists()
    assert "partial: 2 of 325 epochs" in (tmp_path / "paper" / "tables" / "1c" / "rows.csv").read_text()
    assert main(["study", "status", "--profile", "paper", *where]) == 0
    assert "1 partial" in capsys.readouterr().out
