"""The attention explorer in JupyterLab, as a person uses it: a browser, a server, a model that was trained."""

from pathlib import Path

import nbformat
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from poseur_study.experiments.notebook_parameters import RunSettings
from poseur_study.runs.run_steps import measure_run, open_run, predict_run, train_run, write_run
from synthetic_people import PeopleSettings, generate
from tests.browser.chromium import opened
from tests.browser.explorer import TITLES, ExplorerPage
from tests.browser.jupyter import LabNotebook, jupyter_lab
from tests.predict.conftest import noise, write_image
from tests.training.tiny import TINY

NAME = "explore_attention.ipynb"
SOURCE = Path(__file__).resolve().parents[2] / "notebooks" / NAME


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the notebook, a few generated people, and one run that was trained on them for an epoch."""
    root = tmp_path_factory.mktemp("a project")
    people = PeopleSettings(train_images=16, val_images=4, image_size=(96, 72))
    generate(root / "data", people, workers=0, progress=False)
    places = {"data": str(root / "data"), "runs": str(root / "runs")}
    overrides = TINY | {"pretext": None}
    run = open_run(RunSettings(profile="smoke", overrides=overrides, threads=1, progress=False, device="cpu", **places))
    curve, predictions = train_run(run), predict_run(run)
    write_run(run, curve, predictions, measure_run(run, predictions))
    notebook = parameterize_notebook(load_notebook_node(str(SOURCE)), places | {"average_people": 4})
    (root / "notebooks").mkdir()
    nbformat.write(notebook, root / "notebooks" / NAME)
    return root


@pytest.fixture(scope="module")
def shown(project, browser, tmp_path_factory):
    """The notebook in JupyterLab with all its cells run, and the watch over the page."""
    served = jupyter_lab(project / "notebooks", tmp_path_factory.mktemp("jupyter"), POSEUR_ROOT=str(project))
    with served as lab, opened(browser, lab.address, viewport={"width": 1400, "height": 1000}) as (page, watch):
        notebook = LabNotebook.open(page, lab, NAME)
        notebook.run_all()
        yield notebook, watch


@pytest.fixture(scope="module")
def explorer(shown):
    """Its widgets. The redraws are timed and printed at the end, for who reads on.

    That one takes less than 0.5 s is not asserted here: it depends on the machine and on what else runs, and speed is
    measured by benchmarks (`python -m benchmarks.explorer`, which compares every change with that goal).
    """
    explorer = ExplorerPage(shown[0].page)
    explorer.picture("samples").wait_for()
    yield explorer
    print(*(f"{what}: {seconds:.2f} s" for what, seconds in explorer.redraws.items()), sep="\n")


def test_every_cell_runs_and_every_figure_is_there(shown):
    notebook, _ = shown
    figures = notebook.page.locator(".jp-RenderedHTML img")
    assert notebook.failures == []
    assert figures.count() >= len(TITLES)
    assert figures.evaluate_all("all => all.every((one) => one.naturalWidth > 0 && one.alt.length > 10)")


def test_the_layer_control_draws_another_layer(explorer):
    explorer.open("samples")
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        with explorer.redraw("samples", f"layer, {key}"):
            explorer.move_layer(key)


def test_a_keypoint_is_chosen_by_a_click_into_the_picture(explorer):
    explorer.open("samples")
    nearest = explorer.nearest("samples", 0.6, 0.4)
    with explorer.redraw("samples", "keypoint from the list"):
        explorer.choose("left ankle" if nearest != "left ankle" else "nose")
    with explorer.redraw("samples", "keypoint by a click"):
        explorer.click("samples", 0.6, 0.4)
    assert explorer.keypoint == nearest


@pytest.mark.parametrize("view", TITLES)
def test_every_tab_follows_the_keypoint(explorer, view):
    explorer.open(view)
    chosen = "right knee" if explorer.keypoint != "right knee" else "nose"
    with explorer.redraw(view, f"keypoint, {view}"):
        explorer.choose(chosen)
    assert explorer.keypoint == chosen and len(explorer.picture(view).get_attribute("alt")) > 10


def test_the_cursor_is_a_cross_where_a_click_chooses(explorer):
    explorer.open("attention")
    assert [explorer.cursor("attention", across, 0.4) for across in (0.2, 0.8)] == ["crosshair", "default"]
    explorer.open("matrices")
    assert explorer.cursor("matrices", 0.5, 0.5) == "default"


def test_an_image_of_one_s_own_is_uploaded(project, explorer):
    write_image(project / "own.png", noise())
    explorer.open("samples")
    with explorer.redraw("samples", "upload"):
        explorer.upload(project / "own.png")
    assert explorer.message == "" and "own.png" in explorer.picture("samples").get_attribute("alt")
    with explorer.redraw("samples", "the val set again"):
        explorer.page.locator(".poseur-explorer-source button", has_text="val set").click()
    assert "val image 0" in explorer.picture("samples").get_attribute("alt")


def test_nothing_was_asked_of_another_machine_and_nothing_complained(shown, explorer):
    notebook, watch = shown
    notebook.wait_until_idle()
    assert watch.elsewhere == [] and watch.complaints == []
    assert notebook.failures == [] and explorer.message == ""
