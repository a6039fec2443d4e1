"""`poseur train`'s folder: whose it is, and when."""

import os
import re

import pytest

from poseur_lib.errors import UserError
from poseur_lib.files import CURVE_FILE, LAST_CHECKPOINT
from poseur_lib.runtime import Runtime
from poseur_lib.training import folder
from poseur_lib.training.curve import read_curve
from tests.end_to_end.small import small_config
from tests.training.tiny import tiny_config, write_people


def test_a_run_that_could_not_start_leaves_its_folder_to_the_next(tmp_path, monkeypatch):
    """A mistake in the configuration shows when the model is built, after the folder has its config.json."""
    runtime, place = Runtime(data=tmp_path / "absent", threads=1), tmp_path / "run"
    mistaken = tiny_config(**{"model.head": {"kind": "heatmap"}, "data.input_size": [64, 50]})
    with pytest.raises(UserError, match="input size 64x50: heatmaps need multiples of 4"):
        folder.train_in_folder(mistaken, place, runtime)
    started = []
    monkeypatch.setattr(folder, "train", lambda config, *_: started.append(config) or ())
    mended = tiny_config(**{"model.head": {"kind": "heatmap"}})
    folder.train_in_folder(mended, place, runtime)
    assert started == [mended] and mended.is_written_as((place / folder.CONFIG_FILE).read_text())
    (place / LAST_CHECKPOINT).touch()
    with pytest.raises(UserError, match=r"config\.json is another configuration than the one asked for"):
        folder.train_in_folder(tiny_config(), place, runtime)
    assert mended.is_written_as((place / folder.CONFIG_FILE).read_text())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "not a regular file"),
        ("{", "not valid JSON at line 1"),
        ("\udcff", "not valid JSON"),
        ("[0]", "is another configuration|not a learning curve"),
    ],
)
def test_a_damaged_file_of_a_training_is_named_in_one_line(tmp_path, content, says):
    (tmp_path / LAST_CHECKPOINT).touch()
    files = tmp_path / folder.CONFIG_FILE, tmp_path / CURVE_FILE
    for file in files:
        if content is None:
            os.mkfifo(file)
        else:
            file.write_bytes(os.fsencode(content))
    runtime = Runtime(data=tmp_path / "absent", threads=1)
    calls = (lambda: folder.train_in_folder(tiny_config(), tmp_path, runtime), lambda: read_curve(files[1]))
    for file, call in zip(files, calls, strict=True):
        with pytest.raises(UserError, match=rf"^{re.escape(str(file))}[^\n]*({says})[^\n]*$"):
            call()


@pytest.mark.parametrize(
    ("make", "batch", "per_device", "says"),
    [
        (tiny_config, 8, None, r"an epoch of 4 people has no batch of train\.global_batch 8"),
        (tiny_config, 4, 3, r"train\.global_batch 4 is no multiple of 1 devices x 3 people"),
        (small_config, 4, None, r"an epoch of 3 images has no batch of train\.global_batch 4"),
    ],
)
def test_a_batch_that_cannot_be_is_said_before_the_backbone_is_pretrained(
    tmp_path, monkeypatch, make, batch, per_device, says
):
    """Of the people, or of the images with somebody in them: the last two people share theirs."""
    monkeypatch.setattr(folder, "pretrain", lambda *_: pytest.fail("minutes are spent"))
    data = write_people(tmp_path / "data", train=4, val=2)
    labels = data / "annotations" / "person_keypoints_train2017.json"
    labels.write_text(labels.read_text().replace('"image_id": 3', '"image_id": 2'))
    config = make(**{"train.global_batch": batch, "model.backbone.weights": "pretext", "pretext": {"epochs": 1}})
    with pytest.raises(UserError, match=says):
        folder.train_in_folder(config, tmp_path / "run", Runtime(data=data, threads=1, batch_per_device=per_device))


def test_only_a_model_s_folder_is_one_to_start_from(tmp_path):
    """`--init` takes a model.pt, and the backbone's folder has none."""
    change = {"model.backbone.weights": "pretext"}
    config, other = (tiny_config(pretext={"epochs": epochs}, **change) for epochs in (1, 2))
    place, runtime = tmp_path / "run", Runtime(data=write_people(tmp_path / "data", 8, 2), threads=1)
    pretext = place / folder.PRETEXT_FOLDER
    pretext.mkdir(parents=True)
    (pretext / folder.CONFIG_FILE).write_text(config.pretext_run.model_dump_json())
    (pretext / LAST_CHECKPOINT).touch()
    with pytest.raises(UserError, match=r"A run keeps its configuration: take another folder$"):
        folder.train_in_folder(other, place, runtime)
    (place / folder.CONFIG_FILE).write_text(config.model_dump_json())
    (place / LAST_CHECKPOINT).touch()
    with pytest.raises(UserError, match=r"take another folder; with --init .*run it starts from the weights of this"):
        folder.train_in_folder(other, place, runtime)


def test_a_folder_is_not_resumed_on_other_data(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "train", lambda *_: ())
    first, second = (write_people(tmp_path / name, train, 2) for name, train in (("first", 4), ("second", 5)))
    config, place = tiny_config(), tmp_path / "run"
    folder.train_in_folder(config, place, Runtime(data=first, threads=1))
    folder.train_in_folder(config, place, Runtime(data=second, threads=1))  # nothing was trained on the first
    (place / LAST_CHECKPOINT).touch()
    folder.train_in_folder(config, place, Runtime(data=second, threads=1))
    moved = second.rename(tmp_path / "moved")
    folder.train_in_folder(config, place, Runtime(data=moved, threads=1))
    with pytest.raises(UserError, match=r"run was trained on other data: .*first have the fingerprint"):
        folder.train_in_folder(config, place, Runtime(data=first, threads=1))
    labels = moved / "annotations" / "person_keypoints_train2017.json"
    labels.write_text(labels.read_text().replace('"iscrowd": 0', '"iscrowd": 1', 1))
    with pytest.raises(UserError, match="trained on other data"):
        folder.train_in_folder(config, place, Runtime(data=moved, threads=1))
    (place / folder.DATA_FILE).unlink()  # a folder of an earlier version
    folder.train_in_folder(config, place, Runtime(data=first, threads=1))
