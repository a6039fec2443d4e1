"""Archives made to do harm: small ones that unpack to much, and members that are no file of a run's record."""

import gzip
import io
import json
import lzma
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from poseur_lib.errors import UserError
from poseur_lib.files import sha256_hex
from poseur_study.cli.main import main
from poseur_study.execution.archive_file import MOST_FILES, Archive
from poseur_study.runs import predictions
from poseur_study.runs.evaluation_file import MAX_BYTES, from_bytes

RUN = "smoke/poseur_narrow24_64x48_seed0_1061b7a45e"
MIB = 2**20


def member(name: str, content: bytes = b"", **fields) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def forge(path, *members, digests=None, manifest=None):
    """An archive of those members, as the manifest has them unless another is given."""
    digests = digests or {info.name: sha256_hex(content) for info, content in members}
    manifest = manifest or json.dumps({"format": 1, "sha256": digests}).encode()
    with gzip.open(path, "wb", compresslevel=1) as file:
        for info, content in (member("manifest.json", manifest), *members):
            file.write(info.tobuf(tarfile.USTAR_FORMAT if info.size < 2**33 else tarfile.GNU_FORMAT))
            file.write(content + b"\0" * (-len(content) % 512))
        file.write(b"\0" * 1024)
    return path


def refusal(archive, target, capsys) -> str:
    """The one line that an import ends with; nothing of the archive is left."""
    assert main(["runs", "import", str(archive), "--runs", str(target)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert not [path for path in target.rglob("*") if path.is_file()]
    return line


NOTEBOOK = f"{RUN}/notebook.ipynb"
STRANGE = {
    "a symbolic link": member(NOTEBOOK, type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": member(NOTEBOOK, type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "a device": member(NOTEBOOK, type=tarfile.CHRTYPE, devmajor=1, devminor=5),
    "a pipe": member(NOTEBOOK, type=tarfile.FIFOTYPE),
    "a folder": member(NOTEBOOK, type=tarfile.DIRTYPE),
    "a sparse file": member(NOTEBOOK, type=tarfile.GNUTYPE_SPARSE),
    "a long name": member(NOTEBOOK, type=tarfile.GNUTYPE_LONGNAME, size=2**32),
    "an extended header": member(NOTEBOOK, type=tarfile.XHDTYPE, size=2**32),
}


@pytest.mark.parametrize("what", STRANGE)
def test_only_plain_files_are_read(tmp_path, capsys, what):
    line = refusal(forge(tmp_path / "a.tar.gz", STRANGE[what], digests={NOTEBOOK: "0" * 64}), tmp_path / "here", capsys)
    assert NOTEBOOK in line and "is no plain file" in line


@pytest.mark.parametrize(
    "name", [f"/{NOTEBOOK}", "smoke/../record.json", "../../record.json", "smoke/a\\b/record.json"]
)
@pytest.mark.parametrize("said", [True, False])
def test_no_member_s_name_leads_out(tmp_path, capsys, name, said):
    digests = {name if said else NOTEBOOK: "0" * 64}
    line = refusal(forge(tmp_path / "a.tar.gz", member(name), digests=digests), tmp_path / "here", capsys)
    assert repr(name) in line


def test_each_file_comes_once_and_as_the_manifest_has_it(tmp_path, capsys):
    twice = [member(NOTEBOOK, b"{}"), member(NOTEBOOK, b"{}")]
    assert f"{NOTEBOOK!r} is there twice" in refusal(forge(tmp_path / "a.tar.gz", *twice), tmp_path / "here", capsys)
    more = forge(tmp_path / "b.tar.gz", member(NOTEBOOK), digests={f"{RUN}/record.json": "0" * 64})
    assert f"{NOTEBOOK!r} is not in manifest.json" in refusal(more, tmp_path / "here", capsys)
    less = forge(tmp_path / "c.tar.gz", digests={NOTEBOOK: "0" * 64})
    assert f"{NOTEBOOK} is missing" in refusal(less, tmp_path / "here", capsys)
    other = forge(tmp_path / "d.tar.gz", member(NOTEBOOK, b"{}"), digests={NOTEBOOK: sha256_hex(b"[]")})
    assert f"{NOTEBOOK} was altered or cut off" in refusal(other, tmp_path / "here", capsys)


def test_a_small_archive_that_unpacks_to_much_is_refused_before_it_has(tmp_path, capsys, monkeypatch):
    bomb = forge(tmp_path / "a.tar.gz", *(member(f"{RUN}{i}/notebook.ipynb", bytes(64 * MIB)) for i in range(4)))
    largest, remove = [], shutil.rmtree

    def counted(path, **how):
        largest.append(sum(file.stat().st_size for file in (tmp_path / "here").rglob("*") if file.is_file()))
        remove(path, **how)

    monkeypatch.setattr("tempfile._shutil.rmtree", counted)
    size = bomb.stat().st_size
    line = refusal(bomb, tmp_path / "here", capsys)
    assert size < 2 * MIB and f"unpacks to more than 50 times its {size} bytes" in line and "notebook.ipynb" in line
    assert largest and 0 < largest[0] <= 50 * size


@pytest.mark.parametrize(
    ("name", "size", "most"),
    [("manifest.json", 9 * MIB, 2**23), (f"{RUN}/record.json", 2**40, 2**24), (NOTEBOOK, 65 * MIB, 2**26),
     (f"{RUN}/evaluation.xz", 2**30, 2**26), (f"{RUN}/predictions.npz", 2**29, 2**28),
     (f"{RUN}/model.pt", 2**34, 2**33 - 1), ("released/input_sizes.json", 2**21, 2**20)],
)  # fmt: skip
def test_a_member_that_is_too_large_is_named_with_the_limit(tmp_path, capsys, name, size, most):
    archive = tmp_path / "a.tar.gz"
    if name == "manifest.json":
        forge(archive, manifest=b" " * size)
    else:
        forge(archive, member(name, size=size), digests={name: "0" * 64})
    line = refusal(archive, tmp_path / "here", capsys)
    assert f"{name} has {size} bytes, more than the {most} that it may have" in line


def test_a_manifest_names_only_so_many_files(tmp_path, capsys):
    digests = {f"smoke/x{i}/record.json": "0" * 64 for i in range(MOST_FILES + 1)}
    line = refusal(forge(tmp_path / "a.tar.gz", digests=digests), tmp_path / "here", capsys)
    assert f"manifest.json names {MOST_FILES + 1} files, more than {MOST_FILES}" in line
    nested = forge(tmp_path / "b.tar.gz", manifest=b"[" * 10**6)
    assert "no readable manifest.json" in refusal(nested, tmp_path / "here", capsys)


def test_a_member_that_does_not_fit_on_the_disk_is_told_before_it_is_written(tmp_path, capsys, monkeypatch):
    archive = forge(tmp_path / "a.tar.gz", member(NOTEBOOK, b"{}" * 600))
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6 - 1000, 1000))
    assert f"{NOTEBOOK} has 1200 bytes, and 1000 are free" in refusal(archive, tmp_path / "here", capsys)


def test_what_a_record_keeps_unpacks_to_so_much_only(monkeypatch):
    with pytest.raises(ValueError, match=f"more than {MAX_BYTES} bytes"):
        from_bytes(lzma.compress(bytes(MAX_BYTES + 1), preset=0), "")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("detector/keypoints.npy", bytes(2 * MIB))
    monkeypatch.setattr(predictions, "MAX_BYTES", MIB)
    with pytest.raises(ValueError, match=f"unpacks to {2 * MIB} bytes"):
        predictions.from_bytes(packed.getvalue())


def test_an_unreadable_archive_is_one_line(tmp_path, capsys):
    (tmp_path / "a.tar.gz").write_bytes(b"\x1f\x8b" + bytes(range(256)) * 9)
    assert "cut off or no archive of runs" in refusal(tmp_path / "a.tar.gz", tmp_path / "here", capsys)
    with pytest.raises(UserError, match="No such file"):
        Archive(tmp_path / "none.tar")


def test_carrying_records_needs_no_torch():
    code = "import sys, poseur_study.execution.archive; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
