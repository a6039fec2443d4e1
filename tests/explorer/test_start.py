"""What the notebook's parameters ask for, where the panel starts without a model: it is shown once there is one."""

from pathlib import Path

import pytest

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.config.keypoints import OwnKeypoints
from poseur_lib.errors import UserError
from poseur_lib.keypoints import MPII_16
from poseur_study.experiments.notebook_parameters import ExplorerSettings
from poseur_study.explorer import notebook
from poseur_study.explorer.attention.open_model import OpenModel
from poseur_study.explorer.choosers import FILE, VAL
from poseur_study.explorer.notebook import Explorer
from poseur_study.explorer.panel import Panel
from poseur_study.explorer.session import Session
from tests.explorer.conftest import restless, session_of
from tests.training.tiny import tiny_config


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch):
    """Without a run there is no model, as in an installation that lacks the package's own."""
    monkeypatch.setattr(notebook, "open_shipped", lambda: None)


def started(runs: Path | str, val_data: Path, **parameters) -> Panel:
    """The panel that a person gets."""
    return Panel(Explorer(ExplorerSettings(runs=str(runs), data=str(val_data), **parameters)).session)


def shown(session: Session) -> tuple[str, int, int]:
    return session.image.name.partition(" (")[0], session.person, session.keypoint


def choose(panel: Panel, model: OpenModel) -> None:
    """What opening a run does."""
    panel.session.choose_model(model)
    panel.model_changed()


def test_a_named_run_without_weights_is_chosen_and_offered_and_no_other_opened(runs, val_data):
    chooser = started(runs.folder, val_data, run=runs.record_only).model
    assert chooser.run.value.run_id == runs.record_only and chooser.session.model is None
    assert chooser.train.layout.display == "" and chooser.training.record.run_id == runs.record_only


def test_a_named_run_of_another_method_is_chosen_and_no_other_opened(runs, val_data):
    panel = started(runs.folder, val_data, run=runs.heatmap)
    assert panel.model.run.value.run_id == runs.heatmap and panel.session.model is None
    assert "heatmap: no keypoint queries" in panel.message.value


def test_image_person_and_keypoint_wait_for_the_first_model_and_are_taken_once(tmp_path, tiny, val_data):
    panel = started(tmp_path, val_data, image=2, person=1, keypoints=["left_wrist"])
    assert panel.session.image is None and (panel.person.source.value, panel.person.number.value) == (VAL, 2)
    choose(panel, tiny)
    session = panel.session
    assert shown(session) == ("val image 2", 1, 9) and panel.message.value == ""
    assert (panel.person.number.value, panel.person.person.value, panel.keypoint.value) == (2, 1, 9)
    panel.keypoint.value, panel.person.number.value = 3, 1
    assert shown(session)[:2] == ("val image 1", 0)
    choose(panel, tiny)
    assert shown(session) == ("val image 1", 0, 3)


def test_a_file_of_one_s_own_waits_with_its_box(tmp_path, tiny, val_data):
    path = val_data / "val2017" / "000000000001.jpg"
    panel = started(tmp_path, val_data, image=str(path), box=[5.25, 6, 40, 60], person=1)
    chooser = panel.person
    assert (chooser.source.value, chooser.file.value, chooser.box.value) == (FILE, str(path), "5.25, 6, 40, 60")
    assert chooser.file.layout.display == "" and chooser.number.layout.display == "none"
    choose(panel, tiny)
    assert panel.session.image.name == path.name and panel.session.image.people[0].box == (5.25, 6.0, 40.0, 60.0)
    assert panel.session.person == chooser.person.value == 1


def test_what_a_person_chooses_before_the_model_comes_first(tmp_path, tiny, val_data):
    panel = started(tmp_path, val_data, image=2, person=1)
    panel.person.number.value = 1
    choose(panel, tiny)
    assert shown(panel.session)[:2] == ("val image 1", 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"image": 3}, "image 3: the val set has images 0 to 2"),
        ({"person": 2}, "person 2: val image 0 .* has people 0 to 1"),
    ],
)
def test_what_the_first_model_s_val_set_lacks_is_said(tmp_path, tiny, val_data, wrong, message):
    panel = started(tmp_path, val_data, **wrong)
    choose(panel, tiny)
    assert panel.session.image is None
    with pytest.raises(UserError, match=message):
        raise UserError(panel.message.value)
    panel.person.number.value = 1
    assert shown(panel.session)[:2] == ("val image 1", 0) and panel.message.value == "", "something else was chosen"


def test_a_keypoint_that_the_first_model_lacks_is_said(tmp_path, val_data):
    image = str(val_data / "val2017" / "000000000001.jpg")
    panel = started(tmp_path, val_data, image=image, keypoints=["nose"])
    config = tiny_config(**{"data.keypoint_set": MPII_16.name})
    choose(panel, OpenModel("of MPII", restless(config), config, profile="smoke"))
    assert "unknown keypoint" in panel.message.value and panel.session.keypoint == 0 and panel.view.picture.png


def test_keypoints_of_one_s_own_are_shown_without_parameters(tmp_path, val_data):
    """A set without shoulder, wrist and skeleton; what is named and not there is still an error."""
    config = tiny_config(**{"data.keypoint_set": OwnKeypoints(names=("tip", "fin", "tail"))})
    save_weights(tmp_path / "own.pt", restless(config), config)
    image = str(val_data / "val2017" / "000000000001.jpg")
    given = {"checkpoint": str(tmp_path / "own.pt"), "image": image, "interactive": False}
    explorer = Explorer(ExplorerSettings(**given))
    assert explorer.keypoints == [0, 1]
    samples = explorer.samples().data
    assert samples.count("<img ") == 2 and "Tip of" in samples and "Fin of" in samples
    panel = Panel(explorer.session)
    assert panel.view.picture.png and panel.message.value == ""
    with pytest.raises(UserError, match="unknown keypoint 'left_wrist'"):
        Explorer(ExplorerSettings(**given, keypoints=["left_wrist"]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"keypoints": ["nose", "nase"]}, "unknown keypoint 'nase': did you mean 'nose'"),
        ({"image": "/no/such.jpg"}, r"/no/such\.jpg"),
        ({"image": "000000000001.jpg", "box": [100, 0, 5, 5]}, "lies outside the image"),
        ({"image": "000000000001.jpg", "person": 1}, "person 1: .* has people 0 to 0"),
    ],
)
def test_what_can_be_checked_without_a_model_is_an_error(tmp_path, val_data, wrong, message):
    if "image" in wrong:
        wrong = wrong | {"image": str(val_data / "val2017" / wrong["image"])}
    with pytest.raises(UserError, match=message):
        Explorer(ExplorerSettings(runs=str(tmp_path), data=str(val_data), **wrong))


def test_without_parameters_the_first_of_each_is_shown(runs, val_data):
    session = session_of(runs.folder, val_data)
    Panel(session)
    assert shown(session) == ("val image 0", 0, 5)
