"""Records that were verified before and have not been written to since: a thousand need not be read for each look.

What is remembered of a verified record is the inode, size, modification and change time of its files, and the version
of the code that verified it. Whoever needs a record's content reads and verifies it in full all the same, once a
process.
"""

import json
from functools import cache
from pathlib import Path

from poseur_lib.errors import UserError
from poseur_lib.files import write_atomically
from poseur_study.runs.record import PREDICTIONS_FILE, RECORD_FILE, Record, read_record
from poseur_study.runs.sources import source_digest

MEMORY_FILE = ".verified.json"
JUDGES = (
    "poseur_lib/config",
    "poseur_study/runs/run_id.py",
    "poseur_study/runs/record.py",
    "poseur_study/runs/predictions.py",
    "poseur_study/runs/defaults_v1.json",
)

Signature = list[list[int] | None]


class VerifiedRecords:
    """The verified records below a folder; `save` keeps what is known for the next process."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / MEMORY_FILE
        self.code = source_digest(*JUDGES)
        self.known = self._load()
        self.read: dict[str, tuple[Signature, Record]] = {}
        self.changed = False

    def holds(self, folder: Path, run_id: str) -> bool:
        """True if `folder` has a valid record of this very run."""
        signature = _signature(folder)
        if signature[0] is None:
            return False
        key = f"{run_id} in {folder.name}"
        if self.known.get(key) == signature:
            return True
        try:
            valid = self.record(folder).run_id == run_id
        except UserError:
            valid = False
        if valid:
            self.known[key], self.changed = signature, True
        return valid

    def record(self, folder: Path) -> Record:
        """The record of `folder`, verified in full once a process and again whenever its files have changed.

        Raises:
            UserError: it is missing, cut off or altered.
        """
        signature, known = _signature(folder), self.read.get(str(folder))
        if known is None or known[0] != signature:
            known = self.read[str(folder)] = signature, read_record(folder)
        return known[1]

    def save(self) -> None:
        """Keep what is known; a folder that cannot be written to goes without."""
        if not self.changed:
            return
        try:
            write_atomically(self.file, json.dumps({"code": self.code, "verified": self.known}).encode())
        except OSError:
            return
        self.changed = False

    def forget(self) -> None:
        """Read every record again at the next look."""
        self.known, self.read, self.changed = {}, {}, True

    def _load(self) -> dict[str, Signature]:
        try:
            content = json.loads(self.file.read_text())
            return dict(content["verified"]) if content["code"] == self.code else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}


@cache
def verified_records(folder: Path) -> VerifiedRecords:
    """One memory a folder and process."""
    return VerifiedRecords(folder)


def _signature(folder: Path) -> Signature:
    return [_stamp(folder / name) for name in (RECORD_FILE, PREDICTIONS_FILE)]


def _stamp(path: Path) -> list[int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
