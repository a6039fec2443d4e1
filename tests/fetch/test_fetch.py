"""A whole data set from a server on this machine, and archives that must not be unpacked."""

import io
import json
import os
import random
import tarfile
import zipfile
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from poseur_lib.errors import UserError
from poseur_lib.fetch import datasets
from poseur_lib.fetch.datasets import MISSING_FILE, SETS, Archive, FetchedSet, fetch, only_fetcher
from poseur_lib.fetch.download import RemoteFile
from poseur_lib.fetch.unpack import unpack
from poseur_lib.progress import ProgressLine
from poseur_study.cli.main import app
from tests.fetch.server import Behaviour, serving

LISTED = ["1.jpg", "2.jpg", "3.jpg"]


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def tarred(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def small_set(address, labels, images):
    remote = [RemoteFile(f"{address}/{name}", len(content)) for name, content in (("l.zip", labels), ("v.zip", images))]
    parts = {"annotations": (Archive(remote[0], ("annotations",), 50.0),), "val": (Archive(remote[1], ("val2017",)),)}
    return FetchedSet(parts, ("annotations", "val"), {"val2017": 3}, {"val2017": "annotations/val.json"}, "look at DIR")


@pytest.fixture
def labels():
    return zipped(
        annotations__val=b"", **{"annotations__val.json": json.dumps({"images": [{"file_name": n} for n in LISTED]})}
    )


def images(names):
    return zipped(**{f"val2017__{name}": name.encode() * 100 for name in names})


def test_a_set_is_there_and_complete_in_one_command(tmp_path, labels, monkeypatch):
    behaviour = Behaviour({"l.zip": labels, "v.zip": images(LISTED)}, breaks=1)
    with serving(behaviour) as address:
        monkeypatch.setattr(datasets, "SETS", {"coco": small_set(address, labels, images(LISTED))})
        monkeypatch.setattr("poseur_lib.fetch.download.PAUSE_SECONDS", 0)
        for requests in (3, 3):  # the second time nothing is asked for
            result = CliRunner().invoke(app, ["data", "fetch", "coco", str(tmp_path / "c")])
            assert result.exit_code == 0, result.output
            assert (
                "val2017: 3 images, 3 expected" in result.output and f"next: look at {tmp_path / 'c'}" in result.output
            )
            assert len(behaviour.asked) == requests
    assert (tmp_path / "c" / "val2017" / "2.jpg").read_bytes() == b"2.jpg" * 100
    assert not list((tmp_path / "c" / "archives").iterdir())


def test_what_was_removed_is_fetched_again_and_nothing_else(tmp_path, labels):
    content = images(LISTED)
    behaviour = Behaviour({"l.zip": labels, "v.zip": content})
    with serving(behaviour) as address:
        of = small_set(address, labels, content)
        fetch(of, tmp_path)
        (tmp_path / "val2017" / "2.jpg").unlink()
        before = len(behaviour.asked)
        assert [state.complete for state in fetch(of, tmp_path)] == [True]
        assert len(behaviour.asked) == before + 1 and (tmp_path / "val2017" / "2.jpg").exists()
        (tmp_path / "fetched.json").write_text('["a list, as earlier versions wrote"')
        fetch(of, tmp_path)
        fetch(of, tmp_path)
        assert len(behaviour.asked) == before + 3


def test_two_archives_in_one_folder_do_not_stand_in_for_each_other(tmp_path, labels):
    """COCO's labels and the list of its test images lie side by side."""
    others = zipped(**{"annotations__test.json": b"{}", "annotations__test-dev.json": b"{}"})
    behaviour = Behaviour({"l.zip": labels, "t.zip": others})
    with serving(behaviour) as address:
        parts = {name: (Archive(RemoteFile(f"{address}/{name}.zip"), ("annotations",), 50.0),) for name in ("l", "t")}
        of = FetchedSet(parts, ("l", "t"), {})
        fetch(of, tmp_path)
        (tmp_path / "annotations" / "val.json").unlink()
        fetch(of, tmp_path)
    assert (tmp_path / "annotations" / "val.json").exists() and len(behaviour.asked) == 3


def test_a_record_that_counts_files_is_read(tmp_path, labels):
    """As earlier versions wrote it."""
    behaviour = Behaviour({"l.zip": labels})
    with serving(behaviour) as address:
        of = small_set(address, labels, b"")
        fetch(of, tmp_path, ["annotations"])
        (tmp_path / "fetched.json").write_text(json.dumps({f"{address}/l.zip": {"annotations": 2}}))
        fetch(of, tmp_path, ["annotations"])
        assert len(behaviour.asked) == 1
        (tmp_path / "annotations" / "val.json").unlink()
        fetch(of, tmp_path, ["annotations"])
    assert len(behaviour.asked) == 2


@pytest.mark.parametrize("content", ["{}", "[]", '{"images": [1]}'])
def test_a_list_of_images_that_is_none_is_named(tmp_path, labels, content):
    images_only = images(LISTED)
    with serving(Behaviour({"l.zip": labels, "v.zip": images_only})) as address:
        of = small_set(address, labels, images_only)
        fetch(of, tmp_path)
        (tmp_path / "annotations" / "val.json").write_text(content)
        with pytest.raises(UserError, match=r"val.json: 'images' must be a list of objects"):
            fetch(of, tmp_path)


def test_a_second_fetch_into_a_folder_ends_and_names_the_first(tmp_path):
    of = FetchedSet({}, (), {})
    with only_fetcher(tmp_path), pytest.raises(UserError, match=rf"process {os.getpid()} on .* is fetching into it"):
        fetch(of, tmp_path)
    assert fetch(of, tmp_path) == []


PAGE = b"<!DOCTYPE html>\n<title>Not here</title>" + b" " * 500


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", "application/zip", "v.zip is empty"),
        (PAGE, "text/html; charset=utf-8", r"sent a page \(Content-Type text/html; charset=utf-8\) and no file: '<!D"),
        (PAGE, "application/zip", r"v.zip is a page of 539 bytes and no archive: '<!DOCTYPE html> <title>Not"),
        (images(LISTED)[:200], "application/zip", "v.zip is a zip that is cut off after 200 bytes"),
        (tarred((tarfile.TarInfo("val2017/1.jpg"), b"a" * 9000))[:-40], "application/gzip", "damaged, or no archive"),
        (b"nothing known", "application/zip", r"v.zip is damaged, or no archive \(13 bytes\)"),
    ],
    ids=("empty", "page", "page without its type", "zip cut off", "tar cut off", "something"),
)  # fmt: skip
def test_what_came_instead_is_named_and_asked_for_again(tmp_path, content, kind, message):
    """The size is published nowhere, so that only unpacking tells."""
    whole = images(LISTED)
    behaviour = Behaviour({"v.zip": content}, kind=kind)
    with serving(behaviour) as address:
        of = FetchedSet({"val": (Archive(RemoteFile(f"{address}/v.zip"), ("val2017",)),)}, ("val",), {"val2017": 3})
        with pytest.raises(UserError, match=message) as caught:
            fetch(of, tmp_path)
        assert "\n" not in str(caught.value) and f"{address}/v.zip" in str(caught.value)
        behaviour.files["v.zip"], behaviour.kind = whole, "application/zip"
        assert fetch(of, tmp_path)[0].complete


def test_missing_images_are_listed(tmp_path, labels, monkeypatch):
    content = images(LISTED[:1])
    with serving(Behaviour({"l.zip": labels, "v.zip": content})) as address:
        monkeypatch.setattr(datasets, "SETS", {"coco": small_set(address, labels, content)})
        result = CliRunner().invoke(app, ["data", "fetch", "coco", str(tmp_path)])
    assert result.exit_code == 1
    assert "1 images, 3 expected; 2 that are listed are missing, first 2.jpg, 3.jpg" in result.output
    assert (tmp_path / MISSING_FILE).read_text() == "val2017/2.jpg\nval2017/3.jpg\n"


def test_one_part_alone_and_archives_that_are_kept(tmp_path, labels):
    content = images(LISTED)
    behaviour = Behaviour({"l.zip": labels, "v.zip": content})
    with serving(behaviour) as address:
        some = small_set(address, labels, content)
        assert fetch(some, tmp_path, ["val"], keep=True)[0].complete
        with pytest.raises(UserError, match="part 'trian'"):
            fetch(some, tmp_path, ["trian"])
    assert len(behaviour.asked) == 1 and (tmp_path / "archives" / "v.zip").read_bytes() == content


def test_a_folder_that_was_not_asked_for_may_be_incomplete(tmp_path, labels):
    (tmp_path / "val2017").mkdir()
    with serving(Behaviour({"l.zip": labels})) as address:
        assert fetch(small_set(address, labels, b""), tmp_path, ["annotations"]) == []
    assert not (tmp_path / MISSING_FILE).exists()


def test_coco_s_files_have_their_published_sizes_and_checksums():
    """Sizes and checksums of COCO; none is invented for the others."""
    files = {one.remote.name: one.remote for of in SETS["coco"].parts.values() for one in of}
    assert (files["train2017.zip"].size, files["train2017.zip"].md5) == (
        19336861798,
        "cced6f7f71b7629ddf16f17bbcfab6b2",
    )
    assert (files["val2017.zip"].size, files["val2017.zip"].md5) == (815585330, "442b8da7639aecaf257c1dceb8ba8c80")
    assert files["annotations_trainval2017.zip"].md5 == "f4bbac642086de4f52a3fdda2de5fa2c"
    assert files["test2017.zip"].md5 == "77ad2c53ac5d0aea611d422c0938fb35"
    others = [one.remote for name in ("mpii", "lspet") for of in SETS[name].parts.values() for one in of]
    assert len(others) == 3 and all(one.md5 is None and one.size is None for one in others)


def info(name, kind=tarfile.REGTYPE, target=""):
    one = tarfile.TarInfo(name)
    one.type, one.linkname = kind, target
    return one


def linked():
    """A zip with a symbolic link, as Unix writes it."""
    one = zipfile.ZipInfo("images/link")
    one.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(one, "/etc/passwd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tarred((info("images/a.jpg"), b"a"), (info("/images/b.jpg"), b"b")), r"'/images/b.jpg' would lie outside"),
        (tarred((info("images/../../b.jpg"), b"b")), r"'images/../../b.jpg' would lie outside"),
        (tarred((info("images/b", tarfile.SYMTYPE, "/etc"), b"")), r"'images/b' is a link or device"),
        (tarred((info("images/b", tarfile.LNKTYPE, "images/a"), b"")), r"'images/b' is a link or device"),
        (tarred((info("images/b", tarfile.FIFOTYPE), b"")), r"'images/b' is a link or device"),
        (linked(), r"'images/link' is a link or device"),
        (zipped(**{"..__images__b.jpg": b"b"}), r"would lie outside"),
        (zipped(**{"images__b\\..\\c.jpg": b"b"}), r"would lie outside"),
        (zipped(images__b=b"b" * 5000), r"1 files of 5,000 bytes are more than expected"),
        (b"no archive at all", r"damaged, or no archive"),
        (tarred((info("images/a.jpg"), b"a" * 9000))[:-40], r"damaged, or no archive"),
    ],
    ids=("absolute", "above", "symbolic link", "hard link", "pipe", "zipped link", "zipped above", "backslashes",
         "too large", "no archive", "cut off"),
)  # fmt: skip
def test_what_must_not_be_unpacked_is_not(tmp_path, content, message):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UserError, match=message):
        unpack(tmp_path / "x.zip", tmp_path / "out", ("images",), 4096, ProgressLine(io.StringIO()))
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "x.zip"]


def damaged():
    """A zip whose compressed bytes are overwritten; its list of files is whole."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images/b", random.Random(0).randbytes(500) * 3)
    content = bytearray(buffer.getvalue())
    content[60:90] = b"\xff" * 30
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [(zipped(other__b=b"b"), "holds no images: it is another file"), (damaged(), "damaged, or no archive")],
    ids=("another file", "damaged"),
)
def test_an_archive_of_something_else_and_a_damaged_one_are_named(tmp_path, content, message):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UserError, match=message):
        unpack(tmp_path / "x.zip", tmp_path / "out", ("images",), 2**20, ProgressLine(io.StringIO()))


def test_what_lies_above_and_beside_is_left_away(tmp_path):
    content = zipped(top__images__a=b"a", top__README=b"r", top__joints=b"j")
    (tmp_path / "x.zip").write_bytes(content)
    there = ProgressLine(io.StringIO())
    for written in (2, 0):
        done = unpack(tmp_path / "x.zip", tmp_path / "out", ("images", "joints"), 4096, there)
        assert done == (["images/a", "joints"], written)
    files = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert files == ["images/a", "joints"]


def test_a_folder_is_complete_by_its_number_where_nothing_lists_its_images(tmp_path):
    content = zipped(images__a=b"a", images__b=b"b")
    with serving(Behaviour({"i.zip": content})) as address:
        some = FetchedSet({"all": (Archive(RemoteFile(f"{address}/i.zip"), ("images",)),)}, ("all",), {"images": 2})
        assert fetch(some, tmp_path)[0].complete
        (state,) = fetch(replace(some, images={"images": 3}), tmp_path)
    assert not state.complete and state.text == "images: 2 images, 3 expected"
