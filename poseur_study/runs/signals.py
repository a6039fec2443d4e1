"""SIGTERM and SIGHUP end a process in order, as Ctrl-C does: Slurm, Kubernetes and a closed terminal send them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

ENDING = (signal.SIGTERM, signal.SIGHUP)
_received: list[signal.Signals] = []


def received() -> signal.Signals:
    """The signal that ends this process; SIGINT where none of the others came."""
    return _received[-1] if _received else signal.SIGINT


@contextmanager
def ends_in_order(dies: bool = True) -> Iterator[None]:
    """Within, the first SIGTERM or SIGHUP is a `KeyboardInterrupt`; further ones change nothing about the way out.

    One that is ignored, as SIGHUP under nohup, stays ignored. Outside the main thread, or within another of these,
    nothing is done.

    Args:
        dies: the process ends by that signal after the block, as it would have done at once; False: the caller ends it.
    """
    before = {number: signal.getsignal(number) for number in ENDING}
    ours = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, _interrupt, None)]
    if threading.current_thread() is not threading.main_thread():
        ours = []
    for number in ours:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
        if dies and ours and _received:
            signal.raise_signal(_received[-1])


def start_tracker() -> None:
    """Start multiprocessing's tracker of resources so that SIGHUP spares it; it ignores other signals by itself."""
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which it inherits
        resource_tracker.ensure_running()
        signal.signal(signal.SIGHUP, before)


def _interrupt(number: int, _: object) -> None:
    if not _received:
        _received.append(signal.Signals(number))
        raise KeyboardInterrupt
