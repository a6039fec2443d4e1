"""Evaluated checkpoints on their way between machines: records, and what was said of their files' input sizes."""

import json
import shutil

import pytest

from poseur_study.cli.main import main
from poseur_study.released_checkpoints.sizes import SIZES_FILE
from poseur_study.released_checkpoints.store import ReleasedStore
from tests.study.released_checkpoints.checkpoints import SIZE


def carry(done, target, archive, *options) -> int:
    assert main(["runs", "export", str(archive), "--runs", str(done.runs), *options]) == 0
    return main(["runs", "import", str(archive), "--runs", str(target)])


@pytest.mark.parametrize("options", [(), ("--profile", "released")])
def test_they_arrive_and_count_there(done, tmp_path, options):
    assert carry(done, tmp_path / "here", tmp_path / "runs.tar.gz", *options) == 0
    fingerprint = done.source.data.fingerprint
    there, here = (ReleasedStore(runs).evaluated(fingerprint) for runs in (done.runs, tmp_path / "here"))
    assert len(here) == 2 and here == there
    assert carry(done, tmp_path / "here", tmp_path / "again.tar.gz", *options) == 0


def test_another_input_size_of_the_same_file_is_a_conflict(done, tmp_path, capsys):
    sizes = tmp_path / "here" / "released" / SIZES_FILE
    sizes.parent.mkdir(parents=True)
    shutil.copy(done.runs / "released" / SIZES_FILE, sizes)
    known = json.loads(sizes.read_text())
    digest = next(iter(known))
    sizes.write_text(json.dumps({digest: [32, 32]}))
    assert carry(done, tmp_path / "here", tmp_path / "runs.tar") == 1
    assert f"conflict: the file {digest[:10]}" in capsys.readouterr().err
    merged = ReleasedStore(tmp_path / "here").sizes
    assert merged.pop(digest) == (32, 32) and set(merged.values()) == {SIZE}


def test_there_is_no_such_profile(done, tmp_path, capsys):
    assert main(["runs", "export", str(tmp_path / "a.tar"), "--runs", str(done.runs), "--profile", "relased"]) == 1
    assert "did you mean 'released'" in capsys.readouterr().err
