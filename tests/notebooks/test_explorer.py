"""The explorer's notebook without a person: static figures of a run, and one line where there is nothing to show."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from poseur_lib.checkpoints.shipped import shipped_model
from poseur_lib.data.coco import fingerprint
from poseur_lib.errors import UserError
from poseur_lib.runtime import Runtime
from poseur_lib.training.fit import train
from poseur_study.experiments.notebook_parameters import ExplorerSettings
from poseur_study.explorer import notebook
from poseur_study.explorer.attention import open_model
from poseur_study.explorer.notebook import SESSION_VARIABLE, Explorer
from poseur_study.explorer.panel import Panel
from poseur_study.runs.record import write_record
from poseur_study.runs.store import RunStore
from tests.study.fakes import make_record
from tests.training.tiny import tiny_config, write_people

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "explore_attention.ipynb"
FIGURES = {"samples": 2, "path": 2, "attention": 4, "matrices": 1, "average": 5, "distribution": 2}
"""Of two keypoints in a model of two layers."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, Path]:
    """Folders of a data set and of the runs: one run, trained for seconds."""
    root = tmp_path_factory.mktemp("explorer")
    data, config = write_people(root / "data", train=16, val=2), tiny_config()
    record = make_record(config, fingerprint=fingerprint(data))
    folder = RunStore(root / "runs" / "smoke").path(record.run_id)
    curve = train(config, folder, Runtime(data=data, device="cpu"))
    write_record(folder, record.model_copy(update={"curve": curve}), {})
    return data, root / "runs"


def settings(trained: tuple[Path, Path], **more) -> ExplorerSettings:
    data, runs = trained
    return ExplorerSettings(data=str(data), runs=str(runs), interactive=False, **more)


def test_papermill_gives_static_figures(trained, tmp_path):
    data, runs = trained
    given = ["-p", "data", str(data), "-p", "runs", str(runs), "-p", "colour", "level"]
    command = [sys.executable, "-m", "papermill", str(NOTEBOOK), str(tmp_path / "out.ipynb"), *given]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    pages = [html_of(cell) for cell in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells]
    assert sum(page.count("<img ") for page in pages) == 1 + sum(FIGURES.values())
    page = "".join(pages)
    assert "ready" in page and "colour: level" in page and "left wrist" in page.lower()
    assert all(re.search(r'alt="[^"]{10,}"', image) for image in re.findall(r"<img [^>]*>", page))
    assert "widget-view" not in (tmp_path / "out.ipynb").read_text()


def html_of(cell) -> str:
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.get("outputs", []))


@pytest.mark.parametrize(("name", "count"), FIGURES.items())
def test_each_section_has_its_figures(trained, name, count):
    page = getattr(Explorer(settings(trained)), name)().data
    assert page.count("<img ") == count and "<p>" not in page


def test_listed_keypoints_layers_and_an_image_of_one_s_own(trained):
    image = trained[0] / "val2017" / "000000000001.jpg"
    chosen = settings(trained, image=str(image), box=[5, 5, 50, 80], keypoints=["nose"], layers=[2])
    page = Explorer(chosen).samples().data
    assert page.count("<img ") == 1 and "box 0 of 000000000001.jpg" in page and "in layer 2 lies there" in page


@pytest.mark.parametrize("name", ["opened", "panel", *FIGURES])
def test_without_a_run_and_the_package_s_model_every_cell_says_what_to_do(tmp_path, monkeypatch, name):
    monkeypatch.setattr(notebook, "open_shipped", lambda: None)
    explorer = Explorer(ExplorerSettings(runs=str(tmp_path), interactive=False))
    page = getattr(explorer, name)().data
    assert "there is no trained model below" in page and "train_missing = True" in page and "<img" not in page


def test_without_a_run_it_opens_on_the_package_s_model(trained, tmp_path, monkeypatch):
    """On the people that are generated for it, and on other ones where `data` names them."""
    monkeypatch.setattr(open_model, "shown_people", lambda: trained[0])
    for given in ({}, {"data": str(trained[0])}):
        explorer = Explorer(ExplorerSettings(runs=str(tmp_path), interactive=False, **given))
        assert f"comes with the package ({shipped_model().profile}, generated people" in explorer.opened().data
        assert explorer.session.image.data == trained[0] and explorer.samples().data.count("<img ") == 2
    assert Explorer(ExplorerSettings(runs=str(tmp_path), interactive=True)).panel().children


def test_a_run_of_which_the_record_is_left_offers_to_train_it_again(trained, tmp_path):
    record = make_record(tiny_config(seed=5))
    write_record(RunStore(tmp_path / "smoke").path(record.run_id), record, {})
    problem = Explorer(ExplorerSettings(runs=str(tmp_path), run=record.run_id, interactive=False)).problem
    assert f"run {record.run_id} has no weights left" in problem and "runs_with_weights" in problem


def test_without_a_val_set_the_model_is_open_and_the_line_says_what_to_give(trained, tmp_path):
    explorer = Explorer(ExplorerSettings(runs=str(trained[1]), data=str(tmp_path), interactive=False))
    assert explorer.session.model is not None and "there is no val set in" in explorer.samples().data


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"keypoints": ["nase"]}, "unknown keypoint 'nase': did you mean 'nose'"),
        ({"layers": [3]}, "there is no layer 3, run .* has 2"),
        ({"run": "other"}, "run 'other' is not there; there are: poseur_"),
        ({"image": 9}, "image 9: the val set has images 0 to 1"),
        ({"checkpoint": "/no/model.pt"}, "/no/model.pt: no such checkpoint"),
    ],
)
def test_a_parameter_that_names_nothing_is_an_error(trained, wrong, message):
    with pytest.raises(UserError, match=message):
        Explorer(settings(trained, **wrong))


def test_a_person_in_jupyterlab_gets_widgets(trained, monkeypatch):
    data, runs = trained
    monkeypatch.setenv(SESSION_VARIABLE, "notebooks/explore_attention.ipynb")
    explorer = Explorer(ExplorerSettings(data=str(data), runs=str(runs)))
    shown: list[Panel] = []
    begin = Panel.__init__
    monkeypatch.setattr(Panel, "__init__", lambda self, session: shown.append(self) or begin(self, session))
    assert explorer.panel() is shown[0].widget
    shown[0].keypoint.value = 3
    assert "Left ear" in explorer.path().data, "the section shows what is chosen in the panel"
