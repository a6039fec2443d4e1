"""Archives unpacked without trust: no absolute names, no `..`, no links or devices, no more bytes than allowed."""

import gzip
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from poseur_lib.errors import SHOWN, UserError, first_line, shown
from poseur_lib.files import leaves_folder
from poseur_lib.progress import ProgressLine

MOST_FILES = 10**6
CHUNK = 2**20


class Member(NamedTuple):
    """A regular file of an archive; `open` reads it."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


class Unpacked(NamedTuple):
    """The paths in the folder of all files of an archive, and how many of them were written."""

    names: list[str]
    written: int


class NoSuchArchive(UserError):
    """The file is empty, a page, damaged or another archive: to be downloaded again."""


def unpack(archive: Path, folder: Path, wanted: Collection[str], most_bytes: int, progress: ProgressLine) -> Unpacked:
    """Write an archive's wanted files below `folder`.

    A file that is there with the right size is not written again.

    Args:
        wanted: folders and files at the top; what lies above them is left away, what is in none of them is skipped.
        most_bytes: of all files together.

    Raises:
        NoSuchArchive: it is damaged, and what comes before the damage may be there, or holds nothing that is wanted.
        UserError: the archive cannot be read, or a member is one that must not be unpacked, and then nothing is
            written.
    """
    written = 0
    with _members(archive) as members:
        places = [(one, place) for one in members if (place := _place(archive, one.name, wanted)) is not None]
        if not places:
            raise NoSuchArchive(f"{archive.name} holds no {' or '.join(wanted)}: it is another file")
        total = sum(one.size for one, _ in places)
        if total > most_bytes or len(places) > MOST_FILES:
            raise UserError(f"{archive}: {len(places):,} files of {total:,} bytes are more than expected: not unpacked")
        for number, (one, place) in enumerate(places, 1):
            progress.show(f"{archive.name}: unpacking {number:,} of {len(places):,}", news=f"{archive.name} unpacking")
            path = folder / place
            if path.is_file() and path.stat().st_size == one.size:
                continue
            _write(archive, one, path)
            written += 1
    return Unpacked([str(place) for _, place in places], written)


@contextmanager
def _members(archive: Path) -> Iterator[list[Member]]:
    """The regular files of a zip or tar.

    Raises:
        NoSuchArchive: it is neither, or is damaged.
        UserError: it has a link or device, or cannot be read.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                yield [_of_zip(archive, zipped, one) for one in zipped.infolist() if not one.is_dir()]
        else:
            with tarfile.open(archive) as tar:
                yield [_of_tar(archive, tar, one) for one in tar.getmembers() if not one.isdir()]
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise NoSuchArchive(f"{archive.name} {_what_it_is(archive, error)}") from None
    except (NotImplementedError, RuntimeError) as error:  # a compression that zipfile has not, or a password
        raise UserError(f"{archive}: cannot be unpacked: {error}") from None


def _what_it_is(archive: Path, error: Exception) -> str:
    """What a file is that cannot be unpacked, in words."""
    with archive.open("rb") as file:
        start = file.read(SHOWN)
    size = f"{archive.stat().st_size:,} bytes"
    if not start:
        return "is empty"
    if is_page(start):
        return f"is a page of {size} and no archive: {shown_start(start)}"
    if start.startswith(b"PK") and not zipfile.is_zipfile(archive):
        return f"is a zip that is cut off after {size}"
    return f"is damaged, or no archive ({size}): {first_line(error).rstrip(':')}"


def is_page(start: bytes) -> bool:
    """Whether a file that begins so is HTML or XML, as servers send in place of what they do not have."""
    return start.lstrip().startswith(b"<")


def shown_start(start: bytes) -> str:
    """The beginning of a page on one line."""
    return shown(" ".join(start.decode(errors="replace").split()))


def _of_zip(archive: Path, zipped: zipfile.ZipFile, one: zipfile.ZipInfo) -> Member:
    kind = stat.S_IFMT(one.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise UserError(f"{archive}: {one.filename!r} is a link or device: not unpacked")
    return Member(one.filename, one.file_size, lambda: zipped.open(one))


def _of_tar(archive: Path, tar: tarfile.TarFile, one: tarfile.TarInfo) -> Member:
    if not one.isreg():
        raise UserError(f"{archive}: {one.name!r} is a link or device: not unpacked")
    return Member(one.name, one.size, lambda: tar.extractfile(one))  # type: ignore[arg-type, return-value]


def _place(archive: Path, name: str, wanted: Collection[str]) -> PurePosixPath | None:
    path = PurePosixPath(name)
    if leaves_folder(name):
        raise UserError(f"{archive}: {name!r} would lie outside the folder: not unpacked")
    starts = [place for place, part in enumerate(path.parts) if part in wanted]
    return PurePosixPath(*path.parts[starts[0] :]) if starts else None


def _write(archive: Path, one: Member, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.unpacking")
    left = one.size
    try:
        with one.open() as source, temporary.open("wb") as file:
            while chunk := source.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise UserError(f"{archive}: {one.name!r} is larger than it says: not unpacked")
                file.write(chunk)
        if left:
            raise NoSuchArchive(f"{archive.name}: {one.name!r} is cut off")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
