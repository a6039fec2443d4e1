"""Downloads from servers that break off, know no ranges, have another version by now, or serve a wrong file."""

import hashlib
import io

import numpy as np
import pytest

from poseur_lib.errors import UserError
from poseur_lib.fetch.download import ATTEMPTS, RemoteFile, download
from poseur_lib.progress import ProgressLine
from tests.fetch.server import Behaviour, serving

CONTENT = np.random.default_rng(0).bytes(100_000)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


def got(path, behaviour, size=100_000, md5=MD5, name="a.zip"):
    with serving(behaviour) as address:
        download(RemoteFile(f"{address}/{name}", size, md5), path, ProgressLine(io.StringIO()), pause=0)
    return path.read_bytes()


def test_a_file_arrives_and_is_not_asked_for_again(tmp_path):
    behaviour = Behaviour({"a.zip": CONTENT})
    assert got(tmp_path / "a.zip", behaviour) == got(tmp_path / "a.zip", behaviour) == CONTENT
    assert behaviour.asked == [""] and [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_what_breaks_off_goes_on_where_it_was(tmp_path):
    behaviour = Behaviour({"a.zip": CONTENT}, breaks=2)
    assert got(tmp_path / "a.zip", behaviour) == CONTENT
    assert behaviour.asked == ["", "bytes=50000-", "bytes=75000-"]


def test_a_later_start_goes_on_too_and_a_server_that_never_ends_well_is_an_error(tmp_path):
    behaviour = Behaviour({"a.zip": CONTENT}, breaks=10**6)
    behaviour.files["a.zip"] = CONTENT[:16]  # each answer brings half of the rest: 8, 4, 2, 1 bytes, then none
    with pytest.raises(UserError, match=r"15 bytes are in .*goes on from there"):
        got(tmp_path / "a.zip", behaviour, 16, None)
    assert len(behaviour.asked) == 4 + ATTEMPTS and not (tmp_path / "a.zip").exists()
    behaviour.breaks = 0
    assert got(tmp_path / "a.zip", behaviour, 16, None) == CONTENT[:16]
    assert behaviour.asked[-1] == "bytes=15-"


def test_without_ranges_it_starts_over(tmp_path):
    behaviour = Behaviour({"a.zip": CONTENT}, breaks=1, ranges=False)
    assert got(tmp_path / "a.zip", behaviour) == CONTENT
    assert behaviour.asked == ["", "bytes=50000-"]


@pytest.mark.parametrize("md5", [None, MD5])
def test_two_versions_are_never_joined(tmp_path, md5):
    """The beginning of a file that the server has replaced since is thrown away."""
    (tmp_path / "a.zip.part").write_bytes(b"x" * 1000)
    (tmp_path / "a.zip.part.version").write_text('"older"')
    assert got(tmp_path / "a.zip", Behaviour({"a.zip": CONTENT}), md5=md5) == CONTENT


def test_a_beginning_of_no_known_version_counts_for_nothing_without_a_checksum(tmp_path):
    (tmp_path / "a.zip.part").write_bytes(b"x" * 1000)
    behaviour = Behaviour({"a.zip": CONTENT}, version="")
    assert got(tmp_path / "a.zip", behaviour, None, None) == CONTENT
    assert behaviour.asked == [""]


def test_a_wrong_file_is_thrown_away_and_named(tmp_path):
    wrong = CONTENT[:-1] + b"?"
    found = hashlib.md5(wrong, usedforsecurity=False).hexdigest()
    with pytest.raises(UserError, match=rf"a.zip has the MD5 {found}, published is {MD5}"):
        got(tmp_path / "a.zip", Behaviour({"a.zip": wrong}))
    assert list(tmp_path.iterdir()) == []


def test_another_size_is_said_before_a_byte_is_taken(tmp_path):
    with pytest.raises(UserError, match=r"the server has 99,999 bytes, published are 100,000"):
        got(tmp_path / "a.zip", Behaviour({"a.zip": CONTENT[:-1]}))
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_that_name_that_is_another_one_is_not_believed(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"y" * len(CONTENT))
    with pytest.raises(UserError, match="has the MD5"):
        got(tmp_path / "a.zip", Behaviour({"a.zip": CONTENT}))


def test_no_such_file_is_said_at_once(tmp_path):
    behaviour = Behaviour({})
    with pytest.raises(UserError, match=r"b.zip: the server answers 404"):
        got(tmp_path / "b.zip", behaviour, name="b.zip")
    assert behaviour.asked == [""]


def test_why_it_waits_is_said(tmp_path):
    """Nobody listens at port 9 of this machine."""
    said = io.StringIO()
    with pytest.raises(UserError, match="Connection refused"):
        download(RemoteFile("http://127.0.0.1:9/a.zip"), tmp_path / "a.zip", ProgressLine(said), pause=0)
    lines = [line for line in said.getvalue().splitlines() if "Connection refused; trying again in" in line]
    assert len(lines) == ATTEMPTS - 1 and "(1 of 5 attempts brought nothing)" in lines[0]


@pytest.mark.parametrize("there", [CONTENT, CONTENT + b"more"])
def test_what_was_whole_when_the_process_was_killed_is_taken_and_what_is_longer_is_not(tmp_path, there):
    """The server answers 416: from there on it has nothing. The file's size is published nowhere."""
    (tmp_path / "a.zip.part").write_bytes(there)
    (tmp_path / "a.zip.part.version").write_text('"one"')
    behaviour = Behaviour({"a.zip": CONTENT})
    assert got(tmp_path / "a.zip", behaviour, None, None) == CONTENT
    assert behaviour.asked == [f"bytes={len(there)}-", ""][: 1 + (there != CONTENT)]
