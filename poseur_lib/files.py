"""Files that are there whole or not at all, and the names of those that a training leaves."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LAST_CHECKPOINT, MODEL_FILE, BACKBONE_FILE = "last.ckpt", "model.pt", "backbone.pt"
SAFE_FILE = "model.safetensors"
"""Where training goes on from, and the weights that it leaves."""
CURVE_FILE = "curve.json"
POSITION_FILE = "position.json"
"""Where a training that is under way is; gone with its end."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` to write to; it is synced and renamed over `path` where the block ends well.

    Raises:
        OSError: the disk is full or the folder is not writable; `path` is then as it was before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` as `atomic_file` does."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def sha256_hex(content: bytes) -> str:
    """The digest by which a record knows its other files."""
    return hashlib.sha256(content).hexdigest()


def _sync(path: Path) -> None:
    """Wait until the disk has a file's content, or a folder's entries."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
