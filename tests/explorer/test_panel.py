"""The widgets without a browser: what a person changes, and what is drawn, said and offered then."""

import html
from datetime import UTC, datetime
from pathlib import Path

import cv2
import pytest

from poseur_lib.keypoints import MPII_16
from poseur_study.execution.retrain import Training
from poseur_study.experiments.notebook_parameters import ExplorerSettings
from poseur_study.explorer import choosers, views
from poseur_study.explorer.attention.images import own_image
from poseur_study.explorer.attention.open_model import OpenModel, open_checkpoint
from poseur_study.explorer.choosers import FILE, NOTHING, UPLOAD, VAL
from poseur_study.explorer.controls import as_caption
from poseur_study.explorer.notebook import Explorer
from poseur_study.explorer.panel import Panel
from poseur_study.explorer.session import Session
from poseur_study.explorer.views import THIS_PERSON, VAL_SET
from tests.explorer.conftest import restless, session_of
from tests.training.tiny import tiny_config


@pytest.fixture
def panel(session) -> Panel:
    """A panel with a model and a person, and no runs."""
    return Panel(session)


def click(picture, x: float, y: float, kind: str = "click") -> None:
    picture.event = {"kind": kind, "x": x, "y": y, "number": picture.event["number"] + 1}


def test_a_change_draws_the_open_view_and_no_other(panel):
    samples, path = panel.views[0], panel.views[1]
    first = samples.picture.png
    assert first and not path.picture.png
    control(samples, "layer").value = 1
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


def control(view, description: str):
    return next(one for one in view.controls if one.description == description)


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


def test_photos_of_the_person_can_be_clicked_and_nothing_else(panel):
    areas = {}
    for number, view in enumerate(panel.views):
        panel.tabs.selected_index = number
        areas[view.name] = len(view.picture.areas)
    assert areas == {"samples": 2, "path": 2, "attention": 1, "matrices": 0, "distribution": 0}
    assert panel.person.overview.areas == [pytest.approx([0, 0, 1, 1])]


def test_averaging_is_told_while_it_takes_time(panel, monkeypatch):
    panel.tabs.selected_index = 3
    view, average, said = panel.view, Session.average_attention, []
    whose = control(view, "weights of")
    monkeypatch.setattr(Session, "average_attention", lambda self: said.append(view.caption.value) or average(self))
    whose.value = VAL_SET
    assert "Averaging over up to 2 people" in said[0] and "mean over 2 of 3 people" in view.caption.value
    whose.value = THIS_PERSON
    whose.value = VAL_SET
    assert "Averaging" not in said[1], "it is known"


def test_another_model_draws_each_picture_once(session, monkeypatch):
    session.choose_image(session.val.image(0), 1)
    session.keypoint, drawn = 4, []
    panel = Panel(session)
    for module, name in ((views, "samples_figure"), (choosers, "overview_figure")):
        draw = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, draw=draw, name=name: drawn.append(name) or draw(*given))
    session.choose_model(OpenModel("another", session.model.model, session.model.config, profile="smoke"))
    panel.model_changed()
    assert sorted(drawn) == ["overview_figure", "samples_figure"] and "another" in panel.view.caption.value
    assert panel.keypoint.value == session.keypoint == 4 and panel.person.person.value == session.person == 1
    session.image = None
    panel.model_changed()
    assert sorted(drawn[2:]) == ["overview_figure", "samples_figure"], "an image that has to be loaded first"


def test_other_keypoints_without_their_val_set_leave_no_picture_and_clicks_do_nothing(panel):
    config = tiny_config(**{"data.keypoint_set": MPII_16.name})
    old = panel.view.drawn
    panel.session.choose_model(OpenModel("of MPII", restless(config), config, profile="smoke"))
    panel.model_changed()
    assert panel.session.image is None and "keypoint" in panel.message.value
    assert not panel.view.picture.png and panel.view.caption.value == as_caption("")
    assert not panel.person.overview.png and panel.person.person.options == ()
    panel.view.drawn, first = old, panel.session.keypoint
    for picture in (panel.view.picture, panel.person.overview):
        click(picture, 0.5, 0.5)
        click(picture, 0, 0, "next")
    assert panel.session.keypoint == first + 1


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
    panel.person.source.value = FILE
    panel.person.file.value = str(path)
    assert panel.session.image.names == ("the whole image",)
    panel.person.box.value = "10, 10, 40, 60"
    assert panel.session.image.people[0].box == (10.0, 10.0, 40.0, 60.0)
    panel.person.box.value = "10, 10, 40"
    assert "give four numbers" in panel.message.value
    panel.person.file.value = "/no/such.jpg"
    panel.person.box.value = ""
    assert "/no/such.jpg" in panel.message.value


def uploaded(path: Path, name: str) -> tuple[dict]:
    content = {"name": name, "type": "image/jpeg", "size": 1, "content": path.read_bytes()}
    return ({**content, "last_modified": datetime.now(UTC)},)


def test_an_upload_and_the_val_set_again(panel):
    path = panel.session.val.by_image[1][0].image_path
    panel.person.source.value = UPLOAD
    panel.person.upload.value = uploaded(path, "mine.jpg")
    assert panel.session.image.name == "mine.jpg" and "mine.jpg" in panel.view.caption.value
    panel.person.source.value = VAL
    assert panel.session.image.name.startswith("val image 0") and "val image 0" in panel.view.caption.value
    panel.person.source.value = UPLOAD
    assert panel.session.image.name == "mine.jpg"


def test_a_box_is_of_one_image(panel):
    first, second, third = (people[0].image_path for people in panel.session.val.by_image)
    chooser = panel.person
    chooser.source.value, chooser.file.value, chooser.box.value = FILE, str(first), "10, 10, 40, 60"
    chooser.file.value = str(second)
    assert chooser.box.value == "" and panel.session.image.names == ("the whole image",)
    chooser.box.value = "10, 10, 40, 60"
    chooser.source.value = UPLOAD
    assert chooser.box.value == "" and panel.session.image.name == second.name, "there is no upload yet"
    chooser.box.value = "1, 2, 30, 40"
    chooser.upload.value = uploaded(third, "mine.jpg")
    assert chooser.box.value == "" and panel.session.image.name == "mine.jpg"
    assert panel.session.image.names == ("the whole image",)


def test_the_choices_say_which_image_of_the_val_set_is_shown(tmp_path, tiny, val_data):
    session = session_of(tmp_path, val_data, image=2, person=1)
    session.choose_model(tiny)
    session.choose_image(session.val.image(2), 1)
    chooser = Panel(session).person
    assert (chooser.source.value, chooser.number.value, chooser.person.value) == (VAL, 2, 1)
    assert (chooser.box.value, chooser.number.max) == ("", 2)
    chooser.number.value = 0
    assert session.image.name.startswith("val image 0")


def test_the_choices_say_which_file_is_shown_and_its_box(tmp_path, tiny, val_data):
    path = val_data / "val2017" / "000000000001.jpg"
    session = session_of(tmp_path, val_data, image=str(path), box=[5.25, 6.0, 40.0, 60.0])
    session.choose_model(tiny)
    session.choose_image(own_image(path, [(5.25, 6.0, 40.0, 60.0)]))
    panel, shown = Panel(session), session.image
    chooser = panel.person
    assert (chooser.source.value, chooser.file.value, chooser.box.value) == (FILE, str(path), "5.25, 6, 40, 60")
    assert chooser.file.layout.display == "" and chooser.number.layout.display == "none"
    panel.model_changed()
    assert session.image is shown, "nothing is loaded again"
    chooser.box.value = ""
    assert session.image.names == ("the whole image",)


def test_runs_are_listed_with_what_can_be_done_with_them(runs, val_data):
    panel = Panel(session_of(runs.folder, val_data))
    assert panel.session.model.name == f"run {runs.finished}", "the one that is ready is taken"
    assert panel.model.run.value.run_id == runs.finished
    by_id = {run.run_id: run for run in values(panel.model.run)}
    assert list(by_id) == [runs.finished, runs.record_only, runs.heatmap]
    assert panel.model.train.layout.display == "none" and panel.view.picture.png
    panel.model.run.value = by_id[runs.record_only]
    assert panel.model.train.layout.display == "" and panel.model.train.description == "Train it again"
    assert f"Only the record of run {runs.record_only} is left" in panel.message.value
    assert panel.model.run.value.run_id == runs.finished, "the list shows what the figure shows"
    panel.model.run.value = by_id[runs.heatmap]
    assert "heatmap: no keypoint queries" in panel.message.value
    assert panel.model.train.layout.display == "none"
    assert panel.session.model.name == f"run {runs.finished}", "what was open stays open"
    assert panel.model.run.value.run_id == runs.finished and runs.heatmap in panel.message.value
    panel.model.opened = None
    panel.model.run.value = by_id[runs.heatmap]
    assert panel.model.run.value is None, "a model that is in no list: nothing is shown as chosen"


def test_from_a_checkpoint_back_to_a_run_and_to_the_checkpoint(runs, val_data):
    path = str(runs.folder / "smoke" / runs.finished / "model.pt")
    session = session_of(runs.folder, val_data)
    session.choose_model(open_checkpoint(Path(path)))
    chooser = Panel(session).model
    assert chooser.run.value is None, "no run is open"
    run = values(chooser.run)[0]
    for _ in range(2):
        chooser.run.value = run
        assert session.model.name == f"run {runs.finished}" and chooser.file.value == ""
        chooser.file.value = path
        assert session.model.name == "model.pt" and chooser.run.value is None
    chooser.run.value = values(chooser.run)[1]
    assert chooser.train.layout.display == "" and session.model.name == "model.pt" and chooser.file.value == path
    chooser.file.value = "/no/such.pt"
    assert session.model.name == "model.pt"
    chooser.file.value = path
    assert chooser.train.layout.display == "none" and chooser.run.value is None


def test_a_list_that_is_filled_anew_opens_the_named_run_and_no_other(runs, val_data):
    panel = Panel(session_of(runs.folder, val_data))
    opened = panel.session.model
    panel.model.list_runs(runs.record_only)
    assert panel.session.model is opened and panel.model.run.value.run_id == runs.finished
    assert runs.record_only in panel.message.value


def test_without_any_model_one_can_be_trained(tmp_path, monkeypatch, runs, val_data):
    panel = Panel(session_of(tmp_path / "empty", val_data))
    assert panel.model.run.label == NOTHING and panel.model.train.description == "Train a small model"
    assert "There is no model yet." in panel.message.value

    def train(training: Training, say) -> str:
        say("1 of 2 epochs")
        Path(runs.folder).rename(tmp_path / "empty")
        return runs.finished

    monkeypatch.setattr(Training, "execute", train)
    panel.model._train_in_background(panel.model.training)
    assert panel.session.model.name == f"run {runs.finished}" and panel.view.picture.png


def test_training_that_fails_says_why(tmp_path, monkeypatch, val_data):
    panel = Panel(session_of(tmp_path / "empty", val_data))
    monkeypatch.setattr(Training, "execute", lambda *_: 1 / 0)
    panel.model._train_in_background(panel.model.training)
    assert "ZeroDivisionError" in panel.message.value and not panel.model.train.disabled


def test_a_model_without_self_attention_says_so_in_its_view(val_data):
    config = tiny_config(**{"model.head.self_attention": False})
    session = session_of("nowhere", val_data)
    session.choose_model(OpenModel("silent", restless(config), config, profile="smoke"))
    panel = Panel(session)
    panel.tabs.selected_index = 2
    assert "silent has no self-attention" in panel.view.caption.value and not panel.view.picture.png


def test_an_error_nobody_thought_of_leaves_no_picture_of_what_was_shown_before(panel, monkeypatch):
    assert panel.view.picture.png
    monkeypatch.setattr(views, "samples_figure", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        panel.keypoint.value = 9
    assert not panel.view.picture.png and panel.view.drawn is None and panel.view.figure is None
    assert panel.view.caption.value == as_caption("ZeroDivisionError: division by zero")


def test_a_view_is_saved_as_it_is_shown_and_no_file_is_written_over(panel, tmp_path, monkeypatch):
    monkeypatch.setattr(views, "below_root", lambda name: tmp_path / name)
    panel.keypoint.value = 9
    for number, view in enumerate(panel.views):
        panel.tabs.selected_index = number
        view.save.click()
        view.save.click()
        stem = f"{view.name}-left_wrist"
        for again in ("1", "2"):
            picture = cv2.imread(str(tmp_path / "views" / f"{stem}-{again}.png"))
            assert picture.shape[1] == pytest.approx(view.picture.width * 3, abs=3), "300 dots an inch, 100 shown"
        page = (tmp_path / "views" / f"{stem}-1.html").read_text()
        assert view.drawn.caption in html.unescape(page) and "<img" in page and 'src="http' not in page
        assert f"{stem}-2.png" in view.caption.value and view.drawn.caption[:20] in html.unescape(view.caption.value)


def test_where_nothing_is_shown_nothing_is_saved(tmp_path, monkeypatch, val_data):
    monkeypatch.setattr(views, "below_root", lambda name: tmp_path / name)
    panel = Panel(session_of(tmp_path / "empty", val_data))
    panel.view.save.click()
    assert not (tmp_path / "views").exists()


def test_the_list_of_runs_is_folded(runs, val_data):
    shown = Explorer(ExplorerSettings(runs=str(runs.folder), data=str(val_data))).models().data
    assert shown.startswith("<details><summary>3 runs, 1 of them with weights when this was executed</summary>")
    assert "<p>Order: with weights, then" in shown
    assert all(run_id in shown for run_id in (runs.finished, runs.record_only, runs.heatmap))
