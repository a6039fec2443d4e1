"""`images.json`: the size and SHA-256 of every image of a data set, as they were when it was made.

It stands beside the annotations, and no run's identity depends on it: a data set is known by its annotation files
(`poseur_lib.data.coco.fingerprint`), and with this file its images are too.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from poseur_lib.data.annotations import MAX_BYTES
from poseur_lib.data.coco import SPLITS
from poseur_lib.errors import UserError
from poseur_lib.files import read_regular, write_atomically

MANIFEST = "images.json"


class FileDigest(NamedTuple):
    """A file's length in bytes, and the SHA-256 of its content, hexadecimal."""

    size: int
    sha256: str


Digests = Mapping[str, FileDigest]
"""By the file's path relative to the data set's folder, with `/`."""
_FORMAT = TypeAdapter(dict[str, FileDigest])


def digest_of_content(content: bytes) -> FileDigest:
    """Of a file with that content."""
    return FileDigest(len(content), hashlib.sha256(content).hexdigest())


def write_digests(root: Path, digests: Digests) -> None:
    """Write the manifest of a data set's folder, whole or not at all."""
    write_atomically(root / MANIFEST, json.dumps(digests, separators=(",", ":")).encode())


def read_digests(root: Path) -> Digests | None:
    """The manifest of a data set's folder; None where it has none.

    Raises:
        UserError: it has one that cannot be read.
    """
    path = root / MANIFEST
    try:
        return _FORMAT.validate_json(read_regular(path, MAX_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        raise UserError(f"{path}: not a list of images with size and SHA-256 ({error.errors()[0]['msg']})") from None


def record_images(root: Path) -> int:
    """Write the manifest of the images of both splits as they are now, and of their part labels; their number."""
    folders = (root / f"{kind}{split}2017" for split in SPLITS for kind in ("", "parts_"))
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    write_digests(root, {path.relative_to(root).as_posix(): digest_of_content(path.read_bytes()) for path in files})
    return len(files)


def changed_sizes(root: Path, digests: Digests) -> Iterator[tuple[str, str]]:
    """Files that are missing or of another length, each with what is wrong with it; none of them is read."""
    for name, known in digests.items():
        try:
            size = os.stat(root / name).st_size
        except OSError as error:
            yield name, f"{error.strerror}"
            continue
        if size != known.size:
            yield name, f"{size} bytes, {known.size} when it was made"


def changed_files(root: Path, digests: Digests) -> Iterator[tuple[str, str]]:
    """Files that are not what they were, each with what is wrong with it; all are read."""
    by_size = dict(changed_sizes(root, digests))
    for name, known in digests.items():
        if name in by_size:
            yield name, by_size[name]
            continue
        try:
            found = digest_of_content(read_regular(root / name, known.size))
        except OSError as error:
            yield name, f"{error.strerror}"
            continue
        if found != known:
            yield name, f"its content changed since {MANIFEST} was written (SHA-256 differs)"
