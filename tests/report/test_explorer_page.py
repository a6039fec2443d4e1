"""The attention explorer's page: which run is looked into, and where the page is linked."""

from pathlib import Path

import nbformat
import pytest

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.errors import UserError
from poseur_lib.keypoints import MPII_16
from poseur_lib.models.build import build_model
from poseur_study.cli.main import main
from poseur_study.execution import papermill_job
from poseur_study.execution.papermill_job import Attempt
from poseur_study.experiments.profiles import profile
from poseur_study.report import explorer, site
from poseur_study.runs.record import write_record
from poseur_study.runs.store import RunStore
from tests.study.fakes import make_record
from tests.training.tiny import tiny_config, write_people


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A val set of the runs' keypoints."""
    return write_people(tmp_path_factory.mktemp("people"), train=1, val=2)


@pytest.fixture
def store(tmp_path):
    """Two runs of profile smoke with records, one with weights."""
    store = RunStore(tmp_path / "runs" / "smoke")
    for seed in (0, 1):
        record = make_record(tiny_config(seed=seed))
        write_record(store.path(record.run_id), record, {})
    save_weights(store.path(record.run_id) / "model.pt", build_model(record.config), record.config)
    return store


@pytest.fixture
def executed(monkeypatch):
    """Stands in for papermill: what was asked for, and a notebook as it would leave it."""
    asked = []

    def execute(name: str, parameters: dict, attempts: Path, *_: object) -> Attempt:
        asked.append((name, parameters))
        folder = attempts / "1"
        folder.mkdir(parents=True)
        cell = nbformat.v4.new_markdown_cell("# Where the queries look")
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "notebook.ipynb")
        return Attempt(folder, 0)

    monkeypatch.setattr(papermill_job, "execute_notebook", execute)
    monkeypatch.setattr(site, "PAGES", site.PAGES[:1])  # the menu is on every page
    return asked


def test_the_run_with_weights_is_looked_into_and_the_page_is_linked(store, executed, people, tmp_path, capsys):
    with_weights = next(path.parent.name for path in store.folder.glob("*/model.pt"))
    out = tmp_path / "reports"
    arguments = ["report", "--runs", str(store.folder.parent), "--out", str(out)]
    assert main([*arguments, "--explore", "--data", str(people)]) == 0
    (parameters,) = (given for name, given in executed if name == "explore_attention.ipynb")
    where = {"runs": str(store.folder.parent), "data": str(people)}
    assert parameters == {"run": with_weights, **where, "interactive": False}
    assert "Where the queries look" in (out / "smoke" / "explorer.html").read_text()
    assert 'href="explorer.html"' in (out / "smoke" / "index.html").read_text()
    assert main(arguments) == 0 and (out / "smoke" / "explorer.html").exists(), "it stays without being executed again"
    assert [name for name, _ in executed].count("explore_attention.ipynb") == 1


def test_without_weights_there_is_nothing_to_look_into(store, executed):
    next(store.folder.glob("*/model.pt")).unlink()
    with pytest.raises(UserError, match="no run of profile smoke has weights"):
        explorer.execute_explorer(profile("smoke"), store)
    assert executed == [] and not explorer.explorer_notebook(store).exists()


def test_without_its_val_set_nothing_is_executed_and_the_earlier_page_stays(
    store, executed, people, tmp_path, monkeypatch
):
    explorer.execute_explorer(profile("smoke"), store, str(people))
    kept = explorer.explorer_notebook(store).read_bytes()
    monkeypatch.setattr(explorer, "data_folder", lambda of, data, keypoints: Path(data or tmp_path / "none"))
    absent = "does not exist, or has no person_keypoints_val2017.json"
    made = f"none {absent}: `poseur study run --profile smoke` makes it, or give another with --data"
    other = write_people(tmp_path / "mpii", train=1, val=1, keypoints=MPII_16)
    for data, message in (("", made), (str(tmp_path), f"{absent}$"), (str(other), "people have 16 keypoints")):
        with pytest.raises(UserError, match=message):
            explorer.execute_explorer(profile("smoke"), store, data)
    assert len(executed) == 1 and explorer.explorer_notebook(store).read_bytes() == kept


def test_a_data_set_without_the_explorer_is_an_error(store, executed, people, capsys):
    assert main(["report", "--runs", str(store.folder.parent), "--data", str(people)]) == 1
    assert "only --explore shows people of a data set" in capsys.readouterr().err and not executed
