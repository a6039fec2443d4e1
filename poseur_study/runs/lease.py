"""Who executes a run: a lease with a heartbeat, in a file beside the run, safe on disks that several machines share.

A lease is a file `lease.<n>` that its owner creates by hard link, which of several processes one alone can do, and
whose modification time it renews. Files are never locked, and no owner ever writes into another's file. The age of a
lease is measured against a file that was made a moment ago on the same disk: where the disk's server dates files, as of
NFS, no machine's clock is compared with another's. Lustre and CephFS take the date from whichever machine writes: there
clocks must agree within half a minute, or a living owner is taken for dead. Whoever sees a lease that is dated in the
future dates it now, so that it ages like any other. A number may come again once a lease was given back, so that an
owner knows its own lease by the token inside.
"""

import json
import os
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from poseur_lib.files import read_regular

PREFIX = "lease."
BEAT_SECONDS = 10.0
POLL_SECONDS = 1.0
MISSED_BEATS = 6


@dataclass(frozen=True)
class Owner:
    """A process that holds a lease.

    Attributes:
        machine: host, boot and process namespace: where it is ours, `pid` can be looked up.
        started: clock ticks after boot, so that a process id that is used again is not taken for the owner.
    """

    token: str
    machine: str
    host: str
    pid: int
    started: str


@dataclass(frozen=True)
class Lease:
    """A lease that this process holds; `keep` it while the work goes on."""

    path: Path
    owner: Owner

    @property
    def key(self) -> str:
        """What a child process is told of the lease that it works under; see `is_held`."""
        return f"{self.owner.token} {self.path}"

    def renew(self) -> bool:
        """One heartbeat; False if another process took the lease over.

        Raises:
            OSError: the disk does not answer: whose the lease is stays open.
        """
        try:
            os.utime(self.path)
        except FileNotFoundError:
            return False
        return is_held(self.key)

    def release(self) -> None:
        """Give the lease back, if it is still this owner's."""
        if is_held(self.key):
            self.path.unlink(missing_ok=True)


def is_held(key: str) -> bool:
    """True if the lease of that `Lease.key` is its owner's still: the file is there, and no later owner's.

    Raises:
        OSError: the disk does not answer.
    """
    token, _, path = key.partition(" ")
    try:
        return token.encode() in Path(path).read_bytes()
    except FileNotFoundError:
        return False


def acquire(folder: Path) -> Lease | None:
    """Take the lease of `folder`, from a dead owner too; None if a living process has it, or wins the race for it.

    Raises:
        OSError: `folder` cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    owner = _this_process()
    temporary = folder / f".{PREFIX}{owner.token}"
    try:
        temporary.write_text(json.dumps(asdict(owner)))
        now = temporary.stat().st_mtime
        there = _leases(folder)
        if any(_lives(path, now) for path in there):
            return None
        path = folder / f"{PREFIX}{1 + max((_number(one) for one in there), default=0):06d}"
        if not _link(temporary, path):
            return None
        return _confirmed(folder, Lease(path, owner), now)
    finally:
        temporary.unlink(missing_ok=True)


def holder(folder: Path) -> str | None:
    """The host and process that has the lease of `folder`, or None; nothing that stays is written."""
    there = _leases(folder)
    now = _disk_time(folder) if there else 0.0
    for path in there:
        if _lives(path, now):
            owner = _read(path)
            return f"{owner.host}, process {owner.pid}" if owner else "an unknown process"
    return None


@contextmanager
def waiting_lease(folder: Path, look: Callable[[], None] = lambda: None) -> Iterator[Lease]:
    """The lease of `folder`, once whoever has it is through.

    Args:
        look: called before each try: raises where it is no longer waited for.
    """
    look()
    while (lease := acquire(folder)) is None:
        time.sleep(POLL_SECONDS)
        look()
    try:
        yield lease
    finally:
        lease.release()


def _confirmed(folder: Path, lease: Lease, now: float) -> Lease | None:
    """Look again after the lease is written: of two that got so far with different numbers, none keeps it."""
    others = {path: _read(path) for path in _leases(folder) if path != lease.path}
    if any(_lives(path, now) or _number(path) > _number(lease.path) for path in others):
        lease.release()
        return None
    for path, owner in others.items():
        if _read(path) == owner:
            path.unlink(missing_ok=True)
    return lease


def _disk_time(folder: Path) -> float:
    """The time by the clock of the disk that `folder` is on; by this machine's where no file can be made."""
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=f".{PREFIX}") as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()


def _leases(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if entry.name.startswith(PREFIX)]
    except FileNotFoundError:
        return []


def _number(path: Path) -> int:
    digits = path.name.removeprefix(PREFIX)
    return int(digits) if digits.isdigit() else 0


def _lives(path: Path, now: float) -> bool:
    """On this machine the process table decides, where it shows the owner; else the heartbeat."""
    try:
        beat = path.stat().st_mtime
    except FileNotFoundError:
        return False
    owner = _read(path)
    if owner is not None and owner.machine == _machine():
        started = _started(owner.pid)
        if started is not None or not _hidden(owner.pid):
            return started == owner.started
    return _beats(path, beat, now)


def _beats(path: Path, beat: float, now: float) -> bool:
    """Whether the last heartbeat was a moment ago."""
    if beat > now:
        with suppress(OSError):
            os.utime(path, (now, now))
    return now - beat < BEAT_SECONDS * MISSED_BEATS


def _read(path: Path) -> Owner | None:
    """The owner; None where the file is gone or is no lease of ours."""
    try:
        return Owner(**json.loads(read_regular(path)))
    except (OSError, ValueError, TypeError):
        return None


def _link(temporary: Path, path: Path) -> bool:
    """Create `path` if it is not there. A network disk may report an error for a link that it made: count them."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return temporary.stat().st_nlink == 2
    return True


def _this_process() -> Owner:
    pid = os.getpid()
    return Owner(uuid.uuid4().hex, _machine(), socket.gethostname(), pid, _started(pid) or "")


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()} {boot} {namespace}"


def _hidden(pid: int) -> bool:
    """Whether there is such a process of another user, which /proc does not show where it is mounted with hidepid."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


def _started(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    state, *fields = text.rsplit(")", 1)[1].split()
    return None if state in "ZX" else fields[18]
