"""The widgets without a browser: what a person changes, and what is drawn, said and offered then."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from poseur_lib.explore import choosers
from poseur_lib.explore.models import OpenModel
from poseur_lib.explore.panel import Panel
from poseur_lib.explore.session import Session
from poseur_lib.study.again import Training
from tests.explore.conftest import restless
from tests.training.tiny import tiny_config


@pytest.fixture
def panel(session, tmp_path) -> Panel:
    """A panel with a model and a person, and no runs."""
    return Panel(session, str(tmp_path / "none"))


def click(picture, x: float, y: float, kind: str = "click") -> None:
    picture.event = {"kind": kind, "x": x, "y": y, "number": picture.event["number"] + 1}


def test_a_change_draws_the_open_view_and_no_other(panel):
    samples, path = panel.views[0], panel.views[1]
    first = samples.picture.png
    assert first and not path.picture.png
    samples.layer.value = 1
    second = samples.picture.png
    assert second != first
    panel.keypoint.value = 9
    assert samples.picture.png != second and "Left wrist" in samples.caption.value
    assert not path.picture.png
    panel.tabs.selected_index = 1
    assert path.picture.png and "Left wrist" in path.caption.value


def test_every_control_changes_the_picture(panel):
    for number, view in enumerate(panel.views):
        panel.tabs.selected_index = number
        for control in view.controls:
            before = view.picture.png
            control.value = next(value for value in reversed(values(control)) if value != control.value)
            assert view.picture.png != before, (view.name, control.description)


def values(control) -> list:
    return [option[1] if isinstance(option, tuple) else option for option in control.options]


def test_a_click_chooses_the_nearest_keypoint_and_keys_step(panel):
    view, seen = panel.view, panel.session.seen
    (area, *_) = view.drawn.areas
    wanted = 2
    x, y = seen.keypoints_px[wanted]
    across = area.left + (x - area.x[0]) / (area.x[1] - area.x[0]) * (area.right - area.left)
    down = area.top + (y - area.y[0]) / (area.y[1] - area.y[0]) * (area.bottom - area.top)
    click(view.picture, float(across), float(down))
    assert panel.session.keypoint == panel.keypoint.value == wanted
    click(view.picture, 0.001, 0.999)
    assert panel.session.keypoint == wanted, "a click beside the photos does nothing"
    click(view.picture, 0, 0, "next")
    assert panel.session.keypoint == wanted + 1
    for _ in range(wanted + 2):
        click(view.picture, 0, 0, "previous")
    assert panel.session.keypoint == 16


def test_another_person_by_list_by_click_and_by_number(panel):
    overview, first = panel.person.overview, panel.view.picture.png
    click(overview, 0.99, 0.99)
    assert panel.session.person == panel.person.person.value == 1
    second = panel.view.picture.png
    assert second != first
    panel.person.person.value = 0
    assert panel.view.picture.png == first
    panel.person.number.value = 2
    assert panel.session.image.name.startswith("val image 2") and panel.view.picture.png != first


def test_a_file_of_one_s_own_and_its_box(panel):
    path = panel.session.val.by_image[1][0].image_path
    panel.person.source.value = choosers.FILE
    panel.person.file.value = str(path)
    assert panel.session.image.names == ("the whole image",)
    panel.person.box.value = "10, 10, 40, 60"
    assert panel.session.image.people[0].box == (10.0, 10.0, 40.0, 60.0)
    panel.person.box.value = "10, 10, 40"
    assert "give four numbers" in panel.message.value
    panel.person.file.value = "/no/such.jpg"
    panel.person.box.value = ""
    assert "/no/such.jpg" in panel.message.value


def test_an_upload(panel):
    path = panel.session.val.by_image[1][0].image_path
    panel.person.source.value = choosers.UPLOAD
    content = {"name": "mine.jpg", "type": "image/jpeg", "size": 1, "content": path.read_bytes()}
    panel.person.upload.value = ({**content, "last_modified": datetime.now(UTC)},)
    assert panel.session.image.name == "mine.jpg" and "mine.jpg" in panel.view.caption.value


def test_runs_are_listed_with_what_can_be_done_with_them(runs, val_data):
    panel = Panel(Session(data=str(val_data)), str(runs.folder))
    assert panel.session.model.name == f"run {runs.finished}", "the one that is ready is taken"
    assert panel.model.run.value.run_id == runs.finished
    by_id = {run.run_id: run for run in values(panel.model.run)}
    assert list(by_id) == [runs.finished, runs.record_only, runs.heatmap]
    assert panel.model.train.layout.display == "none" and panel.view.picture.png
    panel.model.run.value = by_id[runs.record_only]
    assert panel.model.train.layout.display == "" and panel.model.train.description == "Train it again"
    assert "Only the record of this run is left" in panel.message.value
    panel.model.run.value = by_id[runs.heatmap]
    assert "heatmap: no keypoint queries" in panel.message.value
    assert panel.model.train.layout.display == "none"
    assert panel.session.model.name == f"run {runs.finished}", "what was open stays open"


def test_without_any_model_one_can_be_trained(tmp_path, monkeypatch, runs, val_data):
    panel = Panel(Session(data=str(val_data)), str(tmp_path / "empty"))
    assert panel.model.run.label == choosers.NOTHING and panel.model.train.description == "Train a small model"
    assert "There is no model yet." in panel.message.value

    def train(training: Training, say) -> str:
        say("1 of 2 epochs")
        Path(runs.folder).rename(tmp_path / "empty")
        return runs.finished

    monkeypatch.setattr(Training, "execute", train)
    panel.model._train_in_background(panel.model.training)
    assert panel.session.model.name == f"run {runs.finished}" and panel.view.picture.png


def test_training_that_fails_says_why(tmp_path, monkeypatch, val_data):
    panel = Panel(Session(data=str(val_data)), str(tmp_path / "empty"))
    monkeypatch.setattr(Training, "execute", lambda *_: 1 / 0)
    panel.model._train_in_background(panel.model.training)
    assert "ZeroDivisionError" in panel.message.value and not panel.model.train.disabled


def test_a_model_without_self_attention_says_so_in_its_view(val_data):
    config = tiny_config(**{"model.head.self_attention": False})
    session = Session(data=str(val_data))
    session.choose_model(OpenModel("silent", restless(config), config), "smoke")
    panel = Panel(session, "nowhere")
    panel.tabs.selected_index = 2
    assert "silent has no self-attention" in panel.view.caption.value and not panel.view.picture.png
