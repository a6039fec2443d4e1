"""What a run has taken over all its attempts: wall time and energy, noted beside its checkpoint while it is at work."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread

from poseur_lib.files import write_atomically
from poseur_study.runs.store import LAST_CHECKPOINT

SPENT_FILE = "spent.json"
PERIOD_SECONDS = 60.0


@dataclass(frozen=True)
class Spent:
    """Wall time, and energy as `EnergyMeter` reads it; `joules` is None where some attempt could not read it."""

    seconds: float = 0.0
    joules: float | None = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        unknown = self.joules is None or other.joules is None
        return Spent(self.seconds + other.seconds, None if unknown else self.joules + other.joules)


def spent_before(folder: Path) -> Spent:
    """What the earlier attempts took whose checkpoint lies in a run's folder; nothing where there is none.

    A checkpoint without a note is one of an earlier version: what it took is not known and not counted.
    """
    if not (folder / LAST_CHECKPOINT).exists():
        return Spent()
    try:
        return Spent(**json.loads((folder / SPENT_FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return Spent(joules=None)


@contextmanager
def noted(folder: Path, spent: Callable[[], Spent]) -> Iterator[None]:
    """Note what a run has taken so far, every minute and at the end, for an attempt that goes on from here."""
    ended = Event()

    def note() -> None:
        while not ended.wait(PERIOD_SECONDS):
            _write(folder, spent())

    thread = Thread(target=note, daemon=True, name=f"what {folder} has taken")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _write(folder, spent())


def _write(folder: Path, spent: Spent) -> None:
    """A disk that refuses it goes without: training is not stopped for that."""
    try:
        write_atomically(folder / SPENT_FILE, json.dumps(asdict(spent)).encode())
    except OSError:
        pass
