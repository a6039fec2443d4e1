"""`poseur study plan` and `status`: what they say, what they exit with, and that they change nothing."""

import json
import re
import subprocess
import sys
import tarfile
from types import SimpleNamespace

import pytest
import torch

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.files import file_sha256
from poseur_lib.runtime import Runtime
from poseur_study.cli.main import main
from poseur_study.execution import cost_estimate as work
from poseur_study.execution.batch import NOT_GENERATED, Batch
from poseur_study.execution.status import damage_lines, status_lines
from poseur_study.experiments import tables
from poseur_study.experiments.profiles import profile
from poseur_study.runs import lease
from poseur_study.runs.origin import NOTEBOOK_DIGEST_FILE, keep_notebook
from poseur_study.runs.plan import plan, planned_experiment
from poseur_study.runs.record import write_record
from poseur_study.runs.store import NOTEBOOK_FILE, RunStore, note_failure
from tests.study.fakes import flip_bits, make_record, random_predictions
from tests.study.projects import make_project
from tests.training.tiny import write_people

FILE, PEOPLE = "person_keypoints_val2017.json", 12


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with an empty folder of runs, entered from elsewhere; models cost the same and are not built."""
    root = make_project(tmp_path / "a project")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("POSEUR_ROOT", str(root))
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(work, "counted_before", lambda: {})
    monkeypatch.setattr(work, "_count", lambda config: {"all": 10**9, "backbone": 10**8})
    monkeypatch.setattr(work, "probed_speed", lambda: work.Speed(10.0, "on a test's machine"))
    return root


@pytest.fixture
def data(tmp_path):
    """What is known of a data set with part labels: its people are counted, its val split is not read."""
    folder = tmp_path / "elsewhere" / "some data"
    write_people(folder, PEOPLE, 0)
    (folder / "parts_train2017").mkdir()
    (folder / "annotations" / FILE).write_text("{}")
    return folder


def study(capsys, command, *arguments):
    code = main(["study", command, "--tables", "1b", *arguments])
    printed = capsys.readouterr()
    return code, printed.out.splitlines(), printed.err


def finish(batch: Batch, index: int):
    run = batch.runs[index]
    record = make_record(run.config, fingerprint=batch.data.fingerprint)
    write_record(batch.store.path(run.run_id), record, {})
    return batch.store.path(run.run_id)


def batch_of(data, project) -> Batch:
    return Batch("smoke", ("1b",), (), str(data), str(project / "runs"), {})


def test_what_was_imported_is_marked(project, data, capsys):
    batch, given = batch_of(data, project), ("--data", str(data), "--runs", str(project / "runs"))
    mark = {"source": "cluster.tar.gz", "sha256": "0" * 64, "date": "2026-11-28T17:00:00+00:00"}
    (finish(batch, 0) / "imported.json").write_text(json.dumps(mark))
    (finish(batch, 1) / "imported.json").write_text("[]")
    for command in ("status", "plan"):
        lines = [line for line in study(capsys, command, *given)[1] if "imported" in line]
        for line, origin in zip(lines, ("2026-11-28 from cluster.tar.gz", "an unkno"), strict=True):
            assert f", imported on {origin}" in line


def test_damaged_weights_are_told_and_pretraining_is_made_again(project, data, capsys):
    batch = batch_of(data, project)
    digests = []
    for index, name in ((0, "backbone.pt"), (1, "model.pt")):
        weights = batch.store.path(batch.runs[index].run_id) / name
        weights.parent.mkdir(parents=True)
        weights.write_bytes(bytes(range(256)) * 99)
        finish(batch, index)
        digests.append((weights, file_sha256(weights)))
    given = "--data", str(data), "--runs", str(project / "runs")
    assert study(capsys, "status", *given)[0] == 0
    for weights, _ in digests:
        flip_bits(weights)
    code, lines, _ = study(capsys, "status", "--verify", *given)
    assert code == 1 and lines[-2].startswith("2 record only")
    for line, (weights, digest) in zip([one for one in lines if "altered" in one], digests, strict=True):
        assert (
            line.strip()
            == f"{weights} was altered: it has SHA-256 {file_sha256(weights)}, and its record says {digest}"
        )
    _, lines, _ = study(capsys, "plan", *given)
    assert [line for line in lines if "again: others start from its weights" in line]
    assert main(["runs", "export", str(project / "a.tar"), "--weights", "--runs", str(project / "runs")]) == 1
    assert "exported without weights: " in capsys.readouterr().err
    with tarfile.open(project / "a.tar") as tar:
        assert not [name for name in tar.getnames() if name.endswith(".pt")] and len(tar.getnames()) > 2


def test_nothing_is_generated_or_written_where_the_data_are_not_there(project, capsys):
    for command in ("plan", "status"):
        code, lines, error = study(capsys, command)
        assert (code, error) == (0, "")
        assert "is not there: `poseur study run` generates it first (2300 images)" in lines[0]
        named = [re.split(r"  +", line)[1] for line in lines if line.startswith("absent")]
        rows = ["Table 1b, pretraining", "Table 1b, without noise, seed 0", "Table 1b, with noise, seed 0"]
        if command == "plan":
            assert all(re.fullmatch(r"\d+ (s|min)|[\d.]+ h", time) for time in named)
            named = [re.split(r"  +", line)[2] for line in lines if line.startswith("absent")]
        assert named == rows
        assert not (project / "data").exists()
    assert {path.name for path in (project / "runs").rglob("*")} <= {"smoke", ".costs.json"}


def test_records_know_the_data_set_that_is_not_there(project, capsys):
    known = plan(profile("smoke"), tables(["1b"]), (0,), "0123456789abcdef", {})
    record = make_record(profile("smoke").experiment(known[1].seed, known[1].changes))
    write_record(project / "runs" / "smoke" / record.run_id, record, {})
    code, lines, _ = study(capsys, "status")
    assert code == 0 and "its identity is taken from the records" in lines[0]
    assert next(line for line in lines if line.startswith("record only")).split()[-1] == f"({record.run_id[-10:]})"
    assert NOT_GENERATED not in " ".join(lines)


def test_a_data_set_that_was_asked_for_and_is_not_there(project, capsys):
    code, _, error = study(capsys, "plan", "--data", "nowhere")
    assert code == 1 and "elsewhere/nowhere does not exist" in error and len(error.splitlines()) == 1


def test_the_plan_counts_what_is_missing_in_hours_of_a_given_device(project, data, capsys):
    arguments = ("--data", "some data", "--device-gflops", "2")
    _, lines, _ = study(capsys, "plan", *arguments)
    # two runs of 6 epochs, a pretraining of 3 with a tenth of the cost, the people of the folder, forward and backward
    total = 3 * PEOPLE * (6 + 6 + 3 * 0.1)
    assert lines[0] == "3 distinct runs (0 shared by several rows), 3 to be executed"
    assert lines[1].startswith(f"{total:,.0f} G multiply-adds: {total / 2 / 60:.0f} min on a device that sustains 2")
    one = 3 * PEOPLE * 6
    assert sum(line.startswith(f"absent       {one / 2 / 60:.0f} min ") for line in lines) == 2
    finish(batch_of(data, project), 1)
    _, lines, _ = study(capsys, "plan", *arguments)
    assert lines[0].endswith("2 to be executed")
    cut_off = "a run that is cut off loses an epoch at most, which takes up to"
    assert lines[2].startswith(f"{cut_off} {one / 6 / 2:.0f} s (") and "seed 0" in lines[2]
    assert lines[3] == "note: hours are of training alone, without start-up and evaluation"
    for wrong in ("0", "-1", "nan", "inf"):
        code, _, error = study(capsys, "plan", "--data", "some data", "--device-gflops", wrong)
        assert code == 1 and f"--device-gflops {float(wrong)}: give" in error
    code, _, error = study(capsys, "plan", *arguments, "--gpu", "h100")
    assert code == 1 and "--device-gflops 2 and --gpu h100: give one of them" in error


def test_the_plan_costs_pretraining_again_whose_weights_are_gone(project, data, capsys):
    batch = batch_of(data, project)
    pretraining, *rows = batch.runs
    record = make_record(pretraining.config, fingerprint=batch.data.fingerprint)
    write_record(batch.store.path(pretraining.run_id), record, {})
    _, lines, _ = study(capsys, "plan", "--data", "some data", "--device-gflops", "2")
    cost = 3 * PEOPLE * 3 * 0.1
    named = f"{pretraining.name} ({pretraining.run_id[-10:]})"
    assert lines[4] == f"record only  {f'{cost / 2:.0f} s':8s} {named}" and lines[0].endswith("3 to be executed")
    assert lines[5].strip() == "again: others start from its weights, which are gone"
    for index in range(1, 1 + len(rows)):
        finish(batch, index)
    _, lines, _ = study(capsys, "plan", "--data", "some data", "--device-gflops", "2")
    assert lines[1] == f"record only  {'':8s} {named}" and lines[0].endswith("0 to be executed")


def test_without_a_figure_finished_runs_tell_the_speed(project, data, capsys):
    finish(batch_of(data, project), 1)  # 60 s for 6 epochs
    _, lines, _ = study(capsys, "plan", "--data", "some data", "--workers", "2")
    assert f"as 1 finished run on a processor ({3 * PEOPLE * 6 / 60:.1f} G/s)" in lines[1]
    assert lines[1].endswith("with 2 at a time")
    assert not lines[2].startswith("note"), "start-up and evaluation are in the hours of finished runs"


def test_the_plan_says_what_is_left_out_of_whole_images(project, data, capsys):
    assert main(["study", "plan", "--tables", "3", "--data", "some data", "--device-gflops", "2"]) == 0
    (note,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note")]
    assert "; of whole-image models, a few per cent are not counted: what follows the keypoint head's tower" in note


def test_pretraining_runs_of_several_seeds_are_told_apart():
    for name, of_seeds in (("midi", [", seed 0", ", seed 1"]), ("mini", [""])):
        runs = plan(profile(name), tables(["1b"]), (0, 1), "", {})
        names = [run.name for run in runs if not run.parents]
        assert names == [f"Table 1b, pretraining{seed}" for seed in of_seeds]


def test_folders_are_relative_to_where_one_is(project, data, capsys):
    store = RunStore(data.parent / "my runs" / "smoke")
    batch = Batch("smoke", ("1b",), (), str(data), str(store.folder.parent), {})
    finish(batch, 1)
    _, lines, _ = study(capsys, "status", "--data", "some data", "--runs", "my runs")
    assert lines[-1] == "2 absent, 1 record only"


def test_status_fails_where_something_did(project, data, capsys):
    batch = batch_of(data, project)
    assert study(capsys, "status", "--data", "some data")[0] == 0
    folder = finish(batch, 1)
    note_failure(batch.store.path(batch.runs[2].run_id), "a\nValueError: loss is nan", None)
    code, lines, _ = study(capsys, "status", "--data", "some data")
    assert code == 1 and lines[-1] == "1 absent, 1 record only, 1 failed"
    assert any("ValueError: loss is nan" in line for line in lines) and any("error.txt" in line for line in lines)
    (batch.store.path(batch.runs[2].run_id) / "error.txt").unlink()
    record = folder / "record.json"
    record.write_text(record.read_text()[:-20])
    code, lines, _ = study(capsys, "status", "--data", "some data")
    assert code == 1 and lines[-1] == "2 absent, 1 corrupt"
    assert any("is cut off or no record" in line for line in lines)


def test_what_is_damaged_is_said_with_what_follows_and_what_brings_it_back(project, data, capsys):
    """An evaluation beside whole predictions costs no training; a record does, and its lost backbone with it."""
    batch, given = batch_of(data, project), ("--data", "some data")
    _, one, other = batch.runs
    for run in batch.runs:
        record = make_record(run.config, fingerprint=batch.data.fingerprint)
        found = {BoxSource.DETECTOR: random_predictions(20)} if run == one else {}
        write_record(batch.store.path(run.run_id), record, found)
    (batch.store.path(one.run_id) / "evaluation.xz").write_bytes(b"half")
    code, lines, _ = study(capsys, "status", *given)
    assert code == 1 and lines[-1] == "3 record only"
    said = [line for line in lines if "evaluation.xz is not that of the record" in line]
    back = f"`git checkout -- '{batch.store.path(one.run_id)}'`, if it was committed, or `poseur runs import ARCHIVE`"
    assert len(said) == 1 and any("results come from its predictions; " + back in line for line in lines)
    assert study(capsys, "plan", *given)[1][0].endswith("0 to be executed")

    record = batch.store.path(other.run_id) / "record.json"
    record.write_text(record.read_text()[:-20])
    code, lines, _ = study(capsys, "status", *given)
    back = f"`git checkout -- '{record.parent}'`, if it was committed, or `poseur runs import ARCHIVE`"
    again = "`poseur study run` trains it again (2 min), and its backbone where those weights are gone"
    assert code == 1 and lines[-1] == "2 record only, 1 corrupt"
    assert [line.strip() for line in lines if "study run" in line] == [again]
    assert any(f"without that: {back}" in line for line in lines)
    _, lines, _ = study(capsys, "plan", *given)
    assert lines[0].endswith("2 to be executed") and any(again in line for line in lines)
    (line,) = [line for line in lines if "again: others start" in line]
    assert line.endswith("which are gone; 1 finished run started from those, not from the new ones")
    for name in ("model.pt", "curve.json"):
        (record.parent / name).write_text("of the training")
    for command in ("plan", "status"):
        lines = study(capsys, command, *given)[1]
        assert any(line.strip() == "`poseur study run` evaluates its model.pt again" for line in lines)
        assert not any("trains it again" in line for line in lines)
    cost = 3 * PEOPLE * 3 * 0.1  # the backbone's, which others start from
    assert study(capsys, "plan", *given)[1][1].startswith(f"{cost:,.0f} G multiply-adds")
    named = [line for line in damage_lines(batch_of(data, project)) if line[0] != " "]
    assert [line.split()[0] for line in named] == ["record", "corrupt"]


def test_runs_that_were_made_before_the_data_changed_are_said(project, data, capsys):
    batch = batch_of(data, project)
    for index in (0, 1):
        finish(batch, index)
    (data / "annotations" / FILE).write_text("{}\n")
    now = batch_of(data, project).data.fingerprint
    said = f"1 finished run was made for these tables here on data {batch.data.fingerprint} (smoke)"
    for command in ("plan", "status"):
        (line,) = [line for line in study(capsys, command, "--data", "some data")[1] if "finished run was" in line]
        assert line == f"note: {said}; this one is {now} (some data)"


def test_a_table_that_shows_fewer_seeds_than_there_are_is_said(project, data, capsys, monkeypatch):
    batch = Batch("smoke", ("1b",), (0, 1), str(data), str(project / "runs"), {})
    for index in range(len(batch.runs) - 1):
        finish(batch, index)
    shown, folder = SimpleNamespace(seeds=(0,)), batch.store.table_folder("1b")
    folder.mkdir(parents=True)
    (folder / "result.json").touch()
    monkeypatch.setattr("poseur_study.analysis.result_types.stored_result", lambda store, number: shown)
    given = ("--data", "some data", "--seeds", "0,1")
    assert not any("shows seeds" in line for line in study(capsys, "status", *given)[1])
    finish(batch, -1)
    (line,) = [line for line in study(capsys, "status", *given)[1] if "shows seeds" in line]
    assert line.startswith("note: Table 1b shows seeds 0, and others are finished")
    assert f"`poseur study run --profile smoke --tables 1b --seeds 0,1 --data '{data}'` shows all" in line
    changed = Batch("smoke", ("1b",), (0, 1), str(data), str(project / "mine"), {"train.epochs": 2})
    for index in range(len(changed.runs)):
        finish(changed, index)
    changed.store.table_folder("1b").mkdir(parents=True)
    (changed.store.table_folder("1b") / "result.json").touch()
    (line,) = [line for line in status_lines(changed)[0] if "shows seeds" in line]
    assert f"--runs '{project / 'mine'}' --data '{data}' --set train.epochs=2` shows all" in line


def test_a_record_that_is_touched_after_it_was_verified_is_found_out(project, data, capsys):
    batch = batch_of(data, project)
    folder = finish(batch, 1)
    study(capsys, "status", "--data", "some data")
    assert (batch.store.folder / ".verified.json").exists()
    envelope = json.loads((folder / "record.json").read_text())
    envelope["record"]["epochs"] = 1
    (folder / "record.json").write_text(json.dumps(envelope, indent=1, sort_keys=True))
    code, lines, _ = study(capsys, "status", "--data", "some data")
    assert code == 1 and any("was altered" in line for line in lines)


def test_plan_and_status_start_without_what_only_runs_need():
    heavy = ("torch", "matplotlib", "pandas", "dask", "numba")
    code = "import sys, poseur_study.cli.study, poseur_study.execution.status; "
    code += f"print([x for x in {heavy} if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_table_s_failure_is_in_the_status(project, data, capsys):
    batch = batch_of(data, project)
    note_failure(batch.store.table_folder("1b"), "KeyError: 'x'", None)
    code, lines, _ = study(capsys, "status", "--data", "some data")
    assert code == 1 and any(line.split() == ["failed", "table", "1b"] for line in lines)


def test_a_notebook_that_was_altered_is_in_the_status_that_verifies(project, data, capsys):
    folder = RunStore(project / "runs" / "smoke").table_folder("1b")
    (folder / "attempt").mkdir(parents=True)
    (folder / "attempt" / NOTEBOOK_FILE).write_text("{}")
    asked = ("status", "--data", "some data", "--verify")
    keep_notebook(folder / "attempt" / NOTEBOOK_FILE, folder)
    code, lines, _ = study(capsys, *asked)
    assert (code, lines[-1]) == (0, "notebooks: 1 as its runner wrote it")
    (folder / NOTEBOOK_FILE).write_text("{ }")
    code, lines, _ = study(capsys, *asked)
    assert code == 1 and lines[-3].split()[0] == "altered" and str(folder / NOTEBOOK_FILE) in lines[-2]
    assert lines[-1] == "notebooks: 1 altered after it was executed"
    assert study(capsys, *asked[:-1])[0] == 0, "notebooks are read where one asks for it"
    (folder / NOTEBOOK_DIGEST_FILE).unlink()
    code, lines, _ = study(capsys, *asked)
    assert (code, lines[-1]) == (0, "notebooks: 1 not covered by a digest")


def test_hours_are_those_of_runs_on_a_device_like_this_one(project, data, monkeypatch):
    """Runs that came from another machine say nothing about this one, as long as there are runs of this one."""
    fingerprint = batch_of(data, project).data.fingerprint
    known = plan(profile("smoke"), tables(["1b"]), (0, 1), fingerprint, {})
    store, size = RunStore(project / "runs" / "smoke"), work.Work(profile("smoke"), project / "runs" / "smoke")
    runs = [run for run in known if run.seed is not None and not run.run_id.startswith("pretext")]
    assert work.speed_of_finished(runs, store, size) is None
    for run, device, seconds in zip(runs, ("a GPU", "a GPU", "this processor"), (10.0, 10.0, 100.0), strict=False):
        record = make_record(size.profile.experiment(run.seed, run.changes), fingerprint=fingerprint)
        took = record.provenance.with_changes(device=device, wall_seconds=seconds)
        write_record(store.path(run.run_id), record.with_changes(provenance=took), {})
    monkeypatch.setattr(work, "this_device", lambda: "this processor")
    here = work.speed_of_finished(runs, store, size)
    assert here.source == "as 1 finished run on this processor"
    assert here.billions == pytest.approx(size.of(runs[2]) / 1e9 / 100)
    monkeypatch.setattr(work, "this_device", lambda: "a third")
    assert work.speed_of_finished(runs, store, size).source == "as 3 finished runs on a GPU and this processor"


def test_status_tells_how_far_runs_are_and_how_long_the_rest_takes(project, data, capsys):
    """One of two equal runs is at work, 2 of 6 epochs in 60 s: four more, and six of the other, at 30 s each."""
    batch = batch_of(data, project)
    pretraining, first, _ = batch.runs
    record = make_record(pretraining.config, fingerprint=batch.data.fingerprint)
    write_record(batch.store.path(pretraining.run_id), record, {})
    (batch.store.path(pretraining.run_id) / "backbone.pt").write_bytes(b"weights")
    folder = batch.store.path(first.run_id)
    folder.mkdir(parents=True)
    held = lease.acquire(folder)
    try:
        assert study(capsys, "status", "--data", "some data")[1][-1] == "1 finished, 1 running, 1 absent"
        (folder / "curve.json").write_text(json.dumps([{"epoch": 1, "seconds": 30.0}, {"epoch": 2, "seconds": 60.0}]))
        _, lines, _ = study(capsys, "status", "--data", "some data")
    finally:
        held.release()
    assert any(line.strip().startswith("2 of 6 epochs, by ") for line in lines)
    assert lines[-1] == "1 finished, 1 running, 1 absent; about 5 min of training left"


def test_a_kind_of_gpu_is_bounded_by_its_products_and_by_launching(project, data, capsys):
    """A step of 32 people with 3 G multiply-adds each: launched in 0.08 s, and 96 G at 17,000 G/s beside."""
    _, lines, _ = study(capsys, "plan", "--data", "some data", "--gpu", "h200")
    assert lines[1].endswith(f"({96 / (0.08 + 96 / 17_000):.1f} G/s)")
    (slow,) = (work.gpu_speed("t4", 1e15).billions,)
    assert slow == pytest.approx(0.016 * 17_000, rel=1e-3), "where launching is nothing, the products are all"
    code, _, error = study(capsys, "plan", "--gpu", "h2000")
    assert code == 1 and "unknown GPU 'h2000': did you mean 'h200'?" in error


def test_the_probe_lays_its_convolution_out_as_training_does(monkeypatch):
    layouts, forward = [], torch.nn.Conv2d.forward

    def noted(layer, images):
        layouts.append([one.is_contiguous(memory_format=Runtime.memory_format) for one in (layer.weight, images)])
        return forward(layer, images)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", noted)
    monkeypatch.setattr(work, "PROBE_SECONDS", 1e-4)
    assert work.probed_speed().billions > 0 and layouts[0] == [True, True]


def test_every_declared_model_was_counted_and_two_of_them_still_cost_that():
    declared = work.declared_models()
    before = work.counted_before()
    assert set(declared) <= set(before), "python -m poseur_study.execution.cost_estimate"
    smallest = sorted(declared, key=lambda key: before[key]["all"])[:2]
    assert [work._count(declared[key]) for key in smallest] == [before[key] for key in smallest]


def test_people_of_other_keypoints_than_the_profile_s_are_counted_for_themselves(tmp_path):
    """133 of them are 133 queries in every noisy group: a plan said an eighth of what such a training takes."""
    own, many = (
        planned_experiment(profile("real"), changes, 0, "")
        for changes in ({}, {"data.keypoint_set": "coco_wholebody133"})
    )
    counted = work.Work(profile("real"), tmp_path)
    assert counted.per_image(many) == work._count(many.config)["all"] > 5 * counted.per_image(own)


@pytest.mark.slow
def test_every_declared_model_still_costs_what_was_counted():
    before = work.counted_before()
    assert {key: work._count(config) for key, config in work.declared_models().items()} == before
