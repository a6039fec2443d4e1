"""Whether a run's checkpoint is as it was written, by the record beside it or by itself; torch is not needed for it."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import ZipFile, is_zipfile

from poseur_lib.files import LAST_CHECKPOINT, WEIGHTS_FILES, file_sha256, read_regular

MAX_RECORD = 2**24


def altered(path: Path) -> str:
    """What is wrong with a run's checkpoint, one line; "" if nothing is.

    Weights are held against the record beside them; where it says nothing of them, as what training goes on from,
    against their own checksums. A file that is none of torch's archives is left to whoever reads it.
    """
    if path.name not in (*WEIGHTS_FILES, LAST_CHECKPOINT) or not path.is_file():
        return ""
    said = record_beside(path).get("weights_sha256") if path.name in WEIGHTS_FILES else None
    if said is None:
        return damaged(path) if is_zipfile(path) else ""
    if (found := file_sha256(path)) == said:
        return ""
    return f"{path} was altered: it has SHA-256 {found}, and its record says {said}"


def damaged(path: Path) -> str:
    """What is to be done about a checkpoint of a training that is not as torch.save wrote it, one line; "" if it is.

    The CRC-32 of each part is in the file; torch.load does not look at it.
    """
    with path.open("rb") as file:
        try:
            whole = ZipFile(file).testzip() is None
        except Exception:  # bytes that are no archive make zipfile raise anything
            whole = False
    return "" if whole else damage(path)


def damage(path: Path) -> str:
    """The line of `damaged`."""
    last = path.with_name(LAST_CHECKPOINT)
    way = f"goes on from {last.name}" if path != last and last.exists() else "starts anew"
    return f"{path} is cut off or damaged: delete it, and training {way}"


def record_beside(path: Path) -> dict[str, Any]:
    """The record in a checkpoint's folder, not verified; empty where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        record = json.loads(read_regular(path.with_name("record.json"), MAX_RECORD))["record"]
        return record if isinstance(record, dict) else {}
    return {}
