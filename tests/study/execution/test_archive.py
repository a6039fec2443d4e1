"""Runs survive the way through an archive; what is altered, foreign or in the way is reported and changes nothing."""

import io
import json
import tarfile
from datetime import datetime, timedelta

import pytest

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.files import sha256_hex
from poseur_study.cli.main import main
from poseur_study.experiments.profiles import profile
from poseur_study.runs import lease
from poseur_study.runs.record import write_record
from poseur_study.runs.store import RunState, RunStore
from tests.study.fakes import make_record, random_predictions
from tests.study.projects import content


@pytest.fixture
def source(tmp_path):
    """Two finished runs with weights, and one that failed."""
    runs = tmp_path / "there" / "runs"
    for seed in range(2):
        record = make_record(profile("smoke").experiment(seed))
        folder = runs / "smoke" / record.run_id
        write_record(folder, record, {BoxSource.DETECTOR: random_predictions(20, seed)})
        (folder / "model.pt").write_text(f"weights {seed}")
        (folder / "notebook.ipynb").write_text("{}")
    (runs / "smoke" / "failed").mkdir()
    (runs / "smoke" / "failed" / "error.txt").write_text("no")
    return runs


def ids(runs):
    return sorted(path.parent.name for path in (runs / "smoke").glob("*/record.json"))


def carry(source, target, archive, *options):
    assert main(["runs", "export", str(archive), "--runs", str(source), *options]) == 0
    return main(["runs", "import", str(archive), "--runs", str(target)])


@pytest.mark.parametrize("name", ["runs.tar", "runs.tar.gz"])
def test_records_arrive_whole_and_weights_when_asked(source, tmp_path, name):
    target = tmp_path / "here"
    assert carry(source, target, tmp_path / name) == 0
    store = RunStore(target / "smoke")
    for run_id in ids(source):
        assert store.state(run_id) == RunState.RECORD_ONLY
        theirs, ours = content(source / "smoke" / run_id), content(store.path(run_id))
        mark = json.loads(ours.pop("imported.json")[0])
        assert {k: v[0] for k, v in ours.items()} == {k: v[0] for k, v in theirs.items() if k != "model.pt"}
        assert mark.pop("sha256") == sha256_hex((tmp_path / name).read_bytes())
        assert datetime.fromisoformat(mark.pop("date")).utcoffset() == timedelta(0) and mark == {"source": name}
    before = content(target)
    assert carry(source, target, tmp_path / f"weights-{name}", "--weights") == 0
    after = content(target)
    assert {k: v for k, v in after.items() if k in before and k != "smoke/.verified.json"} == {
        k: v for k, v in before.items() if k != "smoke/.verified.json"
    }
    assert [store.state(run_id) for run_id in ids(source)] == [RunState.FINISHED] * 2


def test_a_conflict_is_reported_and_nothing_overwritten(source, tmp_path, capsys):
    target, (first, second) = tmp_path / "here", ids(source)
    record = make_record(profile("smoke").experiment(0)).model_copy(update={"strata": ()})
    run_id = record.run_id
    write_record(target / "smoke" / run_id, record, {BoxSource.DETECTOR: random_predictions(30, 7)})
    before = content(target / "smoke" / run_id)
    assert carry(source, target, tmp_path / "runs.tar") == 1
    assert f"smoke/{run_id}: conflict: another record is there" in capsys.readouterr().err
    assert content(target / "smoke" / run_id) == before
    assert ids(target) == [first, second]


def test_a_run_that_is_being_executed_is_a_conflict(source, tmp_path, capsys):
    target, (first, _) = tmp_path / "here", ids(source)
    held = lease.acquire(target / "smoke" / first)
    assert carry(source, target, tmp_path / "runs.tar") == 1
    assert "is being executed by" in capsys.readouterr().err
    held.release()
    assert main(["runs", "import", str(tmp_path / "runs.tar"), "--runs", str(target)]) == 0


@pytest.mark.parametrize("options", [[], ["--weights"]])
def test_weights_of_an_interrupted_run_do_not_pass_for_the_record_s(source, tmp_path, options, capsys):
    target, (first, second) = tmp_path / "here", ids(source)
    store = RunStore(target / "smoke")
    store.path(first).mkdir(parents=True)
    for name in ("model.pt", "last.ckpt"):
        (store.path(first) / name).write_text("others")
    assert carry(source, target, tmp_path / "runs.tar", *options) == 0
    assert [store.state(run_id) for run_id in (first, second)] == [store.state(second)] * 2
    assert not options or (store.path(first) / "model.pt").read_text() == "weights 0"
    assert not (store.path(first) / "last.ckpt").exists()
    assert f"smoke/{first}: imported: an interrupted run was removed" in capsys.readouterr().out


def test_a_damaged_run_is_not_exported(source, tmp_path, capsys):
    first, second = ids(source)
    path = source / "smoke" / first / "predictions.npz"
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["runs", "export", str(tmp_path / "runs.tar"), "--runs", str(source)]) == 1
    assert "altered or cut off" in capsys.readouterr().err
    assert main(["runs", "import", str(tmp_path / "runs.tar"), "--runs", str(tmp_path / "here")]) == 0
    assert ids(tmp_path / "here") == [second]


def test_an_archive_is_not_overwritten(source, tmp_path, capsys):
    (tmp_path / "runs.tar").write_text("mine")
    assert main(["runs", "export", str(tmp_path / "runs.tar"), "--runs", str(source)]) == 1
    assert "exists" in capsys.readouterr().err and (tmp_path / "runs.tar").read_text() == "mine"


@pytest.mark.parametrize("keep", [0, 700, 0.4, 0.6])
@pytest.mark.parametrize("name", ["runs.tar", "runs.tar.gz"])
def test_an_archive_that_is_cut_off_is_one_line_and_imports_nothing(source, tmp_path, name, keep, capsys):
    archive = tmp_path / name
    assert main(["runs", "export", str(archive), "--runs", str(source)]) == 0
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else keep])
    capsys.readouterr()
    assert main(["runs", "import", str(archive), "--runs", str(tmp_path / "here")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not list((tmp_path / "here").rglob("record.json"))


@pytest.mark.parametrize(
    "name", ["../evil/record.json", "smoke/../record.json", "smoke/x/model.py", "else/x/record.json"]
)
def test_no_path_leads_out(tmp_path, name, capsys):
    with tarfile.open(tmp_path / "runs.tar", "w") as tar:
        for member, text in (("manifest.json", json.dumps({"format": 1, "sha256": {name: "0"}})), (name, "x")):
            info = tarfile.TarInfo(member)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    assert main(["runs", "import", str(tmp_path / "runs.tar"), "--runs", str(tmp_path / "here")]) == 1
    assert name in capsys.readouterr().err
    assert not (tmp_path / "here").exists() and not (tmp_path / "evil").exists()
