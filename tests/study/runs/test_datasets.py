"""Which people a study trains on, and which its backbones are pretrained on."""

import errno
import os
from dataclasses import replace

import pytest

import poseur_study.runs.datasets as module
from poseur_lib.data.coco import fingerprint
from poseur_lib.errors import UserError
from poseur_study.experiments import tables
from poseur_study.experiments.profile_deviations import GENERATED_DATA, SIMULATED_BOXES, on_other_people
from poseur_study.experiments.profiles import profile
from poseur_study.runs.datasets import NOT_GENERATED, known_data, open_data, pretext_people
from poseur_study.runs.plan import row_run
from tests.training.tiny import write_people

SMOKE = profile("smoke")


@pytest.fixture
def others(tmp_path):
    """People that are no generated ones, without part labels."""
    return write_people(tmp_path / "others", train=2, val=2)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The profile's own people, as if `generate` took no time."""
    monkeypatch.setenv("POSEUR_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    made = []

    def generate(root, settings, workers, progress):
        if not root.exists():
            write_people(root, train=1, val=1)
            (root / "parts_train2017").mkdir()
            made.append(root)

    monkeypatch.setattr("synthetic_people.generate", generate)
    return made


def pretraining(data, number="1b"):
    (table,) = tables([number])
    run = row_run(SMOKE, table, table.rows[0], 0, data.fingerprint, {}, data.learnt_from)
    return run.parents


def test_backbones_for_other_people_are_pretrained_on_generated_ones(others, own, tmp_path):
    data, generated = open_data(SMOKE, str(others)), open_data(SMOKE, "")
    assert data.fingerprint == fingerprint(others) != generated.fingerprint
    assert len(pretraining(data)) == 1 and pretraining(data) == pretraining(generated)
    assert own == [tmp_path / "data" / "smoke"]


def test_nothing_is_generated_where_no_backbone_is_pretrained(others, own):
    data = open_data(SMOKE, str(others))
    assert pretraining(data, "2a") == () and own == []


def test_a_folder_with_part_labels_is_learnt_from_itself(others, own):
    (others / "parts_train2017").mkdir()
    data = open_data(SMOKE, str(others))
    known = known_data(SMOKE, str(others), others)
    assert data.learnt_from is None and known.pretext == known.fingerprint == data.fingerprint and own == []


def test_a_plan_says_what_is_to_be_generated_and_generates_nothing(others, own, tmp_path):
    known = known_data(SMOKE, str(others), tmp_path / "runs")
    assert known.fingerprint == fingerprint(others) and known.pretext is None
    assert "poseur study run` generates it first (2300 images)" in known.note
    assert known.learnt_from(SMOKE, make=False)() == NOT_GENERATED and own == []
    assert known.learnt_from(SMOKE)() == fingerprint(tmp_path / "data" / "smoke") and len(own) == 1


def test_training_outside_the_study_finds_people_to_pretrain_on_or_says_how_to_do_without(others, own, monkeypatch):
    config = SMOKE.experiment(0)
    assert pretext_people(SMOKE, config, others) == others.parent / "data" / "smoke"
    alone = config.with_changes(**{"model.backbone.weights": "none", "pretext": None})
    assert pretext_people(SMOKE, alone, others) == others
    monkeypatch.setenv("POSEUR_ROOT", str(others))  # no project
    with pytest.raises(UserError, match=r"no part labels .* --set pretext=null trains from random weights"):
        pretext_people(SMOKE, config, others)


def test_generated_people_have_coco_s_keypoints_whatever_is_trained_on():
    lsp = SMOKE.experiment(0, {"data.keypoint_set": "lsp14"})
    assert lsp.data.keypoint_set == "lsp14" and lsp.pretext_run == SMOKE.experiment(0).pretext_run


def test_deviations_name_the_people_that_were_trained_on():
    mini = profile("mini")
    said = on_other_people(mini.deviations, "my_people")
    assert GENERATED_DATA in mini.deviations and SIMULATED_BOXES in mini.deviations
    assert not {GENERATED_DATA, SIMULATED_BOXES} & set(said)
    assert said[0].startswith("Data: people of my_people instead of COCO")
    assert not any("25,888" in line for line in said) and any(line.startswith("Training: 3 epochs (") for line in said)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    assert module.pretext_data(SMOKE, str(tmp_path / "gone")) == ""
    with pytest.raises(UserError, match="gone"):
        open_data(SMOKE, str(tmp_path / "gone"))


def test_a_whole_set_on_a_disk_that_cannot_be_written_to_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("POSEUR_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    small = replace(SMOKE, people=SMOKE.people.with_changes(train_images=1, val_images=1, parts=False))
    module.make_data(small, "")
    image = tmp_path / "data" / "smoke" / "train2017" / "000000000001.jpg"
    content = image.read_bytes()

    def refused(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patched:
        patched.setattr(module, "waiting_lease", refused)
        patched.setattr(__import__("synthetic_people.generate", fromlist=["mend"]), "write_atomically", refused)
        (tmp_path / "data" / "smoke" / ".images_checked").unlink()
        module.make_data(small, "")
        image.write_bytes(content[:-1] + b"x")
        with pytest.raises(OSError, match="Read-only"):
            module.make_data(small, "")
    module.make_data(small, "")
    assert image.read_bytes() == content
