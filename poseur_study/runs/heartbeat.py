"""A lease kept alive while a child process works; the child ends where the lease is lost or the batch is stopped.

It dies with its parent too: a killed batch leaves no process that writes where the next one does.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread, main_thread
from typing import NamedTuple

from poseur_lib.errors import UserError
from poseur_study.runs import lease
from poseur_study.runs.lease import Lease

LEASE_VARIABLE = "POSEUR_LEASE"
CHILD_FLAG = "POSEUR_CHILD"
PR_SET_PDEATHSIG = 1
LOST = signal.SIGUSR2
"""Interrupts a training whose lease is lost. SIGINT would not where a shell put it into the background."""
TAIL_LINES = 40


@dataclass
class Child:
    """A child process, the key of the lease that it works under, and whether we ended it."""

    process: subprocess.Popen
    lease: str
    stopped: bool = False

    def stop(self) -> None:
        """Kill it and what it started in its session; a notebook's kernel dies with it by itself."""
        self.stopped = True
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


_children: dict[int, Child] = {}
_stops = 0
"""How often all of them were stopped."""


@contextmanager
def repeated(act: Callable[[], None], seconds: float) -> Iterator[None]:
    """Within, `act` is called from a thread every so many seconds."""
    ended = Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            act()

    thread = Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Stopped(Exception):
    """The batch was stopped, or its lease lost: what was going on is neither finished nor failed."""


@contextmanager
def heartbeat(held: Lease, when_lost: Callable[[], object] = lambda: None) -> Iterator[Event]:
    """Renew a lease from a thread; the event is set, and this process's children of that lease end, if it is lost.

    A disk that does not answer is asked again at the next beat. The lease counts as lost a beat before others may take
    it over.

    Args:
        when_lost: called in that thread, at every beat from then on.
    """
    lost, renewed = Event(), time.monotonic()

    def beat() -> None:
        nonlocal renewed
        now = time.monotonic()
        try:
            kept = held.renew()
            renewed = now
        except OSError:
            kept = now - renewed < lease.BEAT_SECONDS * (lease.MISSED_BEATS - 1)
        if not kept:
            lost.set()
        if lost.is_set():
            when_lost()
            stop_children(held.key)

    with repeated(beat, lease.BEAT_SECONDS):
        yield lost


@contextmanager
def trained_here_alone(folder: Path) -> Iterator[None]:
    """Within, this process holds the lease of a folder that it trains in; Lightning's other processes rely on it.

    Raises:
        UserError: another process trains there, also one that took the folder over since: this one ends then.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":
        yield
        return
    held = lease.acquire(folder)
    if held is None:
        raise UserError(
            f"{folder} is being trained in by {lease.holder(folder) or 'another process'}: take another folder"
        )
    main, heard = main_thread().ident or 0, Event()

    def interrupt() -> None:  # again, as an interrupt that meets a finalizer is swallowed
        if not heard.is_set():
            signal.pthread_kill(main, LOST)

    before = signal.signal(LOST, signal.default_int_handler)
    try:
        with heartbeat(held, interrupt) as lost:
            try:
                yield
            except KeyboardInterrupt:
                heard.set()
                if not lost.is_set():
                    raise
                owner = lease.holder(folder) or "nobody"
                said = f"{folder} is held by {owner} now: its lease was lost, this training ends at its last checkpoint"
                raise UserError(said) from None
    finally:
        signal.signal(LOST, before or signal.SIG_DFL)
        held.release()


class Ended(NamedTuple):
    """A child's exit code, and the last lines that it printed."""

    code: int
    said: str


def run_child(command: list[str], output: Path, environment: dict[str, str]) -> Ended:
    """Run a child in a session of its own, where Ctrl-C at the terminal does not reach it.

    Args:
        output: gets what it prints, as far as the disk takes it.

    Raises:
        Stopped: `stop_children` ended it.
    """
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, start_new_session=True
    )
    child = _children[process.pid] = Child(process, environment.get(LEASE_VARIABLE, ""))
    try:
        said = _followed(process, output)
        code = process.wait()
    except BaseException:
        child.stop()
        raise
    finally:
        del _children[process.pid]
    if child.stopped:
        raise Stopped
    return Ended(code, said)


def _followed(process: subprocess.Popen, output: Path) -> str:
    """Write what a process prints until it ends; the last lines. A disk that is full takes no more of it."""
    assert process.stdout is not None
    last: deque[bytes] = deque(maxlen=TAIL_LINES)
    with process.stdout as printed, suppress(OSError), output.open("wb", buffering=0) as file:
        for line in printed:
            last.append(line)
            with suppress(OSError):
                file.write(line)
    return b"".join(last).decode(errors="replace")


def stop_children(of_lease: str | None = None) -> int:
    """Kill the children of this process that work under the lease of a key (None: all); returns how many."""
    global _stops
    _stops += of_lease is None
    chosen = [child for child in list(_children.values()) if of_lease in (None, child.lease)]
    for child in chosen:
        child.stop()
    return len(chosen)


def until_stopped() -> Callable[[], None]:
    """What raises Stopped once all children of this process were stopped since: for jobs that have none yet."""
    before = _stops

    def look() -> None:
        if _stops != before:
            raise Stopped

    return look


def require_lease() -> None:
    """Check, before a record is written, that the batch which started this process still holds the run.

    Raises:
        UserError: it was taken for dead, and another took the run over.
        OSError: the disk does not answer.
    """
    key = os.environ.get(LEASE_VARIABLE)
    if key and not lease.is_held(key):
        raise UserError(f"another process has taken over this run: {key.partition(' ')[2]} is gone")


def die_with_parent(parent: int = 0) -> None:
    """Have the kernel kill this process when its parent ends (Linux), however that ends.

    Args:
        parent: process that started this one, which may have ended since; 0: whichever is the parent now.
    """
    parent = parent or os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call
        os.kill(os.getpid(), signal.SIGKILL)


def die_with_parent_in_batch() -> None:
    """`die_with_parent` for a notebook's kernel that a batch started; a kernel of JupyterLab is left alone."""
    if os.environ.get(CHILD_FLAG):
        die_with_parent()
