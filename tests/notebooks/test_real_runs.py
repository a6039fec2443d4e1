"""The real notebooks, executed as a batch, by plain papermill, and rendered; seconds of training on a tiny data set."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from poseur_lib.data.coco import CocoPeople
from poseur_lib.evaluation.ap import evaluate_predictions
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.evaluation.metrics import summarise
from poseur_lib.keypoints import COCO_17
from poseur_study.analysis.result_types import TableResult
from poseur_study.analysis.verdict import Verdict
from poseur_study.cli.main import main
from poseur_study.runs.record import finite
from poseur_study.runs.store import RunState, RunStore
from synthetic_people import PeopleSettings, generate

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
TINY = {
    "train.epochs": 2,
    "train.global_batch": 16,
    "train.warmup_steps": 2,
    "pretext": {"epochs": 1, "global_batch": 16},
    "model.head.decoder_layers": 1,
}


@dataclass(frozen=True)
class Study:
    """What a batch of Table 1b, Table 1c's notebook by plain papermill, and a report have left behind.

    Attributes:
        exit_codes: of the three.
        papermill: what Table 1c's notebook shows.
        touched: files of the batch's runs that Table 1c's notebook has changed.
    """

    data: Path
    store: RunStore
    reports: Path
    exit_codes: tuple[int, ...] = ()
    papermill: str = ""
    touched: frozenset[Path] = frozenset()

    def arguments(self, *more: str) -> list[str]:
        changes = [part for path, value in TINY.items() for part in ("--set", f"{path}={json.dumps(value)}")]
        return ["--data", str(self.data), "--runs", str(self.store.folder.parent), *changes, *more]

    def result(self, number: str) -> TableResult:
        path = self.store.table_folder(number) / "result.json"
        return TableResult.model_validate_json(path.read_text())


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    """Table 1c needs no run that Table 1b does not have."""
    root, elsewhere = tmp_path_factory.mktemp("a study"), tmp_path_factory.mktemp("elsewhere")
    settings = PeopleSettings(train_images=48, val_images=16, image_size=(96, 72))
    generate(root / "data", settings, workers=0, progress=False)
    made = Study(root / "data", RunStore(root / "runs" / "smoke"), root / "reports")
    batch = main(["study", "run", *made.arguments("--tables", "1b", "--workers", "2")])
    before = finished_files(made)
    done = papermill("table_1c_uncertainty.ipynb", elsewhere / "out.ipynb", made, "-p", "profile", "smoke")
    assert done.returncode == 0, done.stderr[-2000:]
    touched = frozenset(path for path, _ in set(before.items()) ^ set(finished_files(made).items()))
    report = main(["report", "--runs", str(root / "runs"), "--out", str(root / "reports")])
    shown = (elsewhere / "out.ipynb").read_text()
    return replace(made, exit_codes=(batch, done.returncode, report), papermill=shown, touched=touched)


def papermill(notebook: str, out: Path, study: Study, *more: str) -> subprocess.CompletedProcess:
    """`papermill notebook out -p …`, called from a folder that is not the project's."""
    base = ["-p", "data", str(study.data), "-p", "runs", str(study.store.folder.parent)]
    overrides = ["-y", json.dumps({"overrides": TINY})]
    command = [sys.executable, "-m", "papermill", str(NOTEBOOKS / notebook), str(out), *base, *overrides, *more]
    return subprocess.run(command, capture_output=True, text=True, cwd=out.parent, check=False)


def test_all_succeed_and_tables_share_their_runs(study):
    assert study.exit_codes == (0, 0, 0)
    b, c = study.result("1b"), study.result("1c")
    ids = {run_id for row in (*b.rows, *c.rows) for run_id in row.run_ids}
    assert len(ids) == 2
    assert {run_id for row in c.rows for run_id in row.run_ids} == set(b.rows[1].run_ids)
    folders = [path.name for path in study.store.folder.iterdir() if path.name != "tables" and path.name[0] != "."]
    assert len(folders) == 3 and all(study.store.state(run_id) == RunState.FINISHED for run_id in folders)


def test_smoke_gives_no_verdict_and_shows_the_paper(study):
    for number, printed in (("1b", [73.7, 74.3]), ("1c", [70.0, 73.6, 74.7, None])):
        result = study.result(number)
        assert [row.paper_ap for row in result.rows] == printed
        assert {claim.verdict for claim in result.claims} == {Verdict.NO_EVIDENCE}
        assert all(row.ap is not None and row.ap.n_images == 16 for row in result.rows)


def test_a_record_s_metrics_can_be_computed_again_from_its_predictions(study):
    people = CocoPeople(study.data, "val", COCO_17)
    for run_id in study.result("1b").rows[0].run_ids:
        loaded = study.store.load(run_id)
        assert set(loaded.predictions) == set(BoxSource)
        for source, predictions in loaded.predictions.items():
            config = loaded.record.config
            again = finite(vars(summarise(evaluate_predictions(people, predictions, config))))
            stored = loaded.record.of(source).model_dump()
            assert again == {name: stored[name] for name in again}
        assert [row.epoch for row in loaded.record.curve] == [1, 2]


@pytest.mark.slow
def test_a_second_batch_touches_no_finished_run(study):
    before = finished_files(study)
    assert main(["study", "run", *study.arguments("--tables", "1b")]) == 0
    assert finished_files(study) == before


def finished_files(study: Study) -> dict[Path, tuple[bytes, int]]:
    """Content and time of every file of the runs; hidden ones are caches."""
    runs = [path for path in study.store.folder.iterdir() if path.name != "tables" and path.name[0] != "."]
    files = [file for run in runs for file in run.rglob("*") if file.is_file() and file.name[0] != "."]
    return {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def test_plain_papermill_from_anywhere_touches_no_finished_run(study):
    assert "no evidence (smoke)" in study.papermill
    assert len(finished_files(study)) >= 9 and study.touched == frozenset()


@pytest.mark.slow
def test_plain_papermill_with_an_unknown_parameter_is_an_error(study, tmp_path):
    done = papermill("table_1b_noisy_reference_points.ipynb", tmp_path / "out.ipynb", study, "-p", "worker", "2")
    assert done.returncode != 0
    assert "unknown parameter 'worker': did you mean 'workers'?" in done.stderr


PAPER, CODE = "https://arxiv.org/abs/2201.07412", "https://github.com/aim-uofa/Poseur"
OF_EVERY_PROFILE = {"audit.html", "parity.html", "costs.html", "methods.html", "speed.html"}


def test_the_report_is_self_contained(study):
    pages = sorted((study.reports / "smoke").rglob("*.html"))
    names = {page.name for page in pages}
    assert names >= {"index.html", "audit.html", "ledger.html", "runs.html", "table_1b.html"}
    for page in pages:
        text = page.read_text()
        assert len(text.encode()) < 1_000_000
        assert ("smoke: proves the plumbing, is no evidence" in text) == (page.name not in OF_EVERY_PROFILE)
        assert set(re.findall(r'(?:src|href)="((?:https?:)?//[^"]*)"', text)) <= {PAPER, CODE}
        assert not re.search(r"@import|require\.js|mathjax", text, re.IGNORECASE)
        assert all(re.search(r'alt="[^"]{10,}"', image) for image in re.findall(r"<img [^>]*>", text))
        for target in re.findall(r'href="([^"#]+)"', text):
            assert target in ("data:,", PAPER, CODE) or (page.parent / target).exists(), (page, target)


def test_status_says_finished(study, capsys):
    assert main(["study", "status", *study.arguments("--tables", "1b,1c")]) == 0
    assert "3 finished" in capsys.readouterr().out
