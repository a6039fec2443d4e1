"""What the record of a run says of the checkpoint beside it; torch is not needed for it."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from poseur_lib.files import WEIGHTS_FILES, file_sha256, read_regular

MAX_RECORD = 2**24


def altered(path: Path) -> str:
    """What is wrong with a run's weights, one line; "" where they are as the record beside them says, or none does."""
    said = record_beside(path).get("weights_sha256") if path.name in WEIGHTS_FILES and path.is_file() else None
    if said is None or (found := file_sha256(path)) == said:
        return ""
    return f"{path} was altered: it has SHA-256 {found}, and its record says {said}"


def record_beside(path: Path) -> dict[str, Any]:
    """The record in a checkpoint's folder, not verified; empty where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        record = json.loads(read_regular(path.with_name("record.json"), MAX_RECORD))["record"]
        return record if isinstance(record, dict) else {}
    return {}
