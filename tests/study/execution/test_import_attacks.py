"""Records that were made up or altered and digested again: what an import finds, and what it says of the rest."""

import json
import lzma
import shutil
import tarfile

import numpy as np
import pytest

from poseur_lib.data.crop import CropRule, box_to_center_scale
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_study.cli.main import main
from poseur_study.execution import recompute
from poseur_study.execution.archive_file import write_archive
from poseur_study.experiments.profiles import profile
from poseur_study.runs.datasets import open_data
from poseur_study.runs.predictions import as_stored
from poseur_study.runs.provenance import git_state
from poseur_study.runs.record import body_digest, read_evaluation, read_record, write_evaluation, write_record
from poseur_study.runs.run_steps import measure
from poseur_study.runs.store import RunState, RunStore
from tests.study.fakes import make_record
from tests.training.tiny import write_people

SIZE = (64, 48)
EPOCHS = profile("smoke").experiment(0).train.epochs


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("data") / "people", train=2, val=5)


def predicted(people, noise: float, seed: int) -> PredictedPeople:
    rng = np.random.default_rng(seed)
    found = [box_to_center_scale(one.box, SIZE, CropRule()) for one in people]
    center, scale = (np.stack(values).astype(np.float32) for values in zip(*found, strict=True))
    points = np.stack([one.keypoints_image for one in people]) + rng.normal(0, noise, (len(people), 17, 2))
    sigma = rng.uniform(0.02, 0.6, points.shape).astype(np.float32)
    return PredictedPeople(
        image_id=np.array([one.image_id for one in people]), bbox_scores=np.ones(len(people), np.float32),
        center=center, box_scale=scale, sigma=sigma, keypoint_scores=(1 - sigma).mean(-1), input_size=SIZE,
        keypoints=((points - center[:, None]) / (200 * scale[:, None]) + 0.5).astype(np.float32),
    )  # fmt: skip


def make(data, runs, seed=0, epochs=EPOCHS, weights=b"", noise=4.0):
    """A run with predictions, and metrics that follow from them."""
    opened, config = open_data(profile("smoke"), str(data)), profile("smoke").experiment(seed)
    predictions = {BoxSource.GROUND_TRUTH: as_stored(predicted(opened.val.people(), noise, seed))}
    measured = measure(opened.val, predictions, config)
    record = make_record(config, epochs, opened.fingerprint)
    folder = runs / "smoke" / record.run_id
    folder.mkdir(parents=True)
    if weights:
        (folder / "model.pt").write_bytes(weights)
    record = record.model_copy(update={"metrics": measured.metrics, "strata": measured.strata})
    write_record(folder, record, predictions, measured.evaluation)
    return folder


def alter(folder, change) -> None:
    """Change a record as its owner could, digest and all."""
    body = json.loads((folder / "record.json").read_text())["record"]
    change(body)
    (folder / "record.json").write_text(json.dumps({"sha256": body_digest(body), "record": body}))
    read_record(folder)


def carried(data, folders, target, capsys, *options) -> tuple[int, str]:
    """The exit code of an import, and all that it has printed."""
    archive = target.with_name(f"{target.name}.tar.gz")
    archive.unlink(missing_ok=True)
    files = [file for folder in folders for file in sorted(folder.iterdir())]
    write_archive(archive, {f"smoke/{file.parent.name}/{file.name}": file for file in files})
    code = main(["runs", "import", str(archive), "--runs", str(target), "--data", str(data), *options])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_what_is_true_arrives_and_is_computed_once(data, tmp_path, capsys, monkeypatch):
    folders = [make(data, tmp_path / "there", seed) for seed in range(2)]
    computed = []

    def stopped(folder, record, *more):
        if computed:
            raise KeyboardInterrupt
        computed.append(folder.name)
        return whole(folder, record, *more)

    whole = recompute.measured_again
    monkeypatch.setattr(recompute, "measured_again", stopped)
    assert carried(data, folders, tmp_path / "here", capsys)[0] != 0
    assert [path.parent.name for path in (tmp_path / "here" / "smoke").glob("*/record.json")] == computed
    monkeypatch.setattr(recompute, "measured_again", lambda *given: computed.append(given[0].name) or whole(*given))
    code, text = carried(data, folders, tmp_path / "here", capsys)
    assert code == 0 and "recomputing the numbers of 2 runs, about" in text and "--no-recompute" in text
    assert sorted(computed) == sorted(folder.name for folder in folders)
    assert carried(data, folders, tmp_path / "here", capsys)[0] == 0 and len(computed) == 2


def ap_99(body) -> None:
    body["metrics"][0]["AP"] = 99.0


@pytest.mark.parametrize("left_out", ["", "predictions.npz"])
def test_a_record_with_another_ap_is_refused(data, tmp_path, capsys, left_out):
    folder = make(data, tmp_path / "there")
    true = read_record(folder).metrics[0].AP
    alter(folder, ap_99)
    if left_out:
        (folder / left_out).unlink()
    code, text = carried(data, [folder], tmp_path / "here", capsys)
    source = "its evaluation.xz gives" if left_out else "its predictions give"
    assert code == 1 and f"refused: {source} AP {true:.4f} (ground_truth), its record says 99.0000" in text
    assert RunStore(tmp_path / "here" / "smoke").state(folder.name) == RunState.ABSENT
    assert carried(data, [folder], tmp_path / "trusting", capsys, "--no-recompute")[0] == 0


def test_an_evaluation_of_better_predictions_is_written_anew(data, tmp_path, capsys):
    folder, better = make(data, tmp_path / "there"), make(data, tmp_path / "better", noise=0.1)
    lines = read_record(folder), read_record(better)
    honest = (folder / "evaluation.xz").read_bytes()
    write_evaluation(folder, lines[0], read_evaluation(better, lines[1]))
    assert (folder / "evaluation.xz").read_bytes() != honest
    code, text = carried(data, [folder], tmp_path / "here", capsys)
    assert code == 0 and "evaluation.xz is written anew, from the predictions" in text
    assert (tmp_path / "here" / "smoke" / folder.name / "evaluation.xz").read_bytes() == honest


def test_another_data_set_is_said(data, tmp_path, capsys):
    folder = make(data, tmp_path / "there")
    other = write_people(tmp_path / "other", train=2, val=3)
    code, text = carried(other, [folder], tmp_path / "here", capsys)
    assert code == 0 and "not recomputed from predictions (made on data set" in text


@pytest.mark.skipif(not git_state()[0], reason="no git checkout to ask for commits")
@pytest.mark.parametrize("place", ["commit", "earlier_commits"])
@pytest.mark.parametrize("commit", ["f" * 40, "--version", ""])
def test_a_commit_that_is_not_here_is_said(data, tmp_path, capsys, commit, place):
    folder = make(data, tmp_path / "there")
    alter(folder, lambda body: body["provenance"].update({place: commit if place == "commit" else [commit]}))
    code, text = carried(data, [folder], tmp_path / "here", capsys, "--no-recompute")
    assert code == 0
    assert (f"its commit {commit[:10]!r} is not in this checkout" in text) == bool(commit)


def test_a_commit_that_is_here_is_not_mentioned(data, tmp_path, capsys):
    folder = make(data, tmp_path / "there")
    alter(folder, lambda body: body["provenance"].update(commit=git_state()[0]))
    assert "commit" not in carried(data, [folder], tmp_path / "here", capsys, "--no-recompute")[1]


def test_what_is_partial_stays_partial(data, tmp_path, capsys):
    folder = make(data, tmp_path / "there", epochs=1)
    code, text = carried(data, [folder], tmp_path / "here", capsys)
    assert code == 0 and "imported as partial, it has 1 epochs only" in text
    store = RunStore(tmp_path / "here" / "smoke")
    assert store.state(folder.name) == RunState.PARTIAL and store.partial(folder.name).epochs == 1
    assert RunStore(folder.parent).state(folder.name) == RunState.CORRUPT  # in the place of a finished one
    assert "of fewer epochs" in RunStore(folder.parent).error(folder.name)
    alter(folder, lambda body: body.update(epochs=EPOCHS))
    code, text = carried(data, [folder], tmp_path / "claimed", capsys)
    assert code == 1 and f"refused: its record says {EPOCHS} epochs, and its curve has 1" in text
    assert not list((tmp_path / "claimed").rglob("record.json"))


def test_foreign_weights_are_left_behind(data, tmp_path, capsys):
    folder = make(data, tmp_path / "there", weights=b"own" * 999)
    (folder / "model.pt").write_bytes(b"other" * 999)
    code, text = carried(data, [folder], tmp_path / "here", capsys, "--no-recompute")
    assert code == 1 and "WITHOUT model.pt, which has SHA-256" in text
    store = RunStore(tmp_path / "here" / "smoke")
    assert store.state(folder.name) == RunState.RECORD_ONLY
    assert not (store.path(folder.name) / "model.pt").exists()
    alter(folder, lambda body: body.pop("weights_sha256"))
    code, text = carried(data, [folder], tmp_path / "older", capsys, "--no-recompute")
    assert code == 0 and "the record has no digest of model.pt, which is taken as it comes" in text


def test_another_profile_is_refused(data, tmp_path, capsys):
    folder = make(data, tmp_path / "there")
    code, text = carried(data, [folder], tmp_path / "here", capsys, "--profile", "mini")
    assert code == 1 and "refused: profile mini was asked for" in text
    alter(folder, lambda body: body["provenance"].update(profile="mini"))
    code, text = carried(data, [folder], tmp_path / "here", capsys)
    assert code == 1 and "refused: its record is of profile 'mini'" in text
    assert not list((tmp_path / "here").rglob("record.json"))


def test_a_record_of_no_predictions_is_refused(data, tmp_path, capsys):
    folder = make(data, tmp_path / "there")
    alter(folder, lambda body: body.update(predictions_sha256=None))
    code, text = carried(data, [folder], tmp_path / "here", capsys)
    assert code == 1 and "refused: its record is of no predictions" in text


def test_what_is_made_here_loses_the_mark(data, tmp_path, capsys):
    folder = make(data, tmp_path / "there")
    assert carried(data, [folder], tmp_path / "here", capsys, "--no-recompute")[0] == 0
    arrived = tmp_path / "here" / "smoke" / folder.name
    assert set(json.loads((arrived / "imported.json").read_text())) == {"source", "sha256", "date"}
    write_record(arrived, read_record(arrived), {})
    assert not (arrived / "imported.json").exists()


def test_weights_that_nobody_vouches_for_mark_the_run_that_gets_them(data, tmp_path, capsys):
    """A record that was there, from before weights had digests; the archive's owner added weights and a notebook."""
    folder = make(data, tmp_path / "there")
    (tmp_path / "here" / "smoke").mkdir(parents=True)
    shutil.copytree(folder, tmp_path / "here" / "smoke" / folder.name)
    (folder / "model.pt").write_bytes(b"foreign")
    (folder / "notebook.ipynb").write_text("{}")
    code, printed = carried(data, [folder], tmp_path / "here", capsys)
    store = RunStore(tmp_path / "here" / "smoke")
    assert code == 0 and "model.pt added" in printed and "marked as imported" in printed
    assert store.imported(folder.name)["source"] == "here.tar.gz"


@pytest.mark.parametrize("options", [(), ("--no-recompute",)])
def test_a_run_that_cannot_be_read_does_not_keep_the_others_away(data, tmp_path, capsys, options):
    bad, good = (make(data, tmp_path / "there", seed) for seed in (0, 1))
    unpacked = lzma.decompress((bad / "evaluation.xz").read_bytes())
    head = json.loads(unpacked[: unpacked.index(b"\n")]) | {"arrays": []}
    (bad / "evaluation.xz").write_bytes(lzma.compress(json.dumps(head).encode() + b"\n"))
    code, printed = carried(data, [bad, good], tmp_path / "here", capsys, *options)
    store = RunStore(tmp_path / "here" / "smoke")
    assert code == 1 and f"{bad.name}" in printed
    assert [store.recorded_state(one.name).done for one in (bad, good)] == [False, True]


@pytest.mark.parametrize("name", ["evaluation.xz", "predictions.npz", "record.json", "model.pt"])
def test_what_is_damaged_here_is_replaced_from_the_archive_and_nothing_else(data, tmp_path, capsys, name):
    folder = make(data, tmp_path / "there", weights=b"own" * 999)
    here = tmp_path / "here" / "smoke" / folder.name
    shutil.copytree(folder, here)
    half = (here / name).read_bytes()[: (here / name).stat().st_size // 2]
    (here / name).write_bytes(half)
    before = {path.name: path.stat().st_mtime_ns for path in here.iterdir() if path.name != name}
    code, text = carried(data, [folder], tmp_path / "here", capsys, "--no-recompute")
    aside = name.replace(".", ".damaged.")
    assert code == 0 and f"{folder.name}: repaired: {name} that was damaged is now {aside}" in text
    assert "1 repaired" in text and (here / aside).read_bytes() == half
    assert {path: (here / path).stat().st_mtime_ns for path in before} == before
    store = RunStore(here.parent)
    assert (here / name).read_bytes() == (folder / name).read_bytes()
    assert store.state(folder.name) == RunState.FINISHED and not store.damaged_results(folder.name)
    assert "there already" in carried(data, [folder], tmp_path / "here", capsys, "--no-recompute")[1]


def test_of_a_damaged_record_what_belonged_to_another_execution_goes_with_it(data, tmp_path, capsys):
    theirs, ours = make(data, tmp_path / "there"), make(data, tmp_path / "here", weights=b"own", noise=8.0)
    kept = (ours / "predictions.npz").read_bytes()
    assert carried(data, [theirs], tmp_path / "here", capsys, "--no-recompute")[0] == 1  # a conflict
    (ours / "record.json").write_text("{")
    for text in ("mine", "theirs"):
        ((ours if text == "mine" else theirs) / "notebook.ipynb").write_text(text)
    code, text = carried(data, [theirs], tmp_path / "here", capsys, "--no-recompute")
    assert code == 0 and "repaired" in text and RunStore(ours.parent).state(ours.name) == RunState.RECORD_ONLY
    assert (ours / "predictions.damaged.npz").read_bytes() == kept and (ours / "model.damaged.pt").exists()
    assert (ours / "notebook.ipynb").read_text() == "theirs" and not (ours / "model.pt").exists()
    assert read_record(ours) == read_record(theirs)


@pytest.mark.parametrize(
    ("damaged", "other"), [("evaluation.xz", "predictions.npz"), ("predictions.npz", "evaluation.xz")]
)
def test_a_run_whose_results_are_whole_in_one_file_is_done_and_says_which_is_damaged(data, tmp_path, damaged, other):
    """A file that follows from the other one, or that results do without, is no reason to train again."""
    folder = make(data, tmp_path)
    store, run_id, record = RunStore(folder.parent), folder.name, read_record(folder)
    (folder / damaged).write_bytes((folder / damaged).read_bytes()[:-9])
    for _ in range(2):  # it is not remembered as verified
        assert store.state(run_id) == RunState.RECORD_ONLY and store.record(run_id) == record
        (problem,) = store.damaged_results(run_id).values()
        assert str(folder / damaged) in problem
        store.verified.read.clear()
    assert store.has_predictions(run_id) == (damaged == "evaluation.xz") == (store.evaluation(run_id) is None)
    if damaged == "evaluation.xz":
        assert store.load(run_id).record == record
    else:
        with pytest.raises(UserError, match="were altered or cut off"):
            store.load(run_id)
    archive = tmp_path / "a.tar"
    assert main(["runs", "export", str(archive), "--runs", str(tmp_path)]) == 1
    with tarfile.open(archive) as tar:
        assert {name.rpartition("/")[2] for name in tar.getnames()} == {"manifest.json", "record.json", other}
    (folder / other).unlink()
    assert store.state(run_id) == RunState.CORRUPT
