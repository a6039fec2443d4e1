"""The notebook of Supp. Fig. 1 on a tiny data set: measured with weights, and shown again when they are gone."""

import json

import nbformat
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
    page = nbformat.read(folder / "notebook.ipynb", as_version=4)
    assert len(found(page)) >= 3 and json.dumps(page).count("data:image/") >= 2
    lines = (folder / "measured_truncation.csv").read_text().splitlines()
    assert lines[0].startswith("row,seed,run,side,share cut,zone,keypoints") and len(lines) == 1 + 3 * 2 * 4 * 7

    for weights in store.folder.glob("*/model.pt"):
        weights.unlink()
    assert main(["study", "run", *where]) == 0
    assert (folder / MEASURED).read_text() == measured
    assert found(nbformat.read(folder / "notebook.ipynb", as_version=4)) == found(page)

    (folder / MEASURED).unlink()
    assert main(["study", "run", *where]) == 0
    page = (folder / "notebook.ipynb").read_text()
    assert "the weights are gone; `poseur study run --profile smoke" in page


def found(notebook: nbformat.NotebookNode) -> list[str]:
    """The frames of what was measured, as CSV: those that speak of the side that is cut from."""
    frames = [one.get("data", {}).get("text/csv", "") for cell in notebook.cells for one in cell.get("outputs", [])]
    return [frame for frame in frames if "left" in frame or "bottom" in frame]
