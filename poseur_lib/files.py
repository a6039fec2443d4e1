"""Files that are there whole or not at all, and the names of those that a training leaves."""

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from poseur_lib.errors import UserError

LAST_CHECKPOINT, MODEL_FILE, BACKBONE_FILE = "last.ckpt", "model.pt", "backbone.pt"
WEIGHTS_FILES = (MODEL_FILE, BACKBONE_FILE)
SAFE_FILE = "model.safetensors"
"""Where training goes on from, and the weights that it leaves."""
CURVE_FILE = "curve.json"
NOTE_BYTES = 2**26
"""Beyond what any note of a training or a run holds."""
POSITION_FILE = "position.json"
"""Where a training that is under way is; gone with its end."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to; it is synced and renamed over `path` where the block ends well.

    Raises:
        UserError: there is something at `path` that is no regular file: it would be gone.
        OSError: the disk is full or the folder is not writable; `path` is then as it was before.
    """
    _require_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # less the umask, as `open` has it
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def require_writable(folder: Path, what: str = "results cannot be written to") -> None:
    """Check, before anything is computed, that a folder can be made and written to; `what` begins the message.

    Raises:
        UserError: it cannot.
    """
    probe = folder / f".writable.{secrets.token_hex(4)}"  # several jobs may look at once
    try:
        write_atomically(probe, b"")
        probe.unlink()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a folder's name"
        raise UserError(f"{what} {folder}: {reason}") from None


def require_output(path: Path) -> None:
    """Check, before anything is computed, that a file can be written.

    Raises:
        UserError: it is a folder, a pipe or a device, or its folder cannot be written to.
    """
    _require_replaceable(path)
    require_writable(path.parent)


def _require_replaceable(path: Path) -> None:
    """Check that nothing but a regular file would be replaced. /dev/stdout is a link to what may be one."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: give the name of a file")
    of_process = path.is_symlink() and str(path.readlink()).startswith("/proc/")
    if of_process or (path.exists() and not path.is_file()):
        raise UserError(f"{path} is not a regular file, and would be replaced by one: give another name")


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` as `atomic_file` does."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def open_regular(path: Path, most: int) -> BinaryIO:
    """A file opened for reading that is a regular one of at most `most` bytes: no pipe to wait for, no endless device.

    Raises:
        OSError: it is missing, cannot be read, is something else or is larger; `strerror` says which.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:  # a null byte, or what no file system encodes
        raise OSError(errno.EINVAL, "not a file's name", str(path)) from None
    file = open(handle, "rb")
    state = os.fstat(handle)
    if stat.S_ISDIR(state.st_mode):
        reason = errno.EISDIR, os.strerror(errno.EISDIR)
    elif not stat.S_ISREG(state.st_mode):
        reason = errno.EINVAL, "not a regular file"
    elif state.st_size > most:
        reason = errno.EFBIG, f"{state.st_size} bytes are more than the {most} that are read"
    else:
        return file
    file.close()
    raise OSError(*reason, str(path))


def read_regular(path: Path, most: int = NOTE_BYTES) -> bytes:
    """The content of a file as `open_regular` has it; errors as there."""
    with open_regular(path, most) as file:
        return file.read(most)


def leaves_folder(name: str) -> bool:
    """Whether a file that is so named, below a folder, may lie outside it: here, or where the folder is taken to."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or any(character in name for character in "\\:\0")


def sha256_hex(content: bytes) -> str:
    """The digest by which a record knows its other files."""
    return hashlib.sha256(content).hexdigest()


def file_sha256(path: Path) -> str:
    """As `sha256_hex` of a file's content, which may be larger than the memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until the disk has a file's content, or a folder's entries."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
