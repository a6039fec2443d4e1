"""The quickstart: a model of the user's, of the store, or the package's; and the notebook as papermill executes it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from poseur_lib.checkpoints.shipped import shipped_model
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study import quickstart
from poseur_study.experiments.notebook_parameters import QuickstartSettings
from poseur_study.runs.record import BoxMetrics
from poseur_study.runs.store import ListedRun, RunState, RunStore
from synthetic_people import PeopleSettings, generate
from tests.predict.conftest import noise, write_checkpoint, write_image
from tests.study.fakes import make_record
from tests.training.tiny import tiny_config, write_people

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """A few generated people."""
    root = tmp_path_factory.mktemp("quickstart") / "people"
    generate(root, PeopleSettings(train_images=64, val_images=6, image_size=(96, 72)), workers=0, progress=False)
    return root


def listed(folder: Path, ap: float | None, state: RunState, weights: bool = True) -> ListedRun:
    """A run of the store as `list_runs` gives it; only what is asked of it here."""
    record = make_record(tiny_config())
    run = ListedRun(RunStore(folder), record, state)
    run.__dict__["ap"] = ap
    if weights:
        run.store.path(run.run_id).mkdir(parents=True)
        write_checkpoint(run.store.path(run.run_id) / "model.pt")
    return run


def test_a_checkpoint_of_the_user_s_is_taken_as_it_is(checkpoint):
    model = quickstart.open_model(QuickstartSettings(checkpoint=str(checkpoint), device="cpu"))
    assert model.text == f"Checkpoint {checkpoint}."
    assert model.poseur.inference in model._repr_markdown_()


def test_a_finished_run_is_taken_and_says_what_it_knows(tmp_path, monkeypatch):
    gone = listed(tmp_path / "a", 50.0, RunState.RECORD_ONLY, weights=False)
    there = listed(tmp_path / "b", 20.0, RunState.FINISHED)
    monkeypatch.setattr(quickstart, "list_runs", lambda folders: (gone, there))
    model = quickstart.open_model(QuickstartSettings(device="cpu"))
    assert there.run_id in model.text and "knows only generated people" in model.text
    assert "is no evidence" in model.text


@pytest.mark.parametrize(("source", "words"), [("detector", "the detector's"), ("ground_truth", "ground-truth")])
def test_the_ap_of_a_run_names_its_boxes(source, words, tmp_path):
    metrics = BoxMetrics.model_construct(boxes=BoxSource(source), AP=38.8)
    record = make_record(tiny_config()).model_copy(update={"metrics": (metrics,)})
    run = ListedRun(RunStore(tmp_path), record, RunState.FINISHED)
    assert f"AP 38.8 by {words} boxes on 300 images" in quickstart._about(run)


def test_without_a_run_the_package_s_model_is_taken_and_that_is_said(tmp_path):
    model = quickstart.open_model(QuickstartSettings(runs=str(tmp_path), device="cpu"))
    assert model.text == shipped_model().text and "comes with the package" in model.text
    assert "knows only generated people" in model.text and "by ground-truth boxes" in model.text


def test_generated_people_come_with_their_boxes(checkpoint, people, capsys):
    settings = QuickstartSettings(checkpoint=str(checkpoint), data=str(people), show=3, device="cpu")
    shown = quickstart.images_to_show(settings, quickstart.open_model(settings))
    assert len(shown.names) == len(shown.images) == 3
    assert all(boxes for boxes in shown.boxes)
    assert shown.images[0].shape == (96, 72, 3)
    assert not capsys.readouterr().err, "nothing is said of the sample's other images"


def test_an_image_that_is_not_of_the_labelled_size_is_refused(tmp_path, checkpoint):
    root = write_people(tmp_path / "people", train=1, val=1)
    write_image(root / "val2017" / "000000000000.jpg", noise())
    settings = QuickstartSettings(checkpoint=str(checkpoint), data=str(root), device="cpu")
    with pytest.raises(UserError, match=r"image is 80 x 60, but the annotation file says 72 x 96"):
        quickstart.images_to_show(settings, quickstart.open_model(settings))


def test_images_of_the_user_s_with_and_without_boxes(tmp_path, checkpoint):
    image = write_image(tmp_path / "photo.png", noise())
    settings = QuickstartSettings(checkpoint=str(checkpoint), images=[str(image)], device="cpu")
    model = quickstart.open_model(settings)
    ((box,),) = quickstart.images_to_show(settings, model).boxes
    assert box.box == (0, 0, 80, 60)
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps({"photo.png": [[1, 2, 30, 40]]}))
    ((box,),) = quickstart.images_to_show(settings.with_changes(boxes=str(file)), model).boxes
    assert box.box == (1, 2, 30, 40)
    with pytest.raises(UserError, match=r"gone\.png: image cannot be read"):
        quickstart.images_to_show(settings.with_changes(images=[str(tmp_path / "gone.png")]), model)


def execute(out: Path, *arguments: str) -> nbformat.NotebookNode:
    command = [sys.executable, "-m", "papermill", str(NOTEBOOK), str(out), "-p", "device", "cpu", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=out.parent, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return nbformat.read(out, as_version=4)


def test_six_cells_from_installation_to_picture():
    assert len([cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]) == 6


def test_the_notebook_as_papermill_executes_it(tmp_path, checkpoint, people):
    notebook = execute(tmp_path / "out.ipynb", "-p", "checkpoint", str(checkpoint), "-p", "data", str(people))
    text = json.dumps(notebook)
    assert "data:image/webp;base64" in text and "keypoints" in text
    assert re.search(r"[1-9]\d* people with skeletons", text)
    (of_people,) = [cell for cell in notebook.cells if "to_coco" in cell.source and cell.cell_type == "code"]
    shown = [output.data["text/plain"] for output in of_people.outputs if output.output_type != "stream"]
    assert "not among those given" not in text and len(shown) == 2 and "[" not in "".join(shown)


@pytest.mark.slow
def test_the_notebook_opens_on_the_package_s_model_where_there_is_no_run(tmp_path, people):
    arguments = ("-p", "data", str(people), "-p", "runs", str(tmp_path / "runs"))
    text = json.dumps(execute(tmp_path / "out.ipynb", *arguments))
    assert "comes with the package" in text and "knows only generated people" in text


@pytest.mark.slow
def test_a_trained_model_finds_the_people_that_it_learned(tmp_path, coco_tiny):
    """Poses of `poseur predict` lie on real people: 57 of COCO learned by heart, about four minutes on one core."""
    from poseur_lib.data.coco import CocoPeople
    from poseur_lib.evaluation.metrics import evaluate_coco
    from poseur_lib.keypoints import COCO_17
    from poseur_study.cli.main import main

    changes = {
        "model.backbone.weights": "none", "pretext": None, "train.augment": None, "evaluation.split": "train",
        "evaluation.curve_every": 5, "train.epochs": 25, "train.people_per_epoch": 1140, "train.global_batch": 19,
    }  # fmt: skip
    sets = [part for path, value in changes.items() for part in ("--set", f"{path}={json.dumps(value)}")]
    assert (
        main(["train", str(tmp_path / "run"), "--data", str(coco_tiny), "--profile", "mini", "--threads", "1", *sets])
        == 0
    )
    annotations = coco_tiny / "annotations" / "person_keypoints_train2017.json"
    given = ["--checkpoint", str(tmp_path / "run"), "--boxes", str(annotations), "--out", str(tmp_path / "out")]
    assert main(["predict", str(coco_tiny / "train2017"), *given, "--no-flip", "--no-images"]) == 0
    results = json.loads((tmp_path / "out" / "predictions.json").read_text())
    people = CocoPeople(coco_tiny, "train", COCO_17)
    assert evaluate_coco(people.coco, results, COCO_17).AP > 90
