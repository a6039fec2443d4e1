"""Released checkpoints from file to column: evaluated once, recorded, and never guessed at."""

import hashlib
import shlex
from pathlib import Path

import numpy as np
import pytest

from poseur_lib.checkpoints.released_load import load_released
from poseur_lib.data.coco import CocoPeople
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.keypoints import COCO_17
from poseur_lib.runtime import Runtime
from poseur_study import experiments as tables
from poseur_study.cli import main as command
from poseur_study.execution.batch import Batch
from poseur_study.released_checkpoints import evaluate as released_source
from poseur_study.released_checkpoints.inventory import FLIP_FUSION
from poseur_study.released_checkpoints.store import ReleasedStore
from poseur_study.runs.record import RECORD_FILE
from tests.study.projects import content
from tests.study.released_checkpoints.checkpoints import CPU, SIZE, TABLE, opened


def recorded(runs: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and modification time of the records' files."""
    return {name: of_file for name, of_file in content(runs / "released").items() if "/" in name}


def test_every_file_is_accounted_for(done):
    source, outcomes = done.source, done.outcomes
    assert [(one.match.file.name, one.match.rows) for one in outcomes] == [
        ("1.pth", ("X: one",)),
        ("2.pth", ("X: two",)),
    ]
    why = {one.name: one for one in source.refused}
    assert set(why) == {"3.pth", "2_copy.pth", "cut.pth", "ours.pt"}
    assert [name for name, one in why.items() if one.unreadable] == ["cut.pth"]
    assert "the same content as 2.pth" in why["2_copy.pth"].why
    assert "no row of these tables is mobilenetv2, 3 decoder layers" in why["3.pth"].why
    assert "of this project" in why["ours.pt"].why


def test_the_record_names_the_file_and_holds_both_box_sources(done, checkpoints):
    source, outcomes, runs = done.source, done.outcomes, done.runs
    loaded = ReleasedStore(runs).records.load(outcomes[0].record.run_id)
    checkpoint = loaded.record.provenance.checkpoint
    assert checkpoint.name == "1.pth"
    assert checkpoint.sha256 == hashlib.sha256((checkpoints / "1.pth").read_bytes()).hexdigest()
    assert set(loaded.predictions) == {metrics.boxes for metrics in loaded.record.metrics} == set(BoxSource)
    assert loaded.record.provenance.data_fingerprint == source.data.fingerprint


def test_a_record_of_another_precision_is_not_given_for_this_one(checkpoints, few_people, tmp_path):
    half = CPU.model_copy(update={"precision": "bf16-mixed"})
    for settings, there in ((half, False), (half, True), (CPU, False), (CPU, True)):
        first = next(opened(checkpoints, few_people, tmp_path).evaluate(settings))
        made = first.record.provenance
        assert (first.there, made.precision) == (there, settings.precision)
        assert made.computed_on.endswith(", bf16-mixed") == (settings is half)
    stored = ReleasedStore(tmp_path).records.load(first.record.run_id)
    assert stored.record == first.record


def test_predictions_are_those_of_the_released_model(checkpoints, few_people, tmp_path):
    first = next(opened(checkpoints, few_people, tmp_path).evaluate(CPU))
    stored = ReleasedStore(tmp_path).records.load(first.record.run_id).predictions[BoxSource.GROUND_TRUTH]
    model, config = load_released(checkpoints / "1.pth", input_size=SIZE, flip_fusion="type2")
    assert config == first.record.config
    val = CocoPeople(few_people, "val", COCO_17).people()
    expected = predict_people(model, val, config, Runtime(data=few_people, device="cpu"))
    np.testing.assert_allclose(stored.keypoints, expected.keypoints, atol=2e-3)
    np.testing.assert_allclose(stored.sigma, expected.sigma, atol=1e-3)
    np.testing.assert_allclose(stored.keypoint_scores, expected.keypoint_scores, atol=2e-3)


def test_what_was_judged_by_means_is_not_handed_out(done, monkeypatch):
    """As all were before the README's command was followed."""
    fingerprint, store = done.source.data.fingerprint, ReleasedStore(done.runs)
    assert len(store.evaluated(fingerprint)) == 2
    monkeypatch.setitem(FLIP_FUSION, "model.head.flip_fusion", "mean")
    assert store.evaluated(fingerprint) == ()


def test_nothing_is_evaluated_twice(done, checkpoints, few_people, monkeypatch):
    runs = done.runs
    before = recorded(runs)
    monkeypatch.setattr(released_source, "predict_by_boxes", lambda *_: pytest.fail("evaluated again"))
    again = list(opened(checkpoints, few_people, runs, sizes={}).evaluate(CPU))  # the sizes are remembered
    assert len(again) == 2 and all(outcome.there for outcome in again)
    assert recorded(runs) == before


def test_it_goes_on_with_the_checkpoint_that_it_was_cut_off_in(checkpoints, few_people, tmp_path, monkeypatch):
    real, seen = released_source.predict_by_boxes, []

    def cut_off(run, model):
        if seen:
            raise KeyboardInterrupt
        seen.append(run)
        return real(run, model)

    monkeypatch.setattr(released_source, "predict_by_boxes", cut_off)
    with pytest.raises(KeyboardInterrupt):
        list(opened(checkpoints, few_people, tmp_path).evaluate(CPU))
    assert len(list(tmp_path.glob(f"released/*/{RECORD_FILE}"))) == 1
    monkeypatch.setattr(released_source, "predict_by_boxes", real)
    assert [outcome.there for outcome in opened(checkpoints, few_people, tmp_path).evaluate(CPU)] == [True, False]


def test_a_damaged_record_is_made_again(checkpoints, few_people, tmp_path):
    first = next(opened(checkpoints, few_people, tmp_path).evaluate(CPU))
    path = tmp_path / "released" / first.record.run_id / RECORD_FILE
    path.write_text(path.read_text()[:200])
    again = next(opened(checkpoints, few_people, tmp_path).evaluate(CPU))
    assert not again.there and again.record.metrics == first.record.metrics


def test_the_input_size_is_asked_for(checkpoints, few_people, tmp_path):
    source = opened(checkpoints, few_people, tmp_path, sizes={})  # released at 256x192, and no row is that
    assert not source.matches
    with pytest.raises(UserError, match=r"unknown checkpoint '1\.pht': did you mean '1\.pth'"):
        opened(checkpoints, few_people, tmp_path, sizes={"1.pht": SIZE})


@pytest.fixture
def shown(monkeypatch) -> list[str]:
    """The small table as the only one; it has no notebook, and is noted where it would be executed."""
    asked = []

    def show_tables(batch, _):
        asked.extend(table.number for table in batch.tables)
        yield from ((table.name, None) for table in batch.tables)

    monkeypatch.setattr(tables, "TABLES", (TABLE,))
    monkeypatch.setattr(tables, "STUDIES", (TABLE,))
    monkeypatch.setattr(Batch, "show_tables", show_tables)
    return asked


def run(capsys, *arguments: object) -> tuple[int, str]:
    code = command.main(["study", "run", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_the_command_lists_every_file_and_fails_for_unreadable_ones_only(
    shown, done, checkpoints, few_people, tmp_path, capsys
):
    asked = ("--source", "released", "--data", few_people, "--runs", done.runs)
    code, text = run(capsys, *asked, "--checkpoints", checkpoints)
    assert code == 1
    assert "1.pth: mobilenetv2, 1 decoder layers, 64x64, coco17, recorded before" in text
    assert "cut.pth: unreadable: " in text and "3.pth: not used: no row" in text
    readable = tmp_path / "readable"
    readable.mkdir()
    for name in ("1.pth", "3.pth"):
        (readable / name).write_bytes((checkpoints / name).read_bytes())
    code, text = run(capsys, *asked, "--checkpoints", readable, "--input-size", "1.pth=64x64")
    assert code == 0 and "for X: one" in text
    assert f"next: poseur report --profile paper --runs {shlex.quote(str(done.runs))}" in text
    assert shown == ["X", "X"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--source", "released"), "needs --checkpoints DIR"),
        (("--source", "released", "--seeds", "0,1", "--set", "seed=1"), "--seeds, --set: of training"),
        (("--source", "released", "--slurm", "slurm.toml"), "--slurm: of training"),
        (("--source", "released", "--profile", "mini"), "--profile mini: of training"),
        (("--source", "released", "--checkpoints", "nowhere"), "nowhere: no such folder"),
        (("--source", "released", "--checkpoints", "empty"), "empty: no checkpoint in it"),
        (("--source", "relaesd"), "did you mean 'released'"),
        (("--checkpoints", "empty"), "are for --source released"),
        (("--source", "released", "--checkpoints", "empty", "--input-size", "64x64"), "give FILE=HEIGHTxWIDTH"),
    ],
    ids=[
        "no folder given",
        "seeds",
        "a cluster",
        "another profile",
        "no such folder",
        "empty folder",
        "misspelt source",
        "not asked for",
        "size of nothing",
    ],
)
def test_what_cannot_be_done_is_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    code, text = run(capsys, *arguments, "--runs", tmp_path / "runs")
    assert code == 1 and message in text and len(text.splitlines()) == 1
