"""A checkpoint beside a run's record is loaded only as that has it, and is on the disk before it has its name."""

import json
import os

import pytest
import torch

from poseur_lib.checkpoints.checkpoint import load_model, read_file, save_weights
from poseur_lib.errors import UserError
from poseur_lib.files import file_sha256, sha256_hex
from poseur_lib.models.build import build_model
from poseur_study.cli.main import main
from poseur_study.runs.record import body_digest, read_record, write_record
from tests.study.fakes import flip_bits, make_record
from tests.training.tiny import tiny_config


@pytest.fixture
def run(tmp_path):
    config = tiny_config()
    save_weights(tmp_path / "model.pt", build_model(config), config)
    return tmp_path, write_record(tmp_path, make_record(config), {})


def test_flipped_bits_are_found_wherever_weights_are_loaded(run, capsys):
    folder, record = run
    assert record.weights_sha256 == file_sha256(folder / "model.pt") == sha256_hex((folder / "model.pt").read_bytes())
    load_model(folder / "model.pt")
    flip_bits(folder / "model.pt")
    found = file_sha256(folder / "model.pt")
    line = f"{folder / 'model.pt'} was altered: it has SHA-256 {found}, and its record says {record.weights_sha256}"
    with pytest.raises(UserError) as error:
        load_model(folder / "model.pt")
    assert str(error.value) == line
    for command in (["evaluate", "--checkpoint", str(folder / "model.pt"), "--data", str(folder)],
                    ["convert", str(folder / "model.pt"), str(folder / "copy.pt")]):  # fmt: skip
        assert main(command) == 1
        assert capsys.readouterr().err == f"poseur: {line}\n"


def test_without_a_record_they_are_found_too(tmp_path):
    """Of `poseur train DIR`, or of a run that was killed before its record: torch alone does not notice."""
    model = tmp_path / "model.pt"
    save_weights(model, build_model(tiny_config()), tiny_config())
    load_model(model)
    flip_bits(model)
    assert torch.load(model, weights_only=True)["state_dict"]
    with pytest.raises(UserError, match=r"model\.pt is cut off or damaged: delete it, and training starts anew"):
        load_model(model)
    (tmp_path / "last.ckpt").write_bytes(model.read_bytes())
    with pytest.raises(UserError, match=r"last\.ckpt is cut off or damaged: delete it, and training starts anew"):
        load_model(tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=r"model\.pt is cut off or damaged: .* training goes on from last\.ckpt"):
        load_model(model)


def test_what_is_no_archive_is_read_as_before(tmp_path):
    model = tmp_path / "model.pt"
    torch.save({"weight": torch.ones(2)}, model, _use_new_zipfile_serialization=False)
    assert read_file(model)["weight"].tolist() == [1.0, 1.0]


def test_a_record_from_before_the_field_is_as_it_was(run):
    folder, record = run
    path = folder / "record.json"
    body = json.loads(path.read_text())["record"]
    assert body.pop("weights_sha256") == record.weights_sha256
    path.write_text(json.dumps({"sha256": body_digest(body), "record": body}))
    assert read_record(folder) == record.model_copy(update={"weights_sha256": None})
    load_model(folder / "model.pt")


def test_weights_are_synced_before_they_have_their_name(tmp_path, monkeypatch):
    seen, fsync = [], os.fsync

    def watched(handle):
        seen.append((os.readlink(f"/proc/self/fd/{handle}"), (tmp_path / "model.pt").exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    save_weights(tmp_path / "model.pt", build_model(tiny_config()), tiny_config())
    (file, named), (folder, after) = seen
    assert ".model.pt." in file and not named and folder == str(tmp_path) and after
