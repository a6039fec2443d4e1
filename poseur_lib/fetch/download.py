"""One file from a server, resumed where a connection breaks off, and checked.

What has arrived lies in `<name>.part`, with the server's word for this version of the file (its ETag, or else its
date) in `<name>.part.version`: a later start goes on from there by HTTP's Range, unless the server has another version
by then or knows no ranges, in which case it starts over. The file has its own name only once size and checksum are
right.
"""

import hashlib
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from poseur_lib.errors import SHOWN, UserError
from poseur_lib.fetch.unpack import is_page, shown_start
from poseur_lib.progress import ProgressLine, duration

CHUNK = 2**20
ATTEMPTS = 5  # in a row that bring nothing
PAUSE_SECONDS = 2.0  # before another attempt; twice as long each time
TIMEOUT_SECONDS = 60.0
GB = 1e9


@dataclass(frozen=True)
class RemoteFile:
    """A file as its owners publish it; size (bytes) and MD5 are None where they publish none."""

    url: str
    size: int | None = None
    md5: str | None = None

    @property
    def name(self) -> str:
        """Of the file here."""
        return self.url.rsplit("/", 1)[-1]


class _Broken(Exception):
    """The connection ended early; another attempt may go on."""


class _NothingLeft(Exception):
    """The server has no byte from there on (416); its argument is how many bytes it has, as it says."""


def download(remote: RemoteFile, path: Path, progress: ProgressLine, pause: float = PAUSE_SECONDS) -> None:
    """Bring a file to `path`; one that is there and right is left as it is.

    Args:
        pause: seconds before a second attempt.

    Raises:
        UserError: the server cannot be reached, has no such file, or one of another size or checksum; the disk is full.
    """
    if path.exists():
        require_right(remote, path, progress)
        return
    part = path.with_name(f"{path.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while remote.size is None or _size(part) != remote.size:
        before = _size(part)
        try:
            _attempt(remote, part, progress)
            break
        except (_Broken, HTTPException, ConnectionError, TimeoutError, urllib.error.URLError) as error:
            failures = failures + 1 if _size(part) <= before else 0
            reason = getattr(error, "reason", None) or error
            if failures == ATTEMPTS:
                there = f"; {_size(part):,} bytes are in {part}, the same command goes on from there"
                raise UserError(f"{remote.url}: {reason}{there if _size(part) else ''}") from None
            wait = pause * 2**failures
            what = f"{remote.name}: {reason}; trying again in {duration(wait)}"
            progress.show(f"{what} ({failures} of {ATTEMPTS} attempts brought nothing)", news=f"{reason} {failures}")
            time.sleep(wait)
    try:
        require_right(remote, part, progress)
    except UserError:
        _forget(part)
        raise
    part.rename(path)
    _version_file(part).unlink(missing_ok=True)


def require_right(remote: RemoteFile, path: Path, progress: ProgressLine) -> None:
    """Check size and MD5 as far as they are published.

    Raises:
        UserError: one is another.
    """
    size = _size(path)
    if remote.size is not None and size != remote.size:
        raise UserError(f"{path} of {remote.url} has {size:,} bytes, published are {remote.size:,}: delete it")
    if remote.md5 is not None:
        found = _md5(path, progress)
        if found != remote.md5:
            raise UserError(
                f"{path} of {remote.url} has the MD5 {found}, published is {remote.md5}: it is not that file"
            )


def _attempt(remote: RemoteFile, part: Path, progress: ProgressLine) -> None:
    """Go on from what is there to the file's end.

    Raises:
        UserError: no further attempt can help.
    """
    start, version = _size(part), _version(part)
    unknown = not version and remote.md5 is None  # of which version the beginning is
    if (remote.size is not None and start > remote.size) or (start and unknown):
        _forget(part)
        start = 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    headers |= {"If-Range": version} if start and version else {}
    try:
        with _opened(remote, headers) as answer:
            _require_no_page(answer, remote)
            if start and answer.status != 206:  # no ranges here, or another version by now
                _forget(part)
                start = 0
            total = _total(answer, start, remote)
            if shutil.disk_usage(part.parent).free < (total or start) - start:
                raise UserError(f"{part.parent}: {total:,} bytes of {remote.name} do not fit on the disk")
            tag = answer.headers.get("ETag", "")  # a weak one does not promise the same bytes
            _version_file(part).write_text(
                answer.headers.get("Last-Modified", "") if tag[:2] in ("", "W/") else tag, encoding="utf-8"
            )
            _receive(answer, part, start, total, remote.name, progress)
    except _NothingLeft as end:
        if end.args[0] != str(start):  # what is there is no beginning of the file
            _forget(part)
            raise _Broken(f"{start:,} bytes were there, the server has {end.args[0] or 'others'}") from None


@contextmanager
def _opened(remote: RemoteFile, headers: dict[str, str]) -> Iterator[HTTPResponse]:
    try:
        with urllib.request.urlopen(  # nosec B310
            urllib.request.Request(remote.url, headers=headers), timeout=TIMEOUT_SECONDS
        ) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        if error.code == 416 and "Range" in headers:
            raise _NothingLeft(error.headers.get("Content-Range", "").rpartition("/")[2]) from None
        if error.code < 500 and error.code != 429:
            raise UserError(f"{remote.url}: the server answers {error.code} {error.reason}") from None
        raise


def _require_no_page(answer: HTTPResponse, remote: RemoteFile) -> None:
    """Check that it is not a page that says why there is no file.

    Raises:
        UserError: it is.
    """
    kind, start = answer.headers.get("Content-Type", ""), answer.peek(SHOWN)[:SHOWN]
    if answer.status == 200 and kind.startswith("text/html") and is_page(start):
        raise UserError(f"{remote.url}: the server sent a page (Content-Type {kind}) and no file: {shown_start(start)}")


def _total(answer: HTTPResponse, start: int, remote: RemoteFile) -> int | None:
    """Bytes of the whole file, as the server says.

    Raises:
        UserError: that is not what is published, or the range is another than was asked for.
    """
    if answer.status == 206:
        first, _, whole = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if not first.startswith(f"{start}-"):
            raise UserError(f"{remote.url}: asked for bytes from {start:,}, got {first or 'no range'}")
        total = int(whole) if whole.isdecimal() else None
    else:
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
    if total is not None and remote.size is not None and total != remote.size:
        raise UserError(f"{remote.url}: the server has {total:,} bytes, published are {remote.size:,}")
    return remote.size if total is None else total


def _receive(
    answer: HTTPResponse, part: Path, start: int, total: int | None, name: str, progress: ProgressLine
) -> None:
    began, done = time.monotonic(), start
    with part.open("ab") as file:
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            speed = (done - start) / max(time.monotonic() - began, 1e-3)
            left = "" if total is None else f" of {total / GB:.2f} GB, {duration((total - done) / speed)} left"
            progress.show(f"{name}: {done / GB:.2f}{left or ' GB'}, {speed / 1e6:.1f} MB/s", news=name)
    if total is not None and done < total:
        raise _Broken(f"the connection ended after {done:,} of {total:,} bytes")


def _md5(path: Path, progress: ProgressLine) -> str:
    digest, done, size = hashlib.md5(usedforsecurity=False), 0, max(_size(path), 1)
    with path.open("rb") as file:
        while chunk := file.read(8 * CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress.show(
                f"{path.name.removesuffix('.part')}: checksum, {100 * done / size:.0f} %", news=f"{path.name} md5"
            )
    return digest.hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _version_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")


def _version(part: Path) -> str:
    return _version_file(part).read_text(encoding="utf-8") if _version_file(part).is_file() else ""


def _forget(part: Path) -> None:
    for path in (part, _version_file(part)):
        path.unlink(missing_ok=True)
