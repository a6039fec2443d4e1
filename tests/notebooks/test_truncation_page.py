"""The notebook of Supp. Fig. 1 on a tiny data set: measured with weights, and shown again when they are gone."""

import json
import re

import pytest

from poseur_study.analysis.result_types import TableResult
from poseur_study.analysis.verdict import Verdict
from poseur_study.cli.main import main
from poseur_study.runs.store import RunStore
from synthetic_people import PeopleSettings, generate

TINY = {"train.people_per_epoch": 32, "train.global_batch": 16, "train.warmup_steps": 2}
MEASURED = "measured_truncation.json"


@pytest.mark.slow
def test_the_page_measures_and_needs_no_weights_afterwards(tmp_path):
    generate(tmp_path / "data", PeopleSettings(train_images=40, val_images=12), workers=0, progress=False)
    changes = [part for path, value in TINY.items() for part in ("--set", f"{path}={json.dumps(value)}")]
    where = ["--data", str(tmp_path / "data"), "--runs", str(tmp_path / "runs"), "--tables", "figure_s1", *changes]
    store = RunStore(tmp_path / "runs" / "smoke")
    folder = store.table_folder("figure_s1")
    assert main(["study", "run", *where]) == 0
    result = TableResult.model_validate_json((folder / "result.json").read_text())
    assert [claim.verdict for claim in result.claims] == [Verdict.NOT_RUN]
    assert [row.status[:7] for row in result.rows] == ["done", "done", "done", "not run", "not run"]
    measured = (folder / MEASURED).read_text()
    page = (folder / "notebook.ipynb").read_text()
    assert "Evidence: no evidence." in page and page.count("data:image/") >= 2
    lines = (folder / "measured_truncation.csv").read_text().splitlines()
    assert lines[0].startswith("row,seed,run,side,share cut,zone,keypoints") and len(lines) == 1 + 3 * 2 * 4 * 7

    for weights in store.folder.glob("*/model.pt"):
        weights.unlink()
    assert main(["study", "run", *where]) == 0
    assert (folder / MEASURED).read_text() == measured
    shown = (folder / "notebook.ipynb").read_text()
    assert found(shown) == found(page) and "no row has been measured" not in shown

    (folder / MEASURED).unlink()
    assert main(["study", "run", *where]) == 0
    page = (folder / "notebook.ipynb").read_text()
    assert "no row has been measured" in page and "the weights are gone; `poseur study run --profile smoke" in page


def found(page: str) -> list[str]:
    """The sentences on what was found."""
    return re.findall(r"Cut from the \w+, all cuts together.*?</li>", page)
