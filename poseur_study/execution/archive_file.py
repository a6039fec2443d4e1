"""The file of an archive: a tar, plain or by gzip, of `<profile>/<run id>/<file>` after a manifest of SHA-256 digests.

It is written and read front to back, once, and no file is ever whole in memory. What is read is another's word: only
plain files of a run's record are taken, each once, as the manifest has it, and nothing is larger than it may be.
"""

import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from poseur_lib.checkpoints.recorded import MAX_RECORD
from poseur_lib.errors import UserError
from poseur_lib.files import BACKBONE_FILE, MODEL_FILE, atomic_file, file_sha256, open_regular, sync
from poseur_study.experiments.profiles import PROFILES
from poseur_study.released_checkpoints.sizes import FOLDER, SIZES_FILE
from poseur_study.runs import evaluation_file, record
from poseur_study.runs.origin import NOTEBOOK_DIGEST_FILE
from poseur_study.runs.store import NOTEBOOK_FILE

MANIFEST_FILE = "manifest.json"
SIZES_NAME = f"{FOLDER}/{SIZES_FILE}"
CARRIED = (*(profile.name for profile in PROFILES), FOLDER)
"""Folders below that of all runs whose records can travel."""
MOST_BYTES = {
    record.RECORD_FILE: MAX_RECORD,
    NOTEBOOK_FILE: 2**26,
    NOTEBOOK_DIGEST_FILE: 2**16,
    evaluation_file.EVALUATION_FILE: 2**26,
    record.PREDICTIONS_FILE: 2**28,
    MODEL_FILE: 2**33 - 1,
    BACKBONE_FILE: 2**33 - 1,
}
"""Of a file of each name of a run's; a tar's plain header has room for 8 GiB."""
OTHERS = {MANIFEST_FILE: 2**23, SIZES_NAME: 2**20}
"""Of what is no run's."""
MOST_FILES = 50_000
MOST_EXPANSION, ALWAYS_ALLOWED = 50, 2**20
"""Bytes unpacked for one of the archive, where they are more than the second; our own archives have less than 10."""
FORMAT = 1
CHUNK, BLOCK = 2**20, 512
WRITERS = 16
"""Threads that wait for the disk: waiting one after the other for 4,000 small files takes longer than all the rest."""


def write_archive(archive: Path, files: dict[str, Path]) -> None:
    """Write files under their names in the archive, after the manifest.

    Raises:
        OSError: the archive cannot be written; none is left then.
    """
    digests = {name: file_sha256(path) for name, path in files.items()}
    manifest = json.dumps({"format": FORMAT, "sha256": digests}, indent=1).encode()
    mode = "w:gz" if archive.suffix in (".gz", ".tgz") else "w"
    faster = {"compresslevel": 1} if mode == "w:gz" else {}
    with (
        atomic_file(archive) as partial,
        tarfile.open(partial, mode, format=tarfile.USTAR_FORMAT, **faster) as tar,
    ):
        _add(tar, MANIFEST_FILE, len(manifest), io.BytesIO(manifest))
        for name, path in files.items():
            with path.open("rb") as file:
                _add(tar, name, path.stat().st_size, file)


def _add(tar: tarfile.TarFile, name: str, size: int, content: io.BufferedIOBase) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    tar.addfile(member, content)


class Archive:
    """An archive that is being read; `unpack` does once what was checked of its manifest.

    Attributes:
        digests: SHA-256 of each file, by its name in the archive.

    Raises:
        UserError: it is no archive of ours, or not as the limits allow; the member and the limit are named.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._members = self._read()
        try:
            name, size = next(self._members, ("", 0))
            if name != MANIFEST_FILE:
                raise UserError(f"{path} is no archive of runs: its first file is {name!r}, not {MANIFEST_FILE}")
            self.digests = self._manifest(self._stream.read(size))
        except _UNREADABLE as error:
            raise self._unreadable(error) from None

    @property
    def runs(self) -> list[tuple[str, str]]:
        """(profile, run id) in the archive's order."""
        names = [name.split("/") for name in self.digests if name != SIZES_NAME]
        return list(dict.fromkeys((profile, run_id) for profile, run_id, _ in names))

    def unpack(self, folder: Path) -> None:
        """Write all files below a folder, each held against the manifest; `sync_all` is left to do.

        Raises:
            UserError: as of the class, or a file was altered or cut off, or does not fit on the disk.
        """
        left = set(self.digests)
        try:
            for name, size in self._members:
                if name not in left:
                    problem = "is there twice" if name in self.digests else f"is not in {MANIFEST_FILE}"
                    raise UserError(f"{self.path}: {name!r} {problem}")
                left.remove(name)
                free = shutil.disk_usage(folder).free
                if size > free:
                    raise UserError(f"{self.path}: {name} has {size} bytes, and {free} are free in {folder.parent}")
                if self._save(size, folder / name) != self.digests[name]:
                    raise UserError(f"{self.path}: {name} was altered or cut off")
        except _UNREADABLE as error:
            raise self._unreadable(error) from None
        if left:
            raise UserError(f"{self.path} is cut off: {min(left)} is missing, and {len(left) - 1} more files")

    def _read(self) -> Iterator[tuple[str, int]]:
        """Name and size of each member; its content is to be read from the stream before the next one is asked for.

        Not by `tarfile`'s own stream: before it hands out a member it reads long names and extended headers whole,
        whatever their size.
        """
        with open_regular(self.path, 2**63) as file:
            self._stream = _Stream(self.path, file)
            while (head := self._stream.read(BLOCK)).strip(b"\0"):
                member = tarfile.TarInfo.frombuf(head, "utf-8", "strict")
                self._require_allowed(member)
                self._stream.member = member.name
                yield member.name, member.size
                self._stream.read(-member.size % BLOCK)

    def _require_allowed(self, member: tarfile.TarInfo) -> None:
        name = member.name
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise UserError(f"{self.path}: {name!r} is no plain file (type {member.type.decode('latin-1')!r})")
        if name not in OTHERS:
            require_run_s(self.path, name)
        most = OTHERS.get(name) or MOST_BYTES[name.rpartition("/")[2]]
        if not 0 <= member.size <= most:
            raise UserError(f"{self.path}: {name} has {member.size} bytes, more than the {most} that it may have")

    def _manifest(self, content: bytes) -> dict[str, str]:
        try:
            found = json.loads(content)
            digests, version = found["sha256"], found["format"]
            if not all(isinstance(digest, str) for digest in digests.values()):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise UserError(f"{self.path} is no archive of runs: it has no readable {MANIFEST_FILE}") from None
        if version != FORMAT:
            raise UserError(f"{self.path} has format {version}, this version reads {FORMAT}")
        if len(digests) > MOST_FILES:
            raise UserError(f"{self.path}: {MANIFEST_FILE} names {len(digests)} files, more than {MOST_FILES}")
        for name in digests:
            if name != SIZES_NAME:
                require_run_s(self.path, name)
        return digests

    def _save(self, size: int, path: Path) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with path.open("xb") as file:
            for first in range(0, size, CHUNK):
                content = self._stream.read(min(CHUNK, size - first))
                digest.update(content)
                file.write(content)
        return digest.hexdigest()

    def _unreadable(self, error: Exception) -> UserError:
        if isinstance(error, OSError) and error.strerror:
            return UserError(f"{self.path}: {error.strerror}")
        return UserError(f"{self.path} is cut off or no archive of runs: {error}")


_UNREADABLE = (OSError, EOFError, zlib.error, tarfile.TarError, UnicodeDecodeError)


def sync_all(paths: Iterable[Path]) -> None:
    """Wait until the disk has the content of files, or the entries of folders."""
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(sync, paths))


class _Stream:
    """The unpacked bytes of an archive, in order; more than so many times its size are refused, naming the member."""

    def __init__(self, path: Path, file: io.BufferedIOBase) -> None:
        packed = file.read(2) == b"\x1f\x8b"
        self.path, self.size, self.member = path, file.seek(0, io.SEEK_END), "the first file"
        file.seek(0)
        self.file = gzip.GzipFile(fileobj=file) if packed else file
        self.left = max(MOST_EXPANSION * self.size, ALWAYS_ALLOWED)

    def read(self, size: int) -> bytes:
        """So many bytes, neither more nor less."""
        self.left -= size
        if self.left < 0:
            what = f"unpacks to more than {MOST_EXPANSION} times its {self.size} bytes, at {self.member}"
            raise UserError(f"{self.path} {what}")
        content = self.file.read(size)
        if len(content) < size:
            raise EOFError("its end is missing")
        return content


def require_run_s(archive: Path, name: str) -> None:
    """Check that a name is `<profile>/<run id>/<file>` of a record's file: no other path can lead out of the folder.

    Raises:
        UserError: it is not.
    """
    parts = name.split("/")
    if len(parts) != 3 or parts[0] not in CARRIED or parts[2] not in MOST_BYTES:
        raise UserError(f"{archive}: {name!r} is no file of a run's record")
    if not re.fullmatch(r"\w[\w.+-]{0,150}", parts[1], re.ASCII):
        raise UserError(f"{archive}: {name!r} names no run")
