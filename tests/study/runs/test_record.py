"""A record survives the way to the disk and back, and one that was touched is found out."""

import json

import numpy as np
import pytest

from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.files import write_atomically
from poseur_study.runs.heartbeat import LEASE_VARIABLE
from poseur_study.runs.lease import acquire
from poseur_study.runs.predictions import as_stored, from_bytes, to_arrays, to_bytes
from poseur_study.runs.record import PREDICTIONS_FILE, RECORD_FILE, load_record, read_record, write_record
from tests.study.fakes import make_record, random_predictions, same_predictions


def test_round_trip(run_folder, smoke_config, predictions):
    written = write_record(run_folder, make_record(smoke_config), predictions)
    loaded = load_record(run_folder)
    assert loaded.record == written
    for source in BoxSource:
        assert same_predictions(loaded.predictions[source], as_stored(predictions[source]))


def test_what_is_stored_once_is_stored_for_good(predictions):
    once = as_stored(predictions[BoxSource.DETECTOR])
    assert same_predictions(as_stored(once), once)
    assert np.abs(once.keypoints - predictions[BoxSource.DETECTOR].keypoints).max() < 1e-3


def test_scores_that_follow_from_sigma_are_left_out_and_others_are_not(predictions):
    rle = predictions[BoxSource.DETECTOR]
    assert "keypoint_scores" not in to_arrays(rle, "")
    other = type(rle)(**{**vars(rle), "keypoint_scores": rle.keypoint_scores**2})
    assert "keypoint_scores" in to_arrays(other, "")
    assert np.allclose(as_stored(other).keypoint_scores, other.keypoint_scores, atol=1e-3)
    without = type(rle)(**{**vars(rle), "sigma": None})
    assert as_stored(without).sigma is None
    assert np.allclose(as_stored(without).keypoint_scores, rle.keypoint_scores, atol=1e-3)


def test_two_thousand_people_take_less_than_a_megabyte():
    both = {source: random_predictions(2300, seed) for seed, source in enumerate(BoxSource)}
    content = to_bytes(both)
    assert len(content) < 1_000_000
    assert content == to_bytes(both)
    assert same_predictions(from_bytes(content)[BoxSource.DETECTOR], as_stored(both[BoxSource.DETECTOR]))


def test_a_value_too_large_for_float16_is_named(predictions):
    wild = predictions[BoxSource.DETECTOR]
    wild.keypoints[3, 4, 0] = 1e6
    with pytest.raises(ValueError, match=r"keypoints: 1000000\.0"):
        as_stored(wild)


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.999])
def test_a_cut_off_record_is_an_error(run_folder, smoke_config, predictions, keep):
    write_record(run_folder, make_record(smoke_config), predictions)
    path = run_folder / RECORD_FILE
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
    with pytest.raises(UserError, match=r"record\.json"):
        read_record(run_folder)


@pytest.mark.parametrize(
    ("field", "value"), [("epochs", 1), ("run_hash", "0" * 10), ("run_id", "other"), ("curve", []), ("new", 1)]
)
def test_an_altered_record_is_an_error(run_folder, smoke_config, predictions, field, value):
    write_record(run_folder, make_record(smoke_config), predictions)
    path = run_folder / RECORD_FILE
    envelope = json.loads(path.read_text())
    envelope["record"][field] = value
    path.write_text(json.dumps(envelope))
    with pytest.raises(UserError, match="altered"):
        read_record(run_folder)


def test_a_record_whose_hash_is_not_its_configuration_s_is_an_error(run_folder, smoke_config):
    record = make_record(smoke_config).model_copy(update={"run_hash": "0" * 10})
    write_record(run_folder, record, {})
    with pytest.raises(UserError, match="hash 0000000000"):
        read_record(run_folder)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:50] + b"x" + data[51:], lambda data: b""]
)
def test_altered_predictions_are_an_error(run_folder, smoke_config, predictions, damage):
    write_record(run_folder, make_record(smoke_config), predictions)
    path = run_folder / PREDICTIONS_FILE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match="altered or cut off"):
        read_record(run_folder)
    path.unlink()
    with pytest.raises(UserError, match="are not here"):
        read_record(run_folder)


def test_a_failed_write_leaves_what_was_there(run_folder, monkeypatch):
    path = run_folder / "file"
    write_atomically(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in run_folder.iterdir()] == ["file"]


@pytest.mark.parametrize(("fails", "error"), [("predictions.npz", None), ("record.json", "altered or cut off")])
def test_a_failed_write_leaves_the_earlier_record_or_none(
    run_folder, smoke_config, predictions, monkeypatch, fails, error
):
    earlier = write_record(run_folder, make_record(smoke_config), predictions)

    def full(path, content):
        if path.name == fails:
            raise OSError(28, "No space left on device")
        write_atomically(path, content)

    monkeypatch.setattr("poseur_study.runs.record.write_atomically", full)
    with pytest.raises(OSError, match="No space"):
        write_record(run_folder, make_record(smoke_config), {BoxSource.DETECTOR: random_predictions(20)})
    if error is None:
        assert read_record(run_folder) == earlier
    else:
        with pytest.raises(UserError, match=error):
            read_record(run_folder)


def test_who_has_lost_the_run_does_not_touch_another_s_record(run_folder, smoke_config, predictions, monkeypatch):
    held = acquire(run_folder)
    monkeypatch.setenv(LEASE_VARIABLE, held.key)
    written = write_record(run_folder, make_record(smoke_config), predictions)
    held.release()
    assert acquire(run_folder).path == held.path
    with pytest.raises(UserError, match="another process has taken over this run"):
        write_record(run_folder, make_record(smoke_config, epochs=1), {})
    assert load_record(run_folder).record == written
